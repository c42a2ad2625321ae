import { z } from 'zod';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from './cluster-access.js';
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
} from './cluster-client.js';
import type { WireAnswer } from './cluster-connection.client.js';
import type { ClusterRequest, ClusterTransport } from './cluster-transport.js';
import { Discovery, DISCOVERY_ACCEPT } from './discovery.js';
import { applyKnownFields } from './known-fields.js';
import type { KubeOptions } from './kube.options.js';
import { parseStatus, saysAbsent, saysBudget } from './kubernetes-error.classifier.js';
import type { ApiResource, KubernetesManifest, KubernetesObject } from './kubernetes-object.js';
import { kubernetesPath, shownTarget } from './kubernetes-path.js';
import { ListWatch } from './list-watch.js';
import type { RequestGate } from './request-gate.js';
import { warningsOf } from './warning-header.js';
import { watchEvents } from './watch-lines.js';

/** Under this name the fields that we set are ours. */
const FIELD_MANAGER = 'pilothouse';
/** How often one list begins anew because its continue token has expired. */
const MOST_RESTARTS = 3;

/** It is stored and shown, whoever the server is. */
const versionText = z.string().max(100);
const versionSchema = z.object({ gitVersion: versionText, platform: versionText });
const accessSchema = z.object({
  status: z.object({
    allowed: z.boolean(),
    denied: z.boolean().optional(),
    reason: z.string().optional(),
    evaluationError: z.string().optional(),
  }),
});
const identitySchema = z.object({
  status: z.object({
    userInfo: z.object({
      username: z.string().default(''),
      groups: z.array(z.string()).default([]),
      extra: z.record(z.string(), z.array(z.string())).default({}),
    }),
  }),
});

export interface HttpClusterClientOptions {
  clusterUid: string;
  transport: ClusterTransport;
  /** Let through the pages of watched lists, of all clusters. */
  pages: RequestGate;
  options: KubeOptions;
  clock: Clock;
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** One API server in raw JSON: no field is lost that we do not know. */
export class HttpClusterClient implements ClusterClient {
  readonly clusterUid: string;
  readonly #transport: ClusterTransport;
  readonly #discovery: Discovery;

