import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { FieldSet, type PathElement } from './field-set.js';
import { withSchemaDefaults } from './schema.defaults.js';
import type { StructuralSchema } from './structural.schema.js';
import { compareValues } from './typed.value.js';

export interface TrackedUpdate {
  schema: StructuralSchema;
  /** As it is stored; undefined for a create. */
  before: JsonObject | undefined;
  /** As it will be stored, defaults included, but without what the server itself adds afterwards (cluster IP, phase …). */
  after: JsonObject;
  manager: string;
  operation: 'Update';
  /** RFC 3339 with seconds. Undefined as in the entries that the scale subresource makes. */
  time: string | undefined;
  apiVersion: string;
  /** Undefined or empty for the object itself. */
  subresource: string | undefined;
}

/** One entry of `metadata.managedFields`. */
export interface FieldManager {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
  time: string | undefined;
  fields: FieldSet;
}

/** By identity: an updater is one per API version, an applier is not. */
export type FieldManagers = ReadonlyMap<string, FieldManager>;

/** What nobody owns: the identity of the object and what the server keeps itself. */
const UNOWNED = FieldSet.of(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name): PathElement[] => ['f:metadata', `f:${name}`]),
);

/**
 * `after` with `metadata.managedFields` brought up to date for an ordinary create, update or patch. As with the real server,
 * an object without any entries stays so (until somebody applies it), and a client can reset them with `[{}]`.
 */
export function trackUpdate(update: TrackedUpdate): JsonObject {
  const { schema, before, after, manager, operation, time, apiVersion } = update;
  const subresource = update.subresource ?? '';
  const known = presentManagers(before, after, subresource);
  const body = withManagedFields(after, undefined);
  if (before !== undefined && known.size === 0) return body;
  const present = before === undefined ? emptyObject(schema) : withManagedFields(before, undefined);
  const comparison = compareValues(schema, present, body);
  const taken = owned(comparison.modified.union(comparison.added));
  const lost = taken.union(comparison.removed);
  const managers = new Map<string, FieldManager>();
  for (const [identity, entry] of known) managers.set(identity, { ...entry, fields: entry.fields.difference(lost) });
  if (!taken.isEmpty) {
    const mine = { manager, operation, apiVersion, subresource, time };
    const identity = identityOf(mine);
    const kept = known.get(identity)?.fields.difference(comparison.removed) ?? new FieldSet();
    managers.set(identity, { ...mine, fields: kept.union(taken) });
  }
  return withManagedFields(after, managers);
}

/** The entries that count for an update: a client may write them itself, except through a subresource. */
function presentManagers(before: JsonObject | undefined, after: JsonObject, subresource: string): FieldManagers {
  const given = metadataOf(after).managedFields;
  if (subresource === '' && Array.isArray(given) && given.length > 0) {
    const isReset = given.length === 1 && isJsonObject(given[0]) && Object.keys(given[0]).length === 0;
    if (isReset) return new Map();
    const managers = parseManagers(given);
    if (managers !== undefined) return managers;
  }
  return before === undefined ? new Map() : managersOf(before);
}

export function managersOf(object: JsonObject): FieldManagers {
  return parseManagers(metadataOf(object).managedFields) ?? new Map<string, FieldManager>();
}

/** @returns undefined when one of the entries is not an entry. */
function parseManagers(entries: Json | undefined): FieldManagers | undefined {
  if (!Array.isArray(entries)) return undefined;
  const managers = new Map<string, FieldManager>();
  for (const entry of entries) {
    const fields = isJsonObject(entry) ? FieldSet.parse(entry.fieldsV1) : undefined;
    if (!isJsonObject(entry) || fields === undefined) return undefined;
    const { operation, time } = entry;
    if (operation !== 'Apply' && operation !== 'Update') return undefined;
    const manager: FieldManager = {
      manager: text(entry.manager),
      operation,
      apiVersion: text(entry.apiVersion),
      subresource: text(entry.subresource),
      time: typeof time === 'string' ? time : undefined,
      fields,
    };
    managers.set(identityOf(manager), manager);
  }
  return managers;
}

export function identityOf({
  manager,
  operation,
  apiVersion,
  subresource,
}: Omit<FieldManager, 'time' | 'fields'>): string {
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** Without what nobody can own. */
export function owned(fields: FieldSet): FieldSet {
  return fields.difference(UNOWNED);
}

/** What a write starts from when there is nothing yet: the empty struct of a built-in kind, nothing for a custom resource. */
export function emptyObject(schema: StructuralSchema): JsonObject {
  const isStruct = schema.properties?.metadata?.default !== undefined;
  return isStruct ? withSchemaDefaults(schema, {}) : {};
}

/** The object with these entries (those that own nothing left out), or without any. */
export function withManagedFields(object: JsonObject, managers: FieldManagers | undefined): JsonObject {
  const { managedFields: _managedFields, ...metadata } = metadataOf(object);
  const entries = [...(managers?.values() ?? [])].filter(({ fields }) => !fields.isEmpty).sort(byOrder);
  if (entries.length > 0) metadata.managedFields = entries.map((entry) => toJson(entry));
  if (object.metadata === undefined && entries.length === 0) return object;
  return { ...object, metadata };
}

function byOrder(left: FieldManager, right: FieldManager): number {
  const key = ({ operation, time, manager, apiVersion, subresource }: FieldManager): string[] => [
    operation,
    time ?? '',
    manager,
    apiVersion,
    subresource,
  ];
  const [lefts, rights] = [key(left), key(right)];
  const at = lefts.findIndex((part, index) => part !== rights[index]);
  return at < 0 ? 0 : lefts[at]! < rights[at]! ? -1 : 1;
}

function toJson({ manager, operation, apiVersion, time, fields, subresource }: FieldManager): JsonObject {
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields.toJson(),
    ...(subresource === '' ? {} : { subresource }),
  };
}

export function metadataOf(object: JsonObject): JsonObject {
  const { metadata } = object;
  return isJsonObject(metadata) ? metadata : {};
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
