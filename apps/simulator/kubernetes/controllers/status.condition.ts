import type { Condition } from './kubernetes.types.js';

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** What `meta.SetStatusCondition` does: the transition time changes with the status only, and the order stays. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  condition: Condition,
  now: string,
): Condition[] {
  const before = findCondition(conditions, condition.type);
  const lastTransitionTime =
    before?.status === condition.status && before.lastTransitionTime !== undefined ? before.lastTransitionTime : now;
  const next: Condition = { ...condition, lastTransitionTime };
  return before === undefined
    ? [...(conditions ?? []), next]
    : conditions!.map((other) => (other.type === condition.type ? next : other));
}

export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): Condition[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}
