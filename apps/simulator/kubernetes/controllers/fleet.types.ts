import type { JsonObject } from '#libs/kernel/json.js';
import type { Condition, LabelSelector, ServicePort, Taint, Toleration, TypedObject } from './kubernetes.types.js';

export interface MemberCluster extends TypedObject {
  spec: {
    identity: { kind: string; name: string; apiGroup?: string };
    heartbeatPeriodSeconds?: number;
    taints?: Taint[];
  };
  status?: {
    conditions?: Condition[];
    properties?: Record<string, { value: string; observationTime: string }>;
    resourceUsage?: JsonObject;
    agentStatus?: { type: string; conditions: Condition[]; lastReceivedHeartbeat?: string }[];
  };
}

export interface ResourceSelector {
  group: string;
  version: string;
  kind: string;
  name?: string;
  labelSelector?: LabelSelector;
  selectionScope?: 'NamespaceOnly' | 'NamespaceWithResources' | 'NamespaceWithResourceSelectors';
}

export interface PropertyRequirement {
  name: string;
  operator: 'Gt' | 'Ge' | 'Eq' | 'Ne' | 'Lt' | 'Le';
  values: string[];
}

export interface ClusterSelectorTerm {
  labelSelector?: LabelSelector;
  propertySelector?: { matchExpressions: PropertyRequirement[] };
}

export interface PlacementPolicy {
  placementType?: 'PickAll' | 'PickN' | 'PickFixed';
  clusterNames?: string[];
  numberOfClusters?: number;
  affinity?: {
    clusterAffinity?: {
      requiredDuringSchedulingIgnoredDuringExecution?: { clusterSelectorTerms: ClusterSelectorTerm[] };
      preferredDuringSchedulingIgnoredDuringExecution?: { weight: number; preference: ClusterSelectorTerm }[];
    };
  };
  tolerations?: Toleration[];
}

export interface ApplyStrategy {
  type?: 'ClientSideApply' | 'ServerSideApply' | 'ReportDiff';
  comparisonOption?: 'PartialComparison' | 'FullComparison';
  whenToApply?: 'Always' | 'IfNotDrifted';
  whenToTakeOver?: 'Always' | 'IfNoDiff' | 'Never';
  allowCoOwnership?: boolean;
}

export interface ResourceIdentifier {
  group?: string;
  version: string;
  kind: string;
  name: string;
  namespace?: string;
}

export interface FailedPlacement extends ResourceIdentifier {
  condition: Condition;
}

export interface ClusterPlacementStatus {
  clusterName?: string;
  observedResourceIndex?: string;
  conditions: Condition[];
  failedPlacements?: FailedPlacement[];
}

export interface Placement extends TypedObject {
  spec: {
    resourceSelectors: ResourceSelector[];
    policy?: PlacementPolicy;
    strategy?: {
      type?: string;
      rollingUpdate?: { maxUnavailable?: number | string; unavailablePeriodSeconds?: number };
      applyStrategy?: ApplyStrategy;
    };
    revisionHistoryLimit?: number;
  };
  status?: {
    conditions?: Condition[];
    observedResourceIndex?: string;
    selectedResources?: ResourceIdentifier[];
    placementStatuses?: ClusterPlacementStatus[];
  };
}

export interface ResourceSnapshot extends TypedObject {
  spec: { selectedResources: JsonObject[] };
}

export interface ManifestCondition {
  identifier: ResourceIdentifier & { ordinal: number; resource?: string };
  conditions: Condition[];
}

export interface Work extends TypedObject {
  spec: { workload: { manifests: JsonObject[] }; applyStrategy?: ApplyStrategy };
  status?: { conditions: Condition[]; manifestConditions?: ManifestCondition[] };
}

export interface AppliedResource {
  ordinal: number;
  group?: string;
  version?: string;
  kind?: string;
  resource?: string;
  namespace?: string;
  name?: string;
}

export interface AppliedWork extends TypedObject {
  spec: { workName: string; workNamespace: string };
  status?: { appliedResources?: AppliedResource[] };
}

export interface ServiceExport extends TypedObject {
  status?: { conditions?: Condition[] };
}

/** Where an exported object comes from. */
export interface ExportedReference {
  clusterId: string;
  apiVersion?: string;
  kind: string;
  namespace: string;
  name: string;
  namespacedName: string;
  resourceVersion: string;
  generation: number;
  uid: string;
  exportedSince?: string;
}

export interface InternalServiceExport extends TypedObject {
  spec: { ports: ServicePort[]; serviceReference: ExportedReference; type?: string };
  status?: { conditions?: Condition[] };
}

export interface ImportStatus {
  clusters?: { cluster: string }[];
  ports?: ServicePort[];
  type?: string;
}

export interface ServiceImport extends TypedObject {
  status?: ImportStatus;
}

export interface MultiClusterService extends TypedObject {
  spec: { serviceImport?: { name?: string } };
  status?: { conditions?: Condition[]; loadBalancer?: { ingress?: { ip: string; ipMode?: string }[] } };
}

declare module './kubernetes.types.js' {
  interface ResourceTypes {
    'memberclusters.cluster.kubernetes-fleet.io': MemberCluster;
    'clusterresourceplacements.placement.kubernetes-fleet.io': Placement;
    'clusterresourcesnapshots.placement.kubernetes-fleet.io': ResourceSnapshot;
    'works.placement.kubernetes-fleet.io': Work;
    'appliedworks.placement.kubernetes-fleet.io': AppliedWork;
    'serviceexports.networking.fleet.azure.com': ServiceExport;
    'serviceimports.networking.fleet.azure.com': ServiceImport;
    'internalserviceexports.networking.fleet.azure.com': InternalServiceExport;
    'multiclusterservices.networking.fleet.azure.com': MultiClusterService;
  }
}
