import { randomUUID } from 'node:crypto';
import { ControlError } from '#libs/kernel/control-error.js';
import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { ClusterReference, KubeCall } from '#libs/kube/cluster-access.js';
import type {
  AccessQuestion,
  ApplyOptions,
  ClusterClient,
  DeleteOptions,
  EvictionOutcome,
  ListOptions,
  ListPage,
  Patch,
  WatchOptions,
  WatchTurn,
  WriteOptions,
  WriteResult,
} from '#libs/kube/cluster-client.js';
import { applyKnownFields } from '#libs/kube/known-fields.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ApiResource, KubernetesManifest, KubernetesObject } from '#libs/kube/kubernetes-object.js';

export interface FakeKubeRequest {
  clusterUid: string;
  verb:
    | 'version'
    | 'find'
    | 'get'
    | 'list'
    | 'create'
    | 'apply'
    | 'patch'
    | 'delete'
    | 'evict'
    | 'mayI'
    | 'whoAmI'
    | 'watch';
  group?: string;
  kind?: string;
  /** As asked for: absent where the object belongs to no namespace or all of them are meant. */
  namespace?: string;
  name?: string;
  subresource?: string;
  dryRun: boolean;
  force: boolean;
  /** The manifest, the patch, or the options of a read or delete. */
  body?: Json;
  correlationId: string;
}

/** Every named part has to be equal; a function decides by itself. */
export type FakeKubeMatcher = Partial<FakeKubeRequest> | ((request: FakeKubeRequest) => boolean);

/** A type as tests name it. */
export interface FakeType {
  group: string;
  kind: string;
}

interface Rule<T> {
  matches: (request: FakeKubeRequest) => boolean;
  effect: T;
  once: boolean;
}

/**
 * Clusters in memory in the place of the real transport: objects by cluster, type, namespace and name; applies that merge;
 * refusals, warnings and conflicts as a test plans them; watches that list what is there and then tell what the test
 * pushes. Controllers do nothing unless a test makes them `react`. Whether our picture of a server is right is for the
 * contract tests against the simulator to say.
 */
export class FakeKube implements Kube {
  readonly requests: FakeKubeRequest[] = [];
  /** The uids that were to be forgotten. */
  readonly forgotten: string[] = [];
  readonly #clusters = new Map<string, FakeCluster>();

  /** `resources`: the types that every cluster serves. */
  constructor(private readonly resources: readonly ApiResource[] = DEFAULT_API_RESOURCES) {}

  cluster(reference: ClusterReference | string): FakeCluster {
    const uid = typeof reference === 'string' ? reference : reference.uid;
    let cluster = this.#clusters.get(uid);
    if (cluster === undefined) {
      cluster = new FakeCluster(uid, this.requests, this.resources);
      this.#clusters.set(uid, cluster);
    }
    return cluster;
  }

  /** Known are the clusters that were named before, by `cluster`. */
  clusterOf(uid: string): Promise<FakeCluster> {
    const cluster = this.#clusters.get(uid);
    if (cluster !== undefined) return Promise.resolve(cluster);
    return Promise.reject(new ControlError('RESOURCE_NOT_FOUND', `The cluster ${uid} is not known.`));
  }

  forget(uid: string): void {
    this.forgotten.push(uid);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** `apply default/web`, `delete web`, in order; dry runs are left out. */
  writes(): string[] {
    return this.requests
      .filter(({ verb, dryRun }) => ['create', 'apply', 'patch', 'delete', 'evict'].includes(verb) && !dryRun)
      .map(({ verb, kind, namespace, name }) => [verb, kind, [namespace, name].filter(Boolean).join('/')].join(' '));
  }
}

/** One cluster of the fake, which a test fills and looks into. */
export class FakeCluster implements ClusterClient {
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #streams = new Set<FakeStream>();
  readonly #pushed = new Map<string, (WatchTurn | ControlError)[]>();
  #resources: ApiResource[];
  #refusals: Rule<ControlError>[] = [];
  #warnings: Rule<string>[] = [];
  #conflicts: Rule<{ manager: string; field: string }>[] = [];
  #reactions: Rule<(object: KubernetesObject, cluster: FakeCluster) => void>[] = [];
  #resourceVersion = 100;
  #named = 0;
  gitVersion = 'v1.32.13';
  identity = { username: 'pilothouse', groups: ['system:authenticated'], extra: {} as Record<string, string[]> };
  /** Of the context of the kubeconfig. */
  contextNamespace: string | null = null;
  /** What `mayI` answers. */
  mayDo: (question: AccessQuestion) => { allowed: boolean; reason: string } = () => ({ allowed: true, reason: '' });

