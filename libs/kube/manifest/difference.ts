import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

/** One field that differs: `.spec.template.spec.containers[name=web].image`. What is not there is null. */
export interface FieldDifference {
  path: string;
  before: Json;
  after: Json;
}

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
 * not shown: only which of them differ. Items of lists are matched by their `name` where all have one of their own.
 */
export function differenceOf(
  before: JsonObject | undefined,
  after: JsonObject,
  options: DifferenceOptions = {},
): FieldDifference[] {
  const [left, right] = withoutSecrets(before ?? {}, after).map(withoutNoise);
  const differences: FieldDifference[] = [];
  compare(left, right, options.within === undefined ? undefined : withoutNoise(options.within), '', differences);
  return differences;
}

function compare(
  before: Json | undefined,
  after: Json | undefined,
  within: Json | undefined,
  path: string,
  differences: FieldDifference[],
): void {
  if (isJsonObject(before) && isJsonObject(after)) {
    const inner = isJsonObject(within) ? within : undefined;
    const names = inner ?? { ...before, ...after };
    for (const name of Object.keys(names)) {
      compare(before[name], after[name], inner?.[name], `${path}${step(name)}`, differences);
    }
    return;
  }
  const [leftByName, rightByName, withinByName] = [byName(before), byName(after), byName(within)];
  if (leftByName !== undefined && rightByName !== undefined) {
    const names = withinByName ?? new Map([...leftByName, ...rightByName]);
    for (const name of names.keys()) {
      const [left, right] = [leftByName.get(name), rightByName.get(name)];
      compare(left, right, withinByName?.get(name), `${path}[name=${name}]`, differences);
    }
    return;
  }
  // A field of null and one that is not there are the same to Kubernetes.
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return;
  differences.push({ path, before: before ?? null, after: after ?? null });
}

function step(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** The items of a list by their names; undefined where they do not all have one of their own. */
function byName(value: Json | undefined): Map<string, JsonObject> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const items = new Map<string, JsonObject>();
  for (const item of value) {
    if (!isJsonObject(item) || typeof item.name !== 'string' || items.has(item.name)) return undefined;
    items.set(item.name, item);
  }
  return items;
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
