import type { Json, JsonObject } from '#libs/kernel/json.js';
import { FieldSet, formatPath } from './field-set.js';
import {
  emptyObject,
  identityOf,
  managersOf,
  owned,
  withManagedFields,
  type FieldManager,
  type FieldManagers,
} from './managed-fields.js';
import { sameJson } from './same-json.js';
import type { StructuralSchema } from './structural.schema.js';
import { compareValues, fieldSetOf, mergeValues, removeFields, typingFault, withNamedFields } from './typed.value.js';

export interface ApplyRequest {
  schema: StructuralSchema;
  /** As it is stored, with its managedFields; undefined when it does not exist yet. */
  live: JsonObject | undefined;
  /**
   * What the manager wants: its whole intent, without managedFields and without what cannot be written here (`status` through
   * the object itself, everything else through `/status`).
   */
  applied: JsonObject;
  manager: string;
  force: boolean;
  /** RFC 3339 with seconds. */
  time: string;
  apiVersion: string;
  /** Undefined or empty for the object itself. */
  subresource: string | undefined;
}

export interface ApplyConflict {
  manager: string;
  operation: string;
  apiVersion: string;
  subresource?: string;
  time?: string;
  /** `.spec.template.spec.containers[name="web"].image`. */
  field: string;
}

export type ApplyOutcome =
  /** Not yet defaulted. The very object given as `live` when nothing changes. */
  | { outcome: 'applied'; object: JsonObject }
  /** By manager and field. */
  | { outcome: 'conflict'; conflicts: ApplyConflict[] }
  /**
   * What was applied does not fit the schema: the real server answers 500 with
   * `failed to create typed patch object (<namespace>/<name>; <apiVersion>, Kind=<kind>): <message>`.
   */
  | { outcome: 'untyped'; message: string };

/** What owns the fields of an object that was made before anybody tracked them. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

/** Merges what a manager applies into the object, as structured-merge-diff's updater does. */
export function serverSideApply(request: ApplyRequest): ApplyOutcome {
  const { schema, live, manager, force, time } = request;
  const applied = withManagedFields(request.applied, undefined);
  const fault = typingFault(schema, applied);
  if (fault !== undefined) return { outcome: 'untyped', message: fault };

  const present = live === undefined ? emptyObject(schema) : withManagedFields(live, undefined);
  const known = live === undefined ? new Map<string, FieldManager>() : trackedManagers(request, live, present);
  const apiVersion = request.apiVersion;
  const mine = { manager, operation: 'Apply' as const, apiVersion, subresource: request.subresource ?? '' };
  const identity = identityOf(mine);
  const last = known.get(identity);
  const intended = owned(fieldSetOf(schema, applied));
  const entries = new Map(known).set(identity, { ...mine, time: last?.time ?? time, fields: intended });

  const merged = mergeValues(schema, present, applied) as JsonObject;
  const next = last === undefined ? merged : withoutGivenUp(schema, merged, entries, last.fields);
  const comparison = compareValues(schema, present, next);
  const changed = comparison.modified.union(comparison.added);

  const conflicts: ApplyConflict[] = [];
  for (const [other, entry] of known) {
    if (other === identity) continue;
    const contested = entry.fields.intersection(changed);
    conflicts.push(...[...contested.paths()].map((path) => describeConflict(entry, formatPath(path))));
    entries.set(other, { ...entry, fields: entry.fields.difference(contested).difference(comparison.removed) });
  }
  if (!force && conflicts.length > 0) return { outcome: 'conflict', conflicts: conflicts.sort(byManagerAndField) };

  if (live !== undefined && sameJson(present, next)) {
    const isKnown = last?.fields.equals(intended) === true && last.apiVersion === apiVersion;
    return { outcome: 'applied', object: isKnown ? live : withManagedFields(live, entries) };
  }
  entries.set(identity, { ...mine, time, fields: intended });
  return { outcome: 'applied', object: withManagedFields(next, entries) };
}

/** An object that has no entries was never tracked: what it holds belongs to whoever made it. */
function trackedManagers(
  { schema, apiVersion, time }: ApplyRequest,
  live: JsonObject,
  present: JsonObject,
): FieldManagers {
  const known = managersOf(live);
  if (known.size > 0) return known;
  const { added, modified } = compareValues(schema, emptyObject(schema), present);
  const fields = owned(added.union(modified));
  const entry: FieldManager = {
    manager: BEFORE_FIRST_APPLY,
    operation: 'Update',
    apiVersion,
    subresource: '',
    time,
    fields,
  };
  return fields.isEmpty ? known : new Map([[identityOf(entry), entry]]);
}

/** Takes away what the manager applied the last time, does not apply any more and nobody else owns. */
function withoutGivenUp(
  schema: StructuralSchema,
  merged: JsonObject,
  managers: FieldManagers,
  last: FieldSet,
): JsonObject {
  if (last.isEmpty) return merged;
  const named = (value: Json): FieldSet => withNamedFields(schema, fieldSetOf(schema, value));
  const lastNamed = withNamedFields(schema, last);
  const mergedFields = named(merged);
  const without = removeFields(schema, merged, lastNamed, 'null');

  const claimed = [...managers.values()].reduce((all, { fields }) => all.union(fields), new FieldSet());
  const unclaimed = mergedFields.difference(named(without).union(withNamedFields(schema, claimed)));
  const withClaimed = removeFields(schema, merged, unclaimed, 'null');

  // What the manager did not own itself must not go, although nobody claims it.
  const dangling = mergedFields.difference(named(withClaimed)).intersection(lastNamed);
  return removeFields(schema, merged, dangling, 'dropped') as JsonObject;
}

function describeConflict(
  { manager, operation, apiVersion, subresource, time }: FieldManager,
  field: string,
): ApplyConflict {
  return {
    manager,
    operation,
    apiVersion,
    ...(subresource === '' ? {} : { subresource }),
    ...(time === undefined ? {} : { time }),
    field,
  };
}

function byManagerAndField(left: ApplyConflict, right: ApplyConflict): number {
  const [a, b] = [`${left.manager}\n${left.field}`, `${right.manager}\n${right.field}`];
  return a < b ? -1 : a > b ? 1 : 0;
}
