import type { GraphQLField } from 'graphql';

/** What a field adds to the cost of a query, where it is not just one object. */
export type FieldCost =
  /** A list: what is below it counts once for each of `first`, or for each of the number expected where it is not given. */
  | { kind: 'page'; expected: number }
  /**
   * What is related to each of many objects: `first` says there how many at most, and rarely how many there are. So a usual
   * `first` counts as the number expected; what is really loaded is counted while the query runs.
   */
  | { kind: 'relation'; expected: number; usual: number }
  /** A layer without weight between a page and its objects. */
  | { kind: 'plumbing' };

const KEY = 'cost';

export function withCost(cost: FieldCost): { extensions: Record<string, unknown> } {
  return { extensions: { [KEY]: cost } };
}

export function costOf(field: GraphQLField<unknown, unknown>): FieldCost | undefined {
  return field.extensions[KEY] as FieldCost | undefined;
}
