import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawObjects, rawText } from '../contract/raw-reader.js';

/** Messages may be pages long; a reason is to be read at a glance, and the whole stays among the raw properties. */
const LONGEST_REASON = 1000;

export const condition = z
  .object({
    type: z.string().nullable().describe('What the condition is about, such as `Available`.'),
    status: z.string().nullable().describe('`True`, `False` or `Unknown`.'),
    reason: z.string().nullable().describe('Why, in one word.'),
    message: z.string().nullable().describe('Why, in the words of the controller.'),
    lastTransitionTime: z.string().nullable().describe('When the status last changed.'),
  })
  .meta({ id: 'KubernetesCondition', description: 'What a controller says about one side of an object.' });

export type Condition = z.output<typeof condition>;

export function conditionsOf(raw: Json | undefined): Condition[] {
  return rawObjects(raw, 'status', 'conditions').map((entry) => ({
    type: rawText(entry, 'type'),
    status: rawText(entry, 'status'),
    reason: rawText(entry, 'reason'),
    message: rawText(entry, 'message'),
    lastTransitionTime: rawText(entry, 'lastTransitionTime'),
  }));
}

export function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((each) => each.type === type);
}

/** `Reason: message`, as far as they are said. */
export function wordsOf(part: { reason: string | null; message: string | null }): string | null {
  const words = [part.reason, part.message].filter((word) => word !== null);
  return words.length === 0 ? null : words.join(': ').slice(0, LONGEST_REASON);
}

export function isDeleting(raw: JsonObject): boolean {
  return rawText(raw, 'metadata', 'deletionTimestamp') !== null;
}
