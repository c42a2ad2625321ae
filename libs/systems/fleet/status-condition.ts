import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawMember, rawObjects, rawText } from '../contract/raw-reader.js';

/** One entry of a `conditions` list. */
export interface StatusCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string | null;
  message: string | null;
  /** Whether it was said about the object as it now is: an older one says nothing about it. */
  current: boolean;
}

/** The conditions of a list, in their order. Without `generation` each counts as current. */
export function statusConditions(list: Json | undefined, generation: number | null = null): StatusCondition[] {
  return rawObjects({ conditions: list ?? null }, 'conditions').flatMap((condition) => {
    const [type, status] = [rawText(condition, 'type'), rawText(condition, 'status')];
    if (type === null) return [];
    const observed = rawMember(condition, 'observedGeneration');
    return [
      {
        type,
        status: status === 'True' || status === 'False' ? status : 'Unknown',
        reason: rawText(condition, 'reason'),
        message: rawText(condition, 'message'),
        current: generation === null || typeof observed !== 'number' || observed === generation,
      },
    ];
  });
}

export function findCondition(conditions: readonly StatusCondition[], type: string): StatusCondition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** "reason: message", or whichever there is. */
export function conditionText(condition: StatusCondition | undefined): string {
  const parts = [condition?.reason, condition?.message].filter((part) => typeof part === 'string');
  return parts.length === 0 ? 'no reason is given' : parts.join(': ');
}

/** The generation of an object's specification; null where it has none. */
export function generationOf(object: JsonObject): number | null {
  const generation = rawMember(object, 'metadata', 'generation');
  return typeof generation === 'number' ? generation : null;
}
