import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmError, ArmErrorBody, ErrorShape } from './arm-error.js';
import type { AccessAttributes, ClusterObjects } from './kubernetes/cluster.objects.js';
import type { LongRunningOperation } from './long-running-operation.store.js';
import type { StoredResource } from './resource.store.js';

/** What a descriptor may ask about the rest of the simulated Azure. */
export interface ResourceWorld {
  readonly tenantId: string;
  get(id: ArmId | string): StoredResource | undefined;
  children(key: string, type: string): StoredResource[];
  /** Resources of a type whose body points at the key (see `references`). */
  referring(type: string, key: string): StoredResource[];
  ofSubscription(type: string, subscriptionId: string): StoredResource[];
  /** The limit of virtual CPUs; undefined when nobody set one. */
  coreQuota(subscriptionId: string, location: string): number | undefined;
  /** Whether the directory knows a user, group or service principal. */
  principalExists(objectId: string): boolean;
  /**
   * The authority behind the certificates of the simulated API servers, as PEM.
   * @throws TypeError before it was made.
   */
  certificateAuthority(): string;
  /** A cluster as resource providers reach it through its agents; undefined when there is none, or it is out of reach. */
  cluster(key: string): ReachedCluster | undefined;
  /** How many container groups a region of a subscription may have (a setting). */
  containerGroupLimit(): number;
  /** How many cores these may have together (a setting). */
  containerCoreLimit(): number;
  /** Whether subscriptions may have machines of a size. */
  offersMachines(vmSize: string): boolean;
  /** Whether Container Instances are offered in the region, named in lower case without spaces (a setting). */
  offersContainerInstances(location: string): boolean;
  /** Extension types that cannot be installed any more (a setting). */
  retiredExtensionTypes(): readonly string[];
}

/** A simulated cluster, for what Azure itself does inside of clusters. */
export interface ReachedCluster {
  readonly objects: ClusterObjects;
  /** The API server's refusal in its own words when the cluster does not let a user of that name do this. */
  refusal(user: string, attributes: AccessAttributes): string | undefined;
}

/** One resource that a write puts in place at once, in a state that is not final. */
export interface PlannedWrite {
  id: ArmId;
  /** Without provisioningState. */
  body: JsonObject;
  /** The provisioningState while the operation runs. */
  state: string;
}

/** A resource group that Azure makes for a resource. */
export interface PlannedGroup {
  name: string;
  location: string;
  /** The id of the resource that the group serves. */
  managedBy: string;
  /** Named, when callers may not write in it. */
  denyAssignment?: string;
}

/**
 * What a write does, as data: the operation that carries it can be saved to disk and finished after a restart. The
 * first write is the target.
 */
export interface WritePlan {
  writes: [PlannedWrite, ...PlannedWrite[]];
  groups?: PlannedGroup[];
  /** Go away with everything below them when the operation succeeds; until then they are in the state given. */
  removes?: { id: ArmId; state: string }[];
  /** Merged into the resource's body when the operation succeeds. */
  merges?: { id: ArmId; patch: JsonObject }[];
  /** The provisioningState after success; `Succeeded` unless said otherwise. */
  finalState?: string;
  /** The operation is accepted, and will fail with this. */
  fails?: ArmErrorBody;
  /** Operations in flight on the same resources that this one ends. */
  preempts?: Preemption;
  /** What an action has to show at its end. */
  output?: JsonObject;
  /** The operation only looks: the resource stays as it is, whatever else is done to it meanwhile. */
  untouched?: true;
}

/** How operations end that another one takes the place of; `Canceled` without a status. */
export interface Preemption {
  error: ArmErrorBody;
  status?: 'Canceled' | 'Failed';
}

/** An operation that a resource which goes on by itself has begun elsewhere. */
export interface ProcessOperation {
  /** Decided by the resource, which keeps it to ask for the outcome. */
  id: string;
  plan: WritePlan;
}

/** What has become of a resource that goes on by itself. */
export interface ProcessStep {
  /** Undefined where nothing has changed. */
  body: JsonObject | undefined;
  begins: ProcessOperation[];
}

export interface ProcessMoment {
  /** Milliseconds since the epoch. */
  at: number;
  world: ResourceWorld;
  operation(id: string): LongRunningOperation | undefined;
}

/** For types whose resources go on by themselves, through operations on other resources. */
export interface ResourceProcess {
  isLive(body: JsonObject): boolean;
  /** The first moment after the one given at which the resource moves without anything else having happened. */
  wakesAt(resource: StoredResource, after: number, world: ResourceWorld): number | undefined;
  step(resource: StoredResource, moment: ProcessMoment): ProcessStep;
  /** Who begins its operations: goes into systemData. */
  readonly actor: string;
}

export interface WriteRequest {
  id: ArmId;
  /** The body as sent, without the members that only Azure writes. */
  requested: JsonObject;
  existing: StoredResource | undefined;
  apiVersion: string;
  world: ResourceWorld;
}

/** How a verb answers at first: the status, whether the body is the resource, and which poll URLs it names. */
export interface OperationProtocol {
  status: number | 'created-or-ok';
  body: 'resource' | 'empty' | 'null';
  asyncOperation: boolean;
  location: boolean;
  /** Sent with the first answer and with every poll that says "not yet"; left out where Azure leaves it out. */
  retryAfterSeconds?: number;
  /** The write is done when it is answered: no operation, and no provisioningState of the request's own making. */
  immediate?: true;
}