  constructor(
    readonly clusterUid: string,
    private readonly requests: FakeKubeRequest[],
    resources: readonly ApiResource[],
  ) {
    this.#resources = [...resources];
  }

  // What a test arranges.

  /** More types; the first version that is served of a kind is the one that the server prefers. */
  serve(...resources: ApiResource[]): this {
    this.#resources.push(...resources);
    return this;
  }

  /** Takes a type away, as if its definition were not installed. */
  withdraw(type: FakeType): this {
    this.#resources = this.#resources.filter(({ group, kind }) => group !== type.group || kind !== type.kind);
    return this;
  }

  /** Puts objects in place as a controller would: with a uid and a resourceVersion where they have none. */
  add(...objects: KubernetesObject[]): this {
    for (const object of objects) {
      const existing = this.#objects.get(keyOf(object));
      this.#objects.set(keyOf(object), this.#completed(structuredClone(object), existing));
    }
    return this;
  }

  get objects(): KubernetesObject[] {
    return [...this.#objects.values()].map((object) => structuredClone(object));
  }

  object(type: FakeType, namespace: string | undefined, name: string): KubernetesObject | undefined {
    const found = this.#objects.get(key(type.group, type.kind, namespace, name));
    return found === undefined ? undefined : structuredClone(found);
  }

  remove(type: FakeType, namespace: string | undefined, name: string): void {
    this.#objects.delete(key(type.group, type.kind, namespace, name));
  }

  /** Refuses what fits, in place of the ordinary behaviour; `once` for the first one only. */
  refuse(matcher: FakeKubeMatcher, error: ControlError, once = false): this {
    this.#refusals.push({ matches: predicate(matcher), effect: error, once });
    return this;
  }

  /** Writes that fit are answered with this warning too. */
  warn(matcher: FakeKubeMatcher, warning: string): this {
    this.#warnings.push({ matches: predicate(matcher), effect: warning, once: false });
    return this;
  }

  /**
   * Another manager owns a field (`.spec.replicas`): an apply that fits and gives it another value than it has is a
   * conflict, unless it forces; then the field is ours.
   */
  ownField(matcher: FakeKubeMatcher, manager: string, field: string): this {
    this.#conflicts.push({ matches: predicate(matcher), effect: { manager, field }, once: false });
    return this;
  }

  /** What a controller does after a write that fits (no dry run): it may change the cluster by `add` and `remove`. */
  react(matcher: FakeKubeMatcher, reaction: (object: KubernetesObject, cluster: FakeCluster) => void): this {
    this.#reactions.push({ matches: predicate(matcher), effect: reaction, once: false });
    return this;
  }

  /** What the watches of a type tell next, or throw; kept for the first watch where there is none yet. */
  push(type: FakeType, ...turns: (WatchTurn | ControlError)[]): void {
    const streams = [...this.#streams].filter(({ group, kind }) => group === type.group && kind === type.kind);
    if (streams.length === 0) {
      const typeKey = `${type.group}|${type.kind}`;
      this.#pushed.set(typeKey, [...(this.#pushed.get(typeKey) ?? []), ...turns]);
    }
    for (const stream of streams) stream.push(...turns);
  }

  // What the house sees.

  async version(call: KubeCall): Promise<{ gitVersion: string; platform: string }> {
    this.#record({ verb: 'version' }, call);
    return { gitVersion: this.gitVersion, platform: 'linux/amd64' };
  }

  defaultNamespace(): Promise<string | null> {
    return Promise.resolve(this.contextNamespace);
  }

  async findResource(
    type: { group: string; version?: string; kind: string },
    call: KubeCall,
  ): Promise<ApiResource | undefined> {
    this.#record({ verb: 'find', group: type.group, kind: type.kind }, call);
    return this.#resources.find(
      ({ group, version, kind }) =>
        group === type.group && kind === type.kind && (type.version === undefined || version === type.version),
    );
  }

  async get(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    call: KubeCall,
  ): Promise<KubernetesObject | undefined> {
    this.#record({ verb: 'get', ...partsOf(resource, namespace, name) }, call);
    return this.object(resource, scopeOf(resource, namespace), name);
  }

  async *list(
    resource: ApiResource,
    options: ListOptions,
    call: KubeCall,
  ): AsyncGenerator<ListPage & { restarted: boolean }> {
    this.#record({ verb: 'list', ...partsOf(resource, options.namespace), body: { ...options } }, call);
    for (const items of this.#pages(resource, options)) {
      call.signal.throwIfAborted();
      yield { items, resourceVersion: String(this.#resourceVersion), restarted: false };
    }
  }

  async create(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: WriteOptions,
    call: KubeCall,
  ): Promise<WriteResult> {
    const name =
      object.metadata.name ?? `${object.metadata.generateName ?? ''}${(++this.#named).toString(36).padStart(5, '0')}`;
    const request = this.#record(
      { verb: 'create', ...partsOf(resource, namespace, name), body: object, dryRun: options.dryRun === true },
      call,
    );
    if (this.object(resource, scopeOf(resource, namespace), name) !== undefined) {
      throw fakeRefusal('KUBERNETES_CONFLICT', 'AlreadyExists', `${resource.plural} "${name}" already exists`);
    }
    return this.#store(request, placed(resource, namespace, name, object), undefined);
  }

  /** A refusal that names unknown fields is taken as the real client takes it: there are two requests then. */
  apply(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: ApplyOptions,
    call: KubeCall,
  ): Promise<WriteResult> {
    return applyKnownFields(object, options, (document) =>
      this.#applyOnce(resource, namespace, document, options, call),
    );
  }

  async #applyOnce(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: ApplyOptions,
    call: KubeCall,
  ): Promise<WriteResult> {
    const name = object.metadata.name ?? '';
    const flags = { dryRun: options.dryRun === true, force: options.force === true };
    const request = this.#record(
      { verb: 'apply', ...partsOf(resource, namespace, name), body: object, ...flags },
      call,
    );
    const existing = this.object(resource, scopeOf(resource, namespace), name);
    if (existing !== undefined) this.#claim(request, object, existing);
    const applied = placed(resource, namespace, name, object);
    return this.#store(request, existing === undefined ? applied : asObject(applyMerge(existing, applied)), existing);
  }