  constructor(private readonly parts: HttpClusterClientOptions) {
    this.clusterUid = parts.clusterUid;
    this.#transport = parts.transport;
    this.#discovery = new Discovery({
      read: (path, call) => this.#readDiscovery(path, call),
      clock: parts.clock,
      options: parts.options,
    });
  }

  async version(call: KubeCall): Promise<{ gitVersion: string; platform: string }> {
    return this.#understood(versionSchema, { method: 'GET', path: '/version', action: 'get version' }, call);
  }

  defaultNamespace(call: KubeCall): Promise<string | null> {
    return this.#transport.defaultNamespace(call);
  }

  findResource(
    type: { group: string; version?: string; kind: string },
    call: KubeCall,
  ): Promise<ApiResource | undefined> {
    return this.#discovery.find(type, call);
  }

  async get(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    call: KubeCall,
  ): Promise<KubernetesObject | undefined> {
    const action = `get ${shownTarget(resource, namespace, name)}`;
    const path = kubernetesPath(resource, namespace, name);
    const answer = await this.#transport.send({ method: 'GET', path, action, repeatable: true }, call);
    if (saysAbsent(answer.status, answer.text, name)) return undefined;
    return this.#object(answer, action);
  }

  list(resource: ApiResource, options: ListOptions, call: KubeCall): AsyncGenerator<ListPage & { restarted: boolean }> {
    return this.#list(resource, options, call, undefined);
  }

  /** @param gate kept from the unpacking of a page until the next one is asked for; the network is not waited for in it. */
  async *#list(
    resource: ApiResource,
    options: ListOptions,
    call: KubeCall,
    gate: RequestGate | undefined,
  ): AsyncGenerator<ListPage & { restarted: boolean }> {
    const action = `list ${shownTarget(resource, options.namespace)}`;
    const path = kubernetesPath(resource, options.namespace);
    let token: string | undefined;
    let restarts = 0;
    let restarted = false;
    for (;;) {
      const query = {
        ...selection(options),
        limit: String(options.limit ?? this.parts.options.pageSize),
        continue: token,
      };
      const request: ClusterRequest = { method: 'GET', path: path + queryOf(query), action, repeatable: true };
      const answer = await this.#transport.send(request, call);
      if (answer.status === 410 && token !== undefined && restarts < MOST_RESTARTS) {
        restarts++;
        restarted = true;
        token = undefined;
        continue;
      }
      const leave = await gate?.enter(call.signal);
      let next: Json | undefined;
      try {
        const body = this.#json(answer, action);
        const metadata = isJsonObject(body.metadata) ? body.metadata : {};
        if (!Array.isArray(body.items) && body.items !== null) throw unexpected(action, 'it holds no list');
        next = metadata.continue;
        yield {
          items: (body.items ?? []).map((item) => completed(item, resource, action)),
          resourceVersion: typeof metadata.resourceVersion === 'string' ? metadata.resourceVersion : '',
          restarted,
        };
      } finally {
        leave?.();
      }
      restarted = false;
      if (typeof next !== 'string' || next === '') return;
      if (next === token) throw unexpected(action, 'the list goes round in a circle');
      token = next;
    }
  }

  async create(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: WriteOptions,
    call: KubeCall,
  ): Promise<WriteResult> {
    const action = `create ${shownTarget(resource, namespace, object.metadata.name)}`;
    const path = kubernetesPath(resource, namespace) + writeQuery(options);
    return this.#write(
      { method: 'POST', path, action, ...jsonBody('application/json', object), repeatable: options.dryRun === true },
      call,
    );
  }

  async apply(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: ApplyOptions,
    call: KubeCall,
  ): Promise<WriteResult> {
    const { name } = object.metadata;
    if (name === undefined) {
      throw new ControlError('INVALID_REQUEST', `Only a named object can be applied: the ${resource.kind} has none.`, {
        violations: [{ path: 'metadata.name', message: 'It is missing.' }],
      });
    }
    const action = `apply ${shownTarget(resource, namespace, name)}`;
    const query = writeQuery(options, options.force === true ? { force: 'true' } : {});
    const path = kubernetesPath(resource, namespace, name) + query;
    return applyKnownFields(object, options, (document) => {
      // JSON is YAML.
      const body = jsonBody('application/apply-patch+yaml', document);
      return this.#write({ method: 'PATCH', path, action, ...body, repeatable: true }, call);
    });
  }

  async patch(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    options: WriteOptions & { subresource?: string },
    call: KubeCall,
  ): Promise<WriteResult> {
    const suffix = options.subresource === undefined ? '' : `/${options.subresource}`;
    const action = `patch ${shownTarget(resource, namespace, name)}${suffix}`;
    const path = kubernetesPath(resource, namespace, name, options.subresource) + writeQuery(options);
    return this.#write({ method: 'PATCH', path, action, ...patchBody(patch) }, call);
  }

  async delete(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
    call: KubeCall,
  ): Promise<'deleted' | 'deleting' | 'absent'> {
    const action = `delete ${shownTarget(resource, namespace, name)}`;
    const preconditions = {
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
    };
    const body: JsonObject = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
      ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
      ...(options.dryRun === true ? { dryRun: ['All'] } : {}),
    };
    const path = kubernetesPath(resource, namespace, name);
    const answer = await this.#transport.send(
      { method: 'DELETE', path, action, ...jsonBody('application/json', body), repeatable: options.dryRun === true },
      call,
    );
    if (saysAbsent(answer.status, answer.text, name)) return 'absent';
    if (answer.status === 409 && options.uid !== undefined && isOtherObject(answer.text)) return 'absent';
    return isGoing(this.#json(answer, action), answer.status) ? 'deleting' : 'deleted';
  }

  async evict(
    pods: ApiResource,
    namespace: string | undefined,
    name: string,
    { uid }: Pick<DeleteOptions, 'uid'>,
    call: KubeCall,
  ): Promise<EvictionOutcome> {
    const action = `evict ${shownTarget(pods, namespace, name)}`;
    const body: JsonObject = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      ...(uid === undefined ? {} : { deleteOptions: { preconditions: { uid } } }),
    };
    const path = kubernetesPath(pods, namespace, name, 'eviction');
    const request = { method: 'POST', path, action, ...jsonBody('application/json', body), repeatable: false } as const;
    const answer = await this.#transport.send(request, call);
    if (saysAbsent(answer.status, answer.text, name)) return { eviction: 'absent' };
    if (answer.status === 409 && uid !== undefined && isOtherObject(answer.text)) return { eviction: 'absent' };
    if (saysBudget(answer.status, answer.text)) {
      return { eviction: 'refused', message: this.#transport.refusal(answer, action).message };
    }
    this.#json(answer, action);
    return { eviction: 'accepted' };
  }

  async mayI(question: AccessQuestion, call: KubeCall): Promise<{ allowed: boolean; reason: string }> {
    const { verb, group, resource, ...optional } = question;
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb, group, resource, ...optional } },
    };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const { status } = await this.#understood(
      accessSchema,
      { method: 'POST', path, action: 'review access', ...jsonBody('application/json', review) },
      call,
    );
    return { allowed: status.allowed && status.denied !== true, reason: status.reason ?? status.evaluationError ?? '' };
  }

  async whoAmI(call: KubeCall): Promise<{ username: string; groups: string[]; extra: Record<string, string[]> }> {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const { status } = await this.#understood(
      identitySchema,
      { method: 'POST', path, action: 'review identity', ...jsonBody('application/json', review) },
      call,
    );
    return status.userInfo;
  }

  watch(resource: ApiResource, options: WatchOptions, call: KubeCall): AsyncGenerator<WatchTurn, void, void> {
    const { options: settings, clock, sleep, pages } = this.parts;
    const { relistRequested, ...listOptions } = options;
    const action = `watch ${shownTarget(resource, options.namespace)}`;
    const path = kubernetesPath(resource, options.namespace);
    const open = (query: Record<string, string>, signal: AbortSignal) =>
      this.#transport.open(
        { method: 'GET', path: path + queryOf({ ...selection(options), ...query }), action, repeatable: true },
        { ...call, signal },
      );
    const engine = new ListWatch({
      port: {
        pages: (signal) => this.#list(resource, listOptions, { ...call, signal }, pages),
        events: async function* (resourceVersion, timeoutSeconds, signal) {
          const query = {
            watch: 'true',
            allowWatchBookmarks: 'true',
            resourceVersion,
            timeoutSeconds: String(timeoutSeconds),
          };
          const { chunks } = await open(query, signal);
          yield* watchEvents(chunks, settings.largestAnswerBytes, action);
        },
      },
      clock,
      sleep,
      random: Math.random,
      stallMs: settings.watchStallMs,
      retryBaseMs: settings.retryBaseMs,
      longestPauseMs: settings.longestWatchPauseMs,
      largestBatch: options.limit ?? settings.pageSize,
      action,
      ...(relistRequested === undefined ? {} : { relistRequested }),
    });
    return engine.run(call.signal);
  }

  /** Nothing that is kept is used again. */
  forget(): void {
    this.#discovery.forget();
    this.#transport.forget();
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #readDiscovery(path: string, call: KubeCall): Promise<JsonObject | undefined> {
    const action = `discover ${path}`;
    const answer = await this.#transport.send(
      { method: 'GET', path, action, accept: DISCOVERY_ACCEPT, repeatable: true },
      call,
    );
    if (answer.status === 404) {
      const error = this.#transport.refusal(answer, action);
      // A type that is not served is an answer; a proxy's 404 is none.
      if (error.code === 'KUBERNETES_NOT_FOUND') return undefined;
      throw error;
    }
    return this.#json(answer, action);
  }

  /** Asks for something that changes nothing. */
  async #understood<T>(schema: z.ZodType<T>, request: Omit<ClusterRequest, 'repeatable'>, call: KubeCall): Promise<T> {
    const answer = await this.#transport.send({ ...request, repeatable: true }, call);
    const result = schema.safeParse(this.#json(answer, request.action));
    if (result.success) return result.data;
    throw unexpected(request.action, result.error.issues.map(({ path }) => path.join('.')).join(', '));
  }

  async #write(request: ClusterRequest, call: KubeCall): Promise<WriteResult> {
    const answer = await this.#transport.send(request, call);
    return {
      object: this.#object(answer, request.action),
      outcome: answer.status === 201 ? 'created' : 'changed',
      warnings: warningsOf(answer.headers),
    };
  }

  #object(answer: WireAnswer, action: string): KubernetesObject {
    const body = this.#json(answer, action);
    if (!isObject(body)) throw unexpected(action, 'it is no object of Kubernetes');
    return body;
  }

  /** @throws ControlError for an answer that is no success, and for one that is no JSON object. */
  #json(answer: WireAnswer, action: string): JsonObject {
    if (answer.status < 200 || answer.status > 299) throw this.#transport.refusal(answer, action);
    let body: unknown;
    try {
      body = JSON.parse(answer.text);
    } catch (error) {
      if (!Error.isError(error) || error.name !== 'SyntaxError') throw error;
      throw unexpected(action, answer.text.trim() === '' ? 'it is empty' : 'it is no JSON');
    }
    if (!isJsonObject(body)) throw unexpected(action, 'it is no JSON object');
    return body;
  }
}