export interface ActionRequest {
  resource: StoredResource;
  id: ArmId;
  /** Milliseconds since the epoch. */
  at: number;
  /** Undefined when no body came. */
  requested: JsonObject | undefined;
  query: ReadonlyMap<string, string>;
  world: ResourceWorld;
  /** Scheme and host under which the caller reached the simulator. */
  baseUrl: string;
}

/** A POST below a resource either answers at once or starts an operation. */
export type ActionOutcome =
  | { kind: 'answer'; status: number; body?: JsonObject }
  | { kind: 'operation'; plan: WritePlan; protocol: OperationProtocol };

/** Everything that is particular to one resource type. The rest of the simulator knows no type by name. */
export interface ResourceTypeDescriptor {
  /** `Microsoft.ContainerService/fleets/members`, in Azure's own casing. */
  readonly type: string;
  /** Where the casing of `type` in answers differs. */
  readonly wireType?: string;
  /** Some providers write `resourcegroups` in ids. */
  readonly lowerCaseGroupSegment?: boolean;
  /** Oldest first; the last is the default. */
  readonly apiVersions: readonly string[];
  readonly tracked: boolean;
  /** The table of Resource Graph, when the type is in one. */
  readonly graphTable?: string;
  readonly errorShape: ErrorShape;
  /** Members that callers may send beside id, name, type, location, tags and properties. */
  readonly members: readonly string[];
  /** Dotted paths that only Azure writes: ignored when sent, kept when absent. */
  readonly readOnly: readonly string[];
  /** Dotted paths that `present` makes from other resources: they are never stored. */
  readonly derived?: readonly string[];
  /** Dotted paths that older API versions do not show. */
  readonly versioned?: readonly { path: string; since: string }[];
  /** Where the eTag stands, if the type has one, and how it is written. */
  readonly etag?: {
    at: 'top' | 'properties';
    /** `eTag` without it. */
    member?: 'etag';
    format(resource: StoredResource): string;
    /** The refusal of a precondition that does not hold; without it the provider looks at none. */
    mismatch?(): ArmError;
  };
  /** Some providers say nothing about who made a resource and when. */
  readonly hidesSystemData?: true;
  /**
   * Where polls go: `signed` is a URL of 4 to 6 kB below the subscription's locations; `provider-hub` one named
   * `operationStatuses/{guid}*{hash}`, the same in both headers; `operations-status` one below the provider's locations;
   * `child` a child of the resource itself, with a `Location` that names the provider's own host. `signed` without it.
   */
  readonly polling?: 'signed' | 'provider-hub' | 'operations-status' | 'child';
  /** Headers of every answer that shows one resource of the type. */
  headers?(resource: StoredResource): Record<string, string>;
  readonly protocols: { put: OperationProtocol; patch: OperationProtocol; delete: OperationProtocol };
  /** The resource records the id of its last operation (and its error) in `properties.status`. */
  readonly recordsLastOperation: boolean;
  /** For types whose lists reach beyond the scope that the path names: which of the subscription's resources one shows. */
  readonly listing?: (scope: string, filter: string | undefined) => (resource: StoredResource) => boolean;
  /** Types whose rendered body holds resources of this type, so that a change here is a change there. */
  readonly shownInParent?: boolean;
  /** Keys of further resources whose rendered bodies depend on this one. */
  shownElsewhere?(body: JsonObject): string[];
  /** In lower case. */
  readonly actions: ReadonlyMap<string, (request: ActionRequest) => ActionOutcome>;
  readonly process?: ResourceProcess;
  /** Types that are never stored: what a read shows is made from other resources, and nothing can be written. */
  derive?(id: ArmId, world: ResourceWorld): JsonObject | undefined;
  /** In poll bodies of a running operation, as the AKS provider does; a client must not take it for a failure. */
  readonly runningNotice?: ArmErrorBody;

  validateName(name: string): void;
  planPut(request: WriteRequest): WritePlan;
  planPatch(request: WriteRequest & { existing: StoredResource }): WritePlan;
  /** @param query of the request; empty where a resource goes with another. */
  planDelete(resource: StoredResource, id: ArmId, world: ResourceWorld, query: ReadonlyMap<string, string>): WritePlan;
  /** A deletion that is done at once where the query asks for it: what is answered then. */
  deleteNow?(query: ReadonlyMap<string, string>): JsonObject | undefined;
  /**
   * The refusal while another operation runs on the same family of resources; undefined where both may run. The intent
   * is `put`, `patch`, `delete`, or the name of a POST action in lower case.
   */
  conflict(target: ArmId, intent: string, running: LongRunningOperation): ArmError | undefined;
  /** Turns what is stored into what is shown (derived members, inline children). */
  present?(resource: StoredResource, world: ResourceWorld): JsonObject;
  references?(body: JsonObject): string[];
  /** Ids of resources and groups that go when this resource goes, its children apart. */
  dependents?(resource: StoredResource, world: ResourceWorld): ArmId[];
  /** The properties after a failed operation, beside the provisioningState. */
  failed?(properties: JsonObject, error: ArmErrorBody): JsonObject;
}