  async patch(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    options: WriteOptions & { subresource?: string },
    call: KubeCall,
  ): Promise<WriteResult> {
    const { subresource } = options;
    const body: Json = patch.type === 'json' ? [...patch.operations] : patch.patch;
    const request = this.#record(
      {
        verb: 'patch',
        ...partsOf(resource, namespace, name),
        body,
        dryRun: options.dryRun === true,
        ...(subresource === undefined ? {} : { subresource }),
      },
      call,
    );
    const existing = this.object(resource, scopeOf(resource, namespace), name);
    if (existing === undefined || (subresource !== undefined && !resource.subresources.includes(subresource))) {
      throw fakeRefusal('KUBERNETES_NOT_FOUND', 'NotFound', `${resource.plural} "${name}" not found`);
    }
    if (subresource === 'scale') {
      const scale = patched(scaleOf(existing), patch);
      const spec = { ...partOf(existing, 'spec'), replicas: partOf(scale, 'spec').replicas ?? 0 };
      const result = this.#store(request, { ...existing, spec }, existing);
      return { ...result, object: scaleOf(result.object) };
    }
    const after = patched(existing, patch);
    return this.#store(
      request,
      subresource === 'status' ? { ...existing, status: after.status ?? {} } : after,
      existing,
    );
  }

  async delete(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
    call: KubeCall,
  ): Promise<'deleted' | 'deleting' | 'absent'> {
    const request = this.#record(
      {
        verb: 'delete',
        ...partsOf(resource, namespace, name),
        body: { ...options },
        dryRun: options.dryRun === true,
      },
      call,
    );
    const existing = this.object(resource, scopeOf(resource, namespace), name);
    if (existing === undefined || (options.uid !== undefined && options.uid !== existing.metadata.uid)) return 'absent';
    if (options.resourceVersion !== undefined && options.resourceVersion !== existing.metadata.resourceVersion) {
      throw fakeRefusal('KUBERNETES_CONFLICT', 'Conflict', `the object "${name}" was changed in the meantime`);
    }
    const { finalizers } = existing.metadata;
    const stays =
      (Array.isArray(finalizers) && finalizers.length > 0) ||
      options.propagation === 'Foreground' ||
      existing.metadata.deletionTimestamp !== undefined;
    if (!request.dryRun) {
      if (stays) this.add(withMetadata(existing, { deletionTimestamp: new Date().toISOString() }));
      else this.remove(resource, scopeOf(resource, namespace), name);
      this.#letReact(request, existing);
    }
    return stays ? 'deleting' : 'deleted';
  }

  /** Refused where a budget that fits the labels of the pod allows no disruption. */
  async evict(
    pods: ApiResource,
    namespace: string | undefined,
    name: string,
    { uid }: Pick<DeleteOptions, 'uid'>,
    call: KubeCall,
  ): Promise<EvictionOutcome> {
    const request = this.#record({ verb: 'evict', ...partsOf(pods, namespace, name) }, call);
    const pod = this.object(pods, namespace, name);
    if (pod === undefined || (uid !== undefined && uid !== pod.metadata.uid)) return { eviction: 'absent' };
    const budget = this.objects.find((object) => {
      const labels = Object.entries(partOf(partOf(partOf(object, 'spec'), 'selector'), 'matchLabels'));
      return (
        object.kind === 'PodDisruptionBudget' &&
        object.metadata.namespace === namespace &&
        partOf(object, 'status').disruptionsAllowed === 0 &&
        labels.every(([label, value]) => pod.metadata.labels?.[label] === value)
      );
    });
    if (budget !== undefined) {
      const message = `The disruption budget ${budget.metadata.name} needs more healthy pods.`;
      return { eviction: 'refused', message };
    }
    this.remove(pods, namespace, name);
    this.#letReact(request, pod);
    return { eviction: 'accepted' };
  }

  async mayI(question: AccessQuestion, call: KubeCall): Promise<{ allowed: boolean; reason: string }> {
    this.#record({ verb: 'mayI', group: question.group, body: { ...question } }, call);
    return this.mayDo(question);
  }

  async whoAmI(call: KubeCall): Promise<{ username: string; groups: string[]; extra: Record<string, string[]> }> {
    this.#record({ verb: 'whoAmI' }, call);
    return structuredClone(this.identity);
  }

  async *watch(resource: ApiResource, options: WatchOptions, call: KubeCall): AsyncGenerator<WatchTurn, void, void> {
    const { relistRequested, ...listOptions } = options;
    this.#record({ verb: 'watch', ...partsOf(resource, options.namespace), body: { ...listOptions } }, call);
    const stream = new FakeStream(resource.group, resource.kind);
    this.#streams.add(stream);
    const typeKey = `${resource.group}|${resource.kind}`;
    stream.push(...(this.#pushed.get(typeKey) ?? []));
    this.#pushed.delete(typeKey);
    const ended = AbortSignal.any([call.signal, stream.end.signal]);
    try {
      yield* this.#listed(resource, options);
      let relist = relistRequested?.(ended);
      for (;;) {
        const next = await stream.next(ended, relist);
        if (next === 'ended') return;
        if (next === 'relist') {
          yield* this.#listed(resource, options);
          relist = relistRequested?.(ended);
          continue;
        }
        if (next instanceof ControlError) throw next;
        yield next;
      }
    } finally {
      this.#streams.delete(stream);
      stream.end.abort();
    }
  }

  *#listed(resource: ApiResource, options: ListOptions): Generator<WatchTurn> {
    const askedAt = new Date();
    for (const objects of this.#pages(resource, options)) yield { turn: 'page', objects, askedAt };
    yield { turn: 'listed', askedAt };
  }

  *#pages(resource: ApiResource, options: ListOptions): Generator<KubernetesObject[]> {
    const limit = options.limit ?? 500;
    const items = this.objects
      .filter((object) => {
        const { group } = typeOf(object);
        return (
          group === resource.group &&
          object.kind === resource.kind &&
          (options.namespace === undefined ||
            !resource.namespaced ||
            object.metadata.namespace === options.namespace) &&
          fitsSelector(options.labelSelector, (path) => object.metadata.labels?.[path]) &&
          fitsSelector(options.fieldSelector, (path) => textAt(object, path))
        );
      })
      .sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
    for (let at = 0; at === 0 || at < items.length; at += limit) yield items.slice(at, at + limit);
  }

  #record(
    parts: Omit<FakeKubeRequest, 'clusterUid' | 'correlationId' | 'dryRun' | 'force'> & {
      dryRun?: boolean;
      force?: boolean;
    },
    call: KubeCall,
  ): FakeKubeRequest {
    call.signal.throwIfAborted();
    const request: FakeKubeRequest = {
      dryRun: false,
      force: false,
      ...structuredClone(parts),
      clusterUid: this.clusterUid,
      correlationId: call.correlationId,
    };
    this.requests.push(request);
    const refusal = this.#refusals.find(({ matches }) => matches(request));
    if (refusal !== undefined) {
      if (refusal.once) this.#refusals = this.#refusals.filter((rule) => rule !== refusal);
      throw refusal.effect;
    }
    return request;
  }

  /** @throws ControlError KUBERNETES_CONFLICT as a server words it. */
  #claim(request: FakeKubeRequest, object: KubernetesManifest, existing: KubernetesObject): void {
    const conflicts = this.#conflicts.filter(({ matches, effect }) => {
      const wanted = valueAt(object, effect.field);
      const present = valueAt(existing, effect.field);
      return matches(request) && wanted !== undefined && !sameJson(wanted, present);
    });
    if (conflicts.length === 0) return;
    if (!request.force) {
      const violations = conflicts.map(({ effect: { manager, field } }) => ({
        path: field,
        message: `conflict with "${manager}"`,
        code: 'FieldManagerConflict',
      }));
      throw new ControlError('KUBERNETES_CONFLICT', `Apply failed with ${violations.length} conflicts`, {
        externalCode: 'Conflict',
        violations,
      });
    }
    if (!request.dryRun) this.#conflicts = this.#conflicts.filter((rule) => !conflicts.includes(rule));
  }

  #store(request: FakeKubeRequest, object: KubernetesObject, existing: KubernetesObject | undefined): WriteResult {
    const warnings = this.#warnings.filter(({ matches }) => matches(request)).map(({ effect }) => effect);
    const result: WriteResult = {
      object: this.#completed(structuredClone(object), existing),
      outcome: existing === undefined ? 'created' : 'changed',
      warnings,
    };
    if (!request.dryRun) {
      this.#objects.set(keyOf(result.object), structuredClone(result.object));
      this.#letReact(request, result.object);
    }
    return result;
  }

  #letReact(request: FakeKubeRequest, object: KubernetesObject): void {
    for (const { matches, effect } of this.#reactions) if (matches(request)) effect(structuredClone(object), this);
  }

  /** What a server adds: uid, creation, and a generation that grows with the specification only. */
  #completed(object: KubernetesObject, existing: KubernetesObject | undefined): KubernetesObject {
    if (existing !== undefined && sameJson(object, existing)) return object;
    const generation = existing?.metadata.generation ?? object.metadata.generation ?? 1;
    const changed = existing !== undefined && !sameJson(object.spec ?? null, existing.spec ?? null);
    return withMetadata(object, {
      uid: object.metadata.uid ?? existing?.metadata.uid ?? randomUUID(),
      creationTimestamp: object.metadata.creationTimestamp ?? new Date().toISOString(),
      generation: changed ? generation + 1 : generation,
      resourceVersion: String(++this.#resourceVersion),
    });
  }
}

