import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { fieldDifferences, type FieldDifference } from '#libs/kernel/json-difference.js';

export interface DifferenceOptions {
  /** Only the fields that this document sets: what a server adds by itself is left out. */
  within?: JsonObject;
}

/** Changes without anybody having changed anything, or is nobody's wish. */
const NOISE_OF_OBJECT = new Set(['apiVersion', 'kind', 'status']);
const NOISE_OF_METADATA = new Set([
  'creationTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
]);
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const REDACTED = '[redacted]';
const REDACTED_AND_OTHER = '[redacted, another value]';

/**
 * What differs between two states of an object, without status, managed fields and versions. The values of a Secret are
 * not shown: only which of them differ.
 */
export function differenceOf(
  before: JsonObject | undefined,
  after: JsonObject,
  options: DifferenceOptions = {},
): FieldDifference[] {
  const [left, right] = withoutSecrets(before ?? {}, after);
  const within = options.within === undefined ? undefined : withoutNoise(options.within);
  return fieldDifferences(withoutNoise(left), withoutNoise(right), within);
}

function withoutNoise(object: JsonObject): JsonObject {
  const kept = without(object, NOISE_OF_OBJECT);
  if (!isJsonObject(kept.metadata)) return kept;
  const metadata = without(kept.metadata, NOISE_OF_METADATA);
  if (!isJsonObject(metadata.annotations)) return { ...kept, metadata };
  return { ...kept, metadata: { ...metadata, annotations: without(metadata.annotations, new Set([LAST_APPLIED])) } };
}

function without(object: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.has(name)));
}

function withoutSecrets(before: JsonObject, after: JsonObject): [JsonObject, JsonObject] {
  if (before.kind !== 'Secret' && after.kind !== 'Secret') return [before, after];
  const [left, right] = [{ ...before }, { ...after }];
  for (const holder of ['data', 'stringData']) {
    const [old, next] = [valuesOf(before, holder), valuesOf(after, holder)];
    if (isJsonObject(before[holder])) left[holder] = mapValues(old, () => REDACTED);
    if (isJsonObject(after[holder])) {
      right[holder] = mapValues(next, (value, name) =>
        old[name] === undefined || canonicalJson(old[name]) === canonicalJson(value) ? REDACTED : REDACTED_AND_OTHER,
      );
    }
  }
  return [left, right];
}

function valuesOf(object: JsonObject, holder: string): JsonObject {
  const value = object[holder];
  return isJsonObject(value) ? value : {};
}

function mapValues(object: JsonObject, map: (value: Json, name: string) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value, name)]));
}
