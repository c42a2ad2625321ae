import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { Health, Observation, ObservationSource, RelationClaim } from './observation.js';
import { rawObject, rawText, rawTextRecord } from './raw-reader.js';

/** Members of an ARM object (or columns of a Resource Graph row) that have a field of their own, or say nothing lasting. */
const STORED_ELSEWHERE = new Set([
  'id',
  'name',
  'type',
  'location',
  'tags',
  'etag',
  'systemdata',
  'properties',
  'resourcegroup',
  'subscriptionid',
  'tenantid',
  'apiversion',
]);

/** When the question was sent, and who was asked. */
export interface Reading {
  observedAt: Date;
  source: ObservationSource;
}

/** What only the kind knows about an object. */
export interface ArmObservationDetails extends Reading {
  kind: string;
  health: Health;
  relations: RelationClaim[];
  /** In place of the object's own tags. */
  tags?: Record<string, string>;
  /** In place of the object's own location: children have none. */
  location?: string | null;
  clusterUid?: string | null;
}

/**
 * An ARM object as an observation. `properties` is the object's own bag with the siblings that have no field here
 * (`identity`, `sku`, `zones`, …) laid beside its members; a member of the bag wins over a sibling of the same name.
 * @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is.
 */
export function armObservation(body: JsonObject, details: ArmObservationDetails): Observation {
  const id = armIdOf(body);
  const location = details.location === undefined ? rawText(body, 'location') : details.location;
  return {
    kind: details.kind,
    id: id.toString(),
    canonicalId: id.canonical,
    name: id.name,
    location: location === null ? null : canonicalLocation(location),
    subscriptionId: id.subscriptionId?.toLowerCase() ?? null,
    resourceGroup: id.resourceGroup ?? null,
    clusterUid: details.clusterUid ?? null,
    namespace: null,
    provisioningState: rawText(body, 'properties', 'provisioningState'),
    health: details.health,
    tags: details.tags ?? rawTextRecord(body, 'tags'),
    properties: mergedProperties(body),
    etag: armEtag(body),
    observedAt: details.observedAt,
    source: details.source,
    relations: details.relations,
  };
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when there is no id, or none that ARM could have given. */
export function armIdOf(body: JsonObject): ArmId {
  const text = rawText(body, 'id');
  const id = text === null ? undefined : ArmId.tryParse(text);
  if (id !== undefined) return id;
  throw new ControlError('AZURE_UNEXPECTED_ANSWER', 'Azure listed an object without a usable resource id.');
}

/** The entity tag, wherever this resource provider puts it; verbatim, with its quotes. */
export function armEtag(body: JsonObject): string | null {
  return rawText(body, 'eTag') ?? rawText(body, 'properties', 'eTag');
}

function mergedProperties(body: JsonObject): JsonObject {
  const merged: [string, Json][] = [];
  for (const [name, value] of Object.entries(body)) {
    // Resource Graph fills the columns that an object does not have with null or ''.
    if (!STORED_ELSEWHERE.has(name.toLowerCase()) && value !== null && value !== '') merged.push([name, value]);
  }
  const bag = rawObject(body, 'properties') ?? {};
  for (const [name, value] of Object.entries(bag)) {
    if (name.toLowerCase() !== 'etag') merged.push([name, value]);
  }
  return Object.fromEntries(merged);
}

/** "code: message" of an ARM error object that is part of another object's status. */
export function armErrorText(error: Json | undefined): string | null {
  if (!isJsonObject(error)) return null;
  const parts = [rawText(error, 'code'), rawText(error, 'message')].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(': ');
}
