import { ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { RelationClaim } from '../contract/observation.js';
import { rawText } from '../contract/raw-reader.js';

/** What strategies, update runs and auto-upgrade profiles have in common. */

/**
 * Resource Graph shows members of the newest preview that the API version which we speak does not: kept, the same object
 * would look different by each way. None of them is lost: failures are counted from the members.
 */
const PREVIEW_MEMBERS = new Set(['failurecount', 'maxallowedfailures']);

export function ownedByFleet(id: ArmId): RelationClaim[] {
  return id.parent === undefined ? [] : [{ type: 'owns', from: id.parent.canonical, to: id.canonical }];
}

/** What names a strategy follows it. */
export function followsStrategy(id: ArmId, body: JsonObject): RelationClaim[] {
  const named = rawText(body, 'properties', 'updateStrategyId');
  const strategy = named === null ? undefined : ArmId.tryParse(named);
  return strategy === undefined ? [] : [{ type: 'follows', from: id.canonical, to: strategy.canonical }];
}

export function withoutPreviewMembers(body: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) =>
      PREVIEW_MEMBERS.has(name.toLowerCase()) ? [] : [[name, stripped(value)] as const],
    ),
  );
}

function stripped(value: Json): Json {
  if (Array.isArray(value)) return value.map(stripped);
  return isJsonObject(value) ? withoutPreviewMembers(value) : value;
}