function unexpected(action: string, why: string): ControlError {
  return new ControlError('KUBERNETES_UNEXPECTED_ANSWER', `${action}: the answer cannot be understood (${why}).`, {
    remedy: 'Check that a Kubernetes API server answers at this address, and what is in between.',
  });
}

function isObject(value: JsonObject): value is KubernetesObject {
  return (
    typeof value.apiVersion === 'string' &&
    typeof value.kind === 'string' &&
    isJsonObject(value.metadata) &&
    typeof value.metadata.name === 'string'
  );
}

/** Servers leave type and version out of the items of lists of their own types. */
function completed(item: Json, resource: ApiResource, action: string): KubernetesObject {
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const object: JsonObject = isJsonObject(item) ? { apiVersion, kind: resource.kind, ...item } : {};
  if (!isObject(object)) throw unexpected(action, 'an item of the list is no object of Kubernetes');
  return object;
}

function selection(options: ListOptions): Record<string, string | undefined> {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

function queryOf(parameters: Record<string, string | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

function writeQuery(options: WriteOptions, more: Record<string, string> = {}): string {
  return queryOf({
    fieldManager: FIELD_MANAGER,
    fieldValidation: options.fieldValidation ?? 'Strict',
    dryRun: options.dryRun === true ? 'All' : undefined,
    ...more,
  });
}

function jsonBody(contentType: string, body: Json): { contentType: string; body: string } {
  return { contentType, body: JSON.stringify(body) };
}

function patchBody(patch: Patch): { contentType: string; body: string; repeatable: boolean } {
  switch (patch.type) {
    case 'json':
      // An `add` to a list would be done twice, and a `test` fail the second time.
      return { ...jsonBody('application/json-patch+json', [...patch.operations]), repeatable: false };
    case 'merge':
      return { ...jsonBody('application/merge-patch+json', patch.patch), repeatable: !hasPrecondition(patch.patch) };
    case 'strategic':
      return {
        ...jsonBody('application/strategic-merge-patch+json', patch.patch),
        repeatable: !hasPrecondition(patch.patch),
      };
  }
}

/** After a success whose answer was lost, the second one would be refused. */
function hasPrecondition(patch: JsonObject): boolean {
  return isJsonObject(patch.metadata) && patch.metadata.resourceVersion !== undefined;
}

function isOtherObject(text: string): boolean {
  return (parseStatus(text)?.message ?? '').includes('UID in precondition');
}

/** Whether what was to be deleted is still there for a while. */
function isGoing(answer: JsonObject, status: number): boolean {
  if (status === 202) return true;
  const metadata = isJsonObject(answer.metadata) ? answer.metadata : {};
  if (answer.kind === 'Status' || metadata.deletionTimestamp === undefined) return false;
  const hasFinalizers = Array.isArray(metadata.finalizers) && metadata.finalizers.length > 0;
  return hasFinalizers || metadata.deletionGracePeriodSeconds !== 0;
}