/** What one watch is still to tell. */
class FakeStream {
  readonly end = new AbortController();
  readonly #turns: (WatchTurn | ControlError)[] = [];
  #wake: (() => void) | undefined;

  constructor(
    readonly group: string,
    readonly kind: string,
  ) {}

  push(...turns: (WatchTurn | ControlError)[]): void {
    this.#turns.push(...turns);
    this.#wake?.();
  }

  async next(
    signal: AbortSignal,
    relist: Promise<void> | undefined,
  ): Promise<WatchTurn | ControlError | 'relist' | 'ended'> {
    const isOver = (): boolean => signal.aborted;
    for (;;) {
      if (isOver()) return 'ended';
      const turn = this.#turns.shift();
      if (turn !== undefined) return turn;
      const { promise, resolve } = Promise.withResolvers<'woken'>();
      const wake = (): void => {
        resolve('woken');
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      // One that ends because the watch does says nothing.
      const asked = relist?.then(
        () => 'relist' as const,
        (error: unknown) => {
          if (signal.aborted) return 'woken' as const;
          throw error;
        },
      );
      const outcome = await Promise.race(asked === undefined ? [promise] : [promise, asked]);
      signal.removeEventListener('abort', wake);
      // It may also resolve because the watch ends.
      if (outcome === 'relist' && !isOver()) return 'relist';
    }
  }
}

/** A refusal as the transport would word it. */
export function fakeRefusal(code: ControlError['code'], reason: string, message: string): ControlError {
  return new ControlError(code, message, { externalCode: reason });
}

/** A type with the verbs of every ordinary one. */
export function apiResource(
  apiVersion: string,
  kind: string,
  plural: string,
  options: { namespaced?: boolean; subresources?: readonly string[] } = {},
): ApiResource {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return {
    group,
    version,
    kind,
    plural,
    namespaced: options.namespaced ?? true,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: options.subresources ?? [],
  };
}

const STATUS = { subresources: ['status'] };
const SCALED = { subresources: ['scale', 'status'] };
const OF_CLUSTER = { namespaced: false, subresources: ['status'] };

export const DEFAULT_API_RESOURCES: readonly ApiResource[] = [
  apiResource('v1', 'ConfigMap', 'configmaps'),
  apiResource('v1', 'Event', 'events'),
  apiResource('v1', 'Namespace', 'namespaces', OF_CLUSTER),
  apiResource('v1', 'Node', 'nodes', OF_CLUSTER),
  apiResource('v1', 'PersistentVolume', 'persistentvolumes', OF_CLUSTER),
  apiResource('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', STATUS),
  apiResource('v1', 'Pod', 'pods', { subresources: ['eviction', 'log', 'status'] }),
  apiResource('v1', 'Secret', 'secrets'),
  apiResource('v1', 'Service', 'services', STATUS),
  apiResource('v1', 'ServiceAccount', 'serviceaccounts', { subresources: ['token'] }),
  apiResource('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  apiResource('apps/v1', 'DaemonSet', 'daemonsets', STATUS),
  apiResource('apps/v1', 'Deployment', 'deployments', SCALED),
  apiResource('apps/v1', 'ReplicaSet', 'replicasets', SCALED),
  apiResource('apps/v1', 'StatefulSet', 'statefulsets', SCALED),
  apiResource('batch/v1', 'CronJob', 'cronjobs', STATUS),
  apiResource('batch/v1', 'Job', 'jobs', STATUS),
  apiResource('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', STATUS),
  apiResource('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', STATUS),
  apiResource('networking.k8s.io/v1', 'Ingress', 'ingresses', STATUS),
  apiResource('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  apiResource('storage.k8s.io/v1', 'StorageClass', 'storageclasses', { namespaced: false }),
  apiResource('storage.k8s.io/v1', 'CSIDriver', 'csidrivers', { namespaced: false }),
  apiResource('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', { namespaced: false }),
  apiResource('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', { namespaced: false }),
  apiResource('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  apiResource('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  apiResource('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', OF_CLUSTER),
  apiResource('cluster.kubernetes-fleet.io/v1', 'MemberCluster', 'memberclusters', OF_CLUSTER),
  apiResource('cluster.kubernetes-fleet.io/v1', 'InternalMemberCluster', 'internalmemberclusters', STATUS),
  apiResource('placement.kubernetes-fleet.io/v1', 'ClusterResourcePlacement', 'clusterresourceplacements', OF_CLUSTER),
  apiResource('placement.kubernetes-fleet.io/v1', 'ResourcePlacement', 'resourceplacements', STATUS),
  apiResource('placement.kubernetes-fleet.io/v1', 'ClusterResourceBinding', 'clusterresourcebindings', OF_CLUSTER),
  apiResource('placement.kubernetes-fleet.io/v1', 'ClusterResourceSnapshot', 'clusterresourcesnapshots', OF_CLUSTER),
  apiResource('placement.kubernetes-fleet.io/v1', 'ClusterResourceOverride', 'clusterresourceoverrides', OF_CLUSTER),
  apiResource('placement.kubernetes-fleet.io/v1', 'ResourceOverride', 'resourceoverrides'),
  apiResource('placement.kubernetes-fleet.io/v1', 'Work', 'works', STATUS),
  apiResource('networking.fleet.azure.com/v1alpha1', 'ServiceExport', 'serviceexports', STATUS),
  apiResource('networking.fleet.azure.com/v1alpha1', 'ServiceImport', 'serviceimports', STATUS),
  apiResource('networking.fleet.azure.com/v1alpha1', 'MultiClusterService', 'multiclusterservices', STATUS),
];

function predicate(matcher: FakeKubeMatcher): (request: FakeKubeRequest) => boolean {
  if (typeof matcher === 'function') return matcher;
  const wanted = Object.entries(matcher);
  return (request) => {
    const seen: Record<string, unknown> = { ...request };
    return wanted.every(([name, value]) => (isStructure(value) ? sameJson(value, seen[name]) : seen[name] === value));
  };
}

function isStructure(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function sameJson(left: unknown, right: unknown): boolean {
  if (left === undefined || right === undefined) return left === right;
  return canonicalJson(left) === canonicalJson(right);
}

function key(group: string, kind: string, namespace: string | undefined, name: string): string {
  return [group, kind, namespace ?? '', name].join('|');
}

function keyOf(object: KubernetesObject): string {
  const { group, kind } = typeOf(object);
  return key(group, kind, object.metadata.namespace, object.metadata.name);
}

function typeOf(object: KubernetesObject): FakeType {
  const slash = object.apiVersion.indexOf('/');
  return { group: slash < 0 ? '' : object.apiVersion.slice(0, slash), kind: object.kind };
}

function partsOf(
  resource: ApiResource,
  namespace: string | undefined,
  name?: string,
): { group: string; kind: string; namespace?: string; name?: string } {
  const scope = scopeOf(resource, namespace);
  return {
    group: resource.group,
    kind: resource.kind,
    ...(scope === undefined ? {} : { namespace: scope }),
    ...(name === undefined ? {} : { name }),
  };
}

function scopeOf(resource: ApiResource, namespace: string | undefined): string | undefined {
  return resource.namespaced ? namespace : undefined;
}

function placed(
  resource: ApiResource,
  namespace: string | undefined,
  name: string,
  object: KubernetesManifest,
): KubernetesObject {
  const scope = scopeOf(resource, namespace);
  const { generateName: _prefix, ...metadata } = object.metadata;
  return asObject({ ...object, metadata: { ...metadata, name, ...(scope === undefined ? {} : { namespace: scope }) } });
}

function withMetadata(object: KubernetesObject, metadata: JsonObject): KubernetesObject {
  return asObject({ ...object, metadata: { ...object.metadata, ...metadata } });
}

function asObject(value: Json): KubernetesObject {
  return value as KubernetesObject;
}

function partOf(object: JsonObject, part: string): JsonObject {
  const value = object[part];
  return isJsonObject(value) ? value : {};
}

function scaleOf(object: KubernetesObject): KubernetesObject {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const metadata = { name, namespace, uid, resourceVersion };
  return asObject({
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as JsonObject,
    spec: { replicas: partOf(object, 'spec').replicas ?? 0 },
    status: { replicas: partOf(object, 'status').replicas ?? 0 },
  });
}

/** Objects deep, the items of lists by their `name` where they have one, and everything else taken over. */
function applyMerge(before: Json | undefined, after: Json): Json {
  if (isJsonObject(before) && isJsonObject(after)) {
    const merged: JsonObject = { ...before };
    for (const [name, value] of Object.entries(after)) merged[name] = applyMerge(before[name], value);
    return merged;
  }
  if (Array.isArray(before) && Array.isArray(after) && [...before, ...after].every(isNamed)) {
    const known = new Map(before.map((item) => [nameOf(item), item]));
    for (const item of after) known.set(nameOf(item), applyMerge(known.get(nameOf(item)), item));
    return [...known.values()];
  }
  return structuredClone(after);
}

function isNamed(item: Json): boolean {
  return nameOf(item) !== undefined;
}

function nameOf(item: Json): string | undefined {
  return isJsonObject(item) && typeof item.name === 'string' ? item.name : undefined;
}

function patched(object: KubernetesObject, patch: Patch): KubernetesObject {
  switch (patch.type) {
    case 'merge':
      return asObject(mergePatched(object, patch.patch));
    case 'strategic':
      return asObject(withoutNulls(applyMerge(object, patch.patch)));
    case 'json':
      return asObject(patch.operations.reduce<Json>(jsonPatched, structuredClone<Json>(object)));
  }
}

/** RFC 7386. */
function mergePatched(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    // The name comes out of a patch, as a server takes it.
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
    if (value === null) delete merged[name];
    else merged[name] = mergePatched(merged[name], value);
  }
  return merged;
}

function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== null)
      .map(([name, part]) => [name, withoutNulls(part)]),
  );
}

/** RFC 6902: `add`, `replace`, `remove` and `test`. */
function jsonPatched(document: Json, operation: JsonObject): Json {
  const path = typeof operation.path === 'string' ? operation.path : '';
  const steps = path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = steps.pop() ?? '';
  const holder = steps.reduce<Json | undefined>((value, step) => stepInto(value, step), document);
  const rejected = (): never => {
    throw fakeRefusal('KUBERNETES_REJECTED', 'Invalid', `the patch does not fit at ${path}`);
  };
  if (!isJsonObject(holder) && !Array.isArray(holder)) return rejected();
  const present = stepInto(holder, last);
  const value = operation.value ?? null;
  switch (operation.op) {
    case 'test':
      return sameJson(present, value) ? document : rejected();
    case 'add':
      if (!Array.isArray(holder)) holder[last] = value;
      else holder.splice(last === '-' ? holder.length : Number(last), 0, value);
      return document;
    case 'replace':
      if (present === undefined) return rejected();
      if (Array.isArray(holder)) holder[Number(last)] = value;
      else holder[last] = value;
      return document;
    case 'remove':
      if (present === undefined) return rejected();
      if (Array.isArray(holder)) holder.splice(Number(last), 1);
      // As above.
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      else delete holder[last];
      return document;
    default:
      throw new TypeError(`The fake does not know the operation ${JSON.stringify(operation.op)} of a JSON patch`);
  }
}

function stepInto(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return value[Number(step)];
  return isJsonObject(value) ? value[step] : undefined;
}

/** `.spec.template.spec.containers[name="web"].image`, as a server names fields. */
function valueAt(object: JsonObject, field: string): Json | undefined {
  const steps = field.match(/\.[^.[\]]+|\[[^\]]*\]/g) ?? [];
  return steps.reduce<Json | undefined>((value, step) => {
    const [, name, wanted] = /^\[(\w+)="?([^"\]]*)"?\]$/.exec(step) ?? [];
    if (name === undefined) return stepInto(value, step.slice(1));
    return Array.isArray(value)
      ? value.find((item) => isJsonObject(item) && canonicalJson(item[name]).replace(/^"(.*)"$/, '$1') === wanted)
      : undefined;
  }, object);
}

function textAt(object: JsonObject, path: string): string | undefined {
  const value = valueAt(object, `.${path}`);
  return typeof value === 'string' ? value : undefined;
}

/** `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b, c)`, `a`, `!a`, and all of them together. */
function fitsSelector(selector: string | undefined, read: (path: string) => string | undefined): boolean {
  const requirements = selector?.match(/[^,(]+(\([^)]*\))?/g) ?? [];
  return requirements.every((requirement) => {
    const [, path = '', negated, values = ''] =
      /^\s*([^\s!=]+)\s+(not)?in\s+\(([^)]*)\)\s*$/.exec(requirement) ??
      /^\s*([^\s!=]+)\s*(!)?==?\s*(\S*)\s*$/.exec(requirement) ??
      [];
    if (path !== '') {
      const isOne = values
        .split(',')
        .map((value) => value.trim())
        .includes(read(path) ?? '');
      return isOne === (negated === undefined);
    }
    const bare = requirement.trim();
    return bare.startsWith('!') ? read(bare.slice(1)) === undefined : read(bare) !== undefined;
  });
}
