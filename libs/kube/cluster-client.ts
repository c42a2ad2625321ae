import type { JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from './cluster-access.js';
import type { ApiResource, KubernetesManifest, KubernetesObject } from './kubernetes-object.js';

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects on a page; 500 without it. */
  limit?: number;
}

export interface ListPage {
  items: KubernetesObject[];
  /** Of the whole list: where a watch goes on. */
  resourceVersion: string;
}

export interface WriteOptions {
  /** The server checks and answers, and stores nothing. */
  dryRun?: boolean;
  /**
   * Unknown and duplicate fields: `Strict` (ours by default) refuses, `Warn` answers warnings, `Ignore` drops silently. An
   * apply, of which servers refuse unknown fields in any case, is repeated once without them.
   */
  fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

export interface ApplyOptions extends WriteOptions {
  /** Take over fields that another manager owns. */
  force?: boolean;
}

export interface WriteResult {
  object: KubernetesObject;
  /** `created` for HTTP 201. */
  outcome: 'created' | 'changed';
  /** The server's Warning headers. */
  warnings: string[];
}

export interface DeleteOptions {
  propagation?: 'Background' | 'Foreground' | 'Orphan';
  /** Only the very object that was looked at. */
  uid?: string;
  resourceVersion?: string;
  /** What a pod is given to end by itself; 0 takes it out of the cluster at once, whether or not its node has ended it. */
  gracePeriodSeconds?: number;
  dryRun?: boolean;
}

/** What a server says to an eviction. `refused`: a disruption budget forbids it for now; the message says which. */
export type EvictionOutcome =
  { eviction: 'accepted' } | { eviction: 'absent' } | { eviction: 'refused'; message: string };

export type Patch =
  | { type: 'json'; operations: readonly JsonObject[] }
  | { type: 'merge'; patch: JsonObject }
  | { type: 'strategic'; patch: JsonObject };

export interface AccessQuestion {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

/**
 * What a list and the watch after it tell, in order. First come the pages of a list and `listed`; then changes. After the
 * server has forgotten too much (410 Gone) or the list was asked for again, pages and `listed` come once more: whatever was
 * in none of these pages is gone.
 */
export type WatchTurn =
  | { turn: 'page'; objects: KubernetesObject[]; askedAt: Date }
  | { turn: 'listed'; askedAt: Date }
  /** In the order of the server; one object may occur more than once. */
  | { turn: 'changes'; changes: ObjectChange[]; receivedAt: Date }
  /** Nothing changed up to now (a bookmark). */
  | { turn: 'alive'; receivedAt: Date }
  /** The stream is interrupted and is being made again; what was told stands. */
  | { turn: 'interrupted'; problem: Error };

export type ObjectChange = { change: 'put' | 'gone'; object: KubernetesObject };

export interface WatchOptions extends ListOptions {
  /** Asked whether the whole list is to be read again: resolves when somebody wants certainty. */
  relistRequested?: (signal: AbortSignal) => Promise<void>;
}

/**
 * One cluster's API server. All of it: refusals and failures are ControlErrors with KUBERNETES_… codes whose `externalCode`
 * is the server's `reason`; a 429, and a 503 to what may be done twice, is retried within the call as far as its `Retry-After`
 * is short; requests beyond the cluster's limit wait their turn; every call ends with its signal.
 */
export interface ClusterClient {
  readonly clusterUid: string;
  version(call: KubeCall): Promise<{ gitVersion: string; platform: string }>;
  /** What the context of the kubeconfig names as the namespace of whoever names none; null where it does not. Asks no server. */
  defaultNamespace(call: KubeCall): Promise<string | null>;
  /**
   * The resource that serves this kind, in the given version or the one that the server prefers. Discovery is kept for
   * minutes, and asked again before `undefined` is said.
   */
  findResource(
    type: { group: string; version?: string; kind: string },
    call: KubeCall,
  ): Promise<ApiResource | undefined>;
  get(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    call: KubeCall,
  ): Promise<KubernetesObject | undefined>;
  /** Page by page, of one consistent state; a continue token that has expired starts the list anew (`restarted`). */
  list(resource: ApiResource, options: ListOptions, call: KubeCall): AsyncGenerator<ListPage & { restarted: boolean }>;
  create(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: WriteOptions,
    call: KubeCall,
  ): Promise<WriteResult>;
  /** Server-side apply with the field manager `pilothouse`. */
  apply(
    resource: ApiResource,
    namespace: string | undefined,
    object: KubernetesManifest,
    options: ApplyOptions,
    call: KubeCall,
  ): Promise<WriteResult>;
  /** `subresource` such as `scale` or `status`. */
  patch(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    options: WriteOptions & { subresource?: string },
    call: KubeCall,
  ): Promise<WriteResult>;
  /** `deleting`: finalizers or a grace period keep it for now; `absent`: it was not there (or another one is, by uid). */
  delete(
    resource: ApiResource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
    call: KubeCall,
  ): Promise<'deleted' | 'deleting' | 'absent'>;
  /** Deletes a pod as far as disruption budgets allow (policy/v1 Eviction); `absent` as for `delete`. */
  evict(
    pods: ApiResource,
    namespace: string | undefined,
    name: string,
    options: Pick<DeleteOptions, 'uid'>,
    call: KubeCall,
  ): Promise<EvictionOutcome>;
  /** SelfSubjectAccessReview. */
  mayI(question: AccessQuestion, call: KubeCall): Promise<{ allowed: boolean; reason: string }>;
  /** SelfSubjectReview: who the server takes us for. With Entra ID the object id is among `extra` or is the name. */
  whoAmI(call: KubeCall): Promise<{ username: string; groups: string[]; extra: Record<string, string[]> }>;
  /**
   * List, then watch until the signal ends it: resumes from the last resourceVersion, uses bookmarks, relists after 410,
   * backs off with jitter, and takes a connection that has been silent for too long for dead.
   * @throws ControlError where there is no use in going on: unauthenticated, forbidden, no such resource.
   */
  watch(resource: ApiResource, options: WatchOptions, call: KubeCall): AsyncGenerator<WatchTurn, void, void>;
}
