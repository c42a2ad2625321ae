import type { HealthState, RelationType } from '#libs/systems/contract/observation.js';

export const RESOURCE_SORT_FIELDS = [
  'name',
  'kind',
  'location',
  'provisioningState',
  'health',
  'changedAt',
  'createdAt',
] as const;
export type ResourceSortField = (typeof RESOURCE_SORT_FIELDS)[number];
/** `-` turns the order round. Equal values are ordered by name and uid, in the same direction. */
export type ResourceSort = ResourceSortField | `-${ResourceSortField}`;

export const RESOURCE_SORTS: readonly ResourceSort[] = RESOURCE_SORT_FIELDS.flatMap((field) => [
  field,
  `-${field}` as const,
]);

/** What is asked for: every filter that is present must hold. An empty list matches nothing. */
export interface ResourceFilter {
  kinds?: readonly string[] | undefined;
  uids?: readonly string[] | undefined;
  /** Any spelling of a region. */
  location?: string | undefined;
  /** Any case. */
  subscriptionId?: string | undefined;
  /** Any case. */
  resourceGroup?: string | undefined;
  clusterUid?: string | undefined;
  namespace?: string | undefined;
  health?: readonly HealthState[] | undefined;
  /** The whole name, as it is written. */
  name?: string | undefined;
  /** A part of the name, in any case. */
  q?: string | undefined;
  /** All of these must be there. */
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface ResourceQuery extends ResourceFilter {
  /** By name when absent. */
  sort?: ResourceSort | undefined;
  /** 1 to `MAXIMUM_PAGE_SIZE`. */
  limit: number;
  cursor?: string | null | undefined;
}

export const GRAPH_DIRECTIONS = ['in', 'out', 'both'] as const;
export type GraphDirection = (typeof GRAPH_DIRECTIONS)[number];
export const MAXIMUM_GRAPH_DEPTH = 5;

export interface GraphQuery {
  /** Steps from the root, 0 to `MAXIMUM_GRAPH_DEPTH`. */
  depth: number;
  direction: GraphDirection;
  /** At least 1. */
  maximumNodes: number;
}

/** What is related to an object in one way. */
export interface RelatedQuery {
  type: RelationType;
  /** `outgoing`: the objects that the relation leads to. */
  direction: 'outgoing' | 'incoming';
  /** The kinds at the other end. */
  kinds: readonly string[];
}

export interface ChangeFilter {
  kinds?: readonly string[] | undefined;
  uid?: string | undefined;
  clusterUid?: string | undefined;
  namespace?: string | undefined;
  subscriptionId?: string | undefined;
}
