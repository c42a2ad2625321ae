import type { JsonObject } from '#libs/kernel/json.js';

/** The part of `metadata` that the simulator itself reads; everything else is kept as it is. */
export type ObjectMetadata = JsonObject & {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
};

/** A stored object, in the storage version of its kind. Never changed in place: every write makes a new one. */
export type KubernetesObject = JsonObject & { apiVersion: string; kind: string; metadata: ObjectMetadata };

/** What a writer hands over: the server fills in the rest of the metadata. */
export type ObjectDraft = JsonObject & {
  apiVersion: string;
  kind: string;
  metadata: JsonObject & { name?: string; generateName?: string; namespace?: string };
};

/** On whose behalf something is written inside the cluster; the manager is what `managedFields` will name. */
export interface ObjectWriter {
  manager: string;
  /** `system:serviceaccount:kube-system:deployment-controller`: what admission sees as the user. */
  user: string;
}

/** `resource` is written as kubectl does: `pods`, `deployments.apps`, `memberclusters.cluster.kubernetes-fleet.io`. */
export interface ObjectEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  resource: string;
  object: KubernetesObject;
  /** As it was before; undefined for ADDED. */
  previous: KubernetesObject | undefined;
}

/**
 * The objects of one simulated cluster, for code that runs inside the simulator (controllers). Everything is synchronous.
 * Writes go through the same defaulting, validation and admission as requests over HTTP, but not through authorisation.
 * Where a namespaced resource is named, `namespace` is a string; for a cluster-scoped one it is undefined.
 */
export interface ClusterObjects {
  get(resource: string, namespace: string | undefined, name: string): KubernetesObject | undefined;
  /** In the order of namespace and name. Without `namespace` all of them. */
  list(resource: string, namespace?: string): KubernetesObject[];
  /** @throws KubernetesStatusError as the API server would answer it (AlreadyExists, Invalid, Forbidden by admission …). */
  create(draft: ObjectDraft, writer: ObjectWriter): KubernetesObject;
  /**
   * Read, change, write. `change` is given a deep copy that it may change and return; undefined leaves the object alone.
   * A write that changes nothing makes no new resourceVersion and no event.
   * @returns the object as it is afterwards; undefined when there is none.
   */
  update(
    resource: string,
    namespace: string | undefined,
    name: string,
    writer: ObjectWriter,
    change: (object: KubernetesObject) => KubernetesObject | undefined,
  ): KubernetesObject | undefined;
  /** The same for the status subresource: only `status` is taken from what `change` returns. */
  updateStatus(
    resource: string,
    namespace: string | undefined,
    name: string,
    writer: ObjectWriter,
    change: (object: KubernetesObject) => KubernetesObject | undefined,
  ): KubernetesObject | undefined;
  /** Honours finalizers (sets deletionTimestamp) and, where asked, a grace period. Does nothing when it is not there. */
  delete(resource: string, namespace: string | undefined, name: string, writer: ObjectWriter): void;
  /** Called synchronously after each write, in order. @returns how to stop it. */
  subscribe(listener: (event: ObjectEvent) => void): () => void;
}

/** What may refuse or change a write after validation, as a webhook does. */
export interface AdmissionPlugin {
  name: string;
  /** @returns the object to store. @throws KubernetesStatusError to refuse. */
  admit(request: AdmissionRequest): KubernetesObject;
}

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  resource: string;
  subresource: string | undefined;
  object: KubernetesObject;
  previous: KubernetesObject | undefined;
  user: { name: string; groups: readonly string[] };
}

/** Who calls, as authentication found out. */
export interface ClusterUser {
  name: string;
  groups: readonly string[];
}

/** What somebody wants to do, as authorisation sees it. */
export interface AccessAttributes {
  verb: string;
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** For requests that are not about objects (`/version`): their path. */
  nonResourcePath: string | undefined;
}

export type AccessDecision = { allowed: true; reason: string } | { allowed: false; reason: string };

/** How a cluster knows its callers: given by whoever makes the cluster. */
export interface ClusterSecurity {
  /** undefined: the token is not known here, which is a 401. Called with undefined for a request without a token. */
  authenticate(token: string | undefined): ClusterUser | undefined;
  /**
   * Asked when the cluster's own RBAC objects do not allow it (Azure RBAC works so). The reason of a refusal is appended to
   * the message, as with a real authorisation webhook. undefined: this cluster has no such authoriser.
   */
  authorize?(user: ClusterUser, attributes: AccessAttributes): AccessDecision;
}

/** One simulated cluster: what the HTTP server serves and the controllers work on. */
export interface SimulatedCluster {
  /** Unique and stable: the canonical ARM id of the managed cluster or fleet, or a name. */
  readonly key: string;
  readonly objects: ClusterObjects;
  /** Serve these custom resources from now on (CustomResourceDefinition objects are stored like any other). */
  installDefinitions(definitions: readonly JsonObject[]): void;
  addAdmission(plugin: AdmissionPlugin): void;
  /** An unreachable API server drops connections; a slow one answers late. */
  setAvailability(availability: ClusterAvailability): void;
  /** Drops the connections of all running watches. */
  dropWatches(): void;
  /** Forgets history, so that watches from before now answer 410 Gone. */
  compact(): void;
  snapshot(): JsonObject;
  restore(snapshot: JsonObject): void;
  close(): void;
}

export type ClusterAvailability = { state: 'up' } | { state: 'slow'; delayMs: number } | { state: 'down' };
