import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterUser } from '../cluster.objects.js';

/** What to do about fields that the schema does not know. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** On whose behalf and how a write is made, be it over HTTP or by a controller inside the process. */
export interface WriteContext {
  user: ClusterUser;
  /** What `managedFields` will name. */
  manager: string;
  /** Everything is checked and answered, nothing is stored. */
  dryRun: boolean;
  fieldValidation: FieldValidation;
  /** Collects what the answer warns about. */
  warnings: string[];
}

/** The options of a deletion, from the query or the body. */
export interface DeleteOptions {
  /** Seconds; undefined for what the object itself says. */
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** A patch in one of the four formats. */
export type Patch =
  | { type: 'json'; operations: unknown }
  | { type: 'merge'; patch: unknown }
  | { type: 'strategic'; patch: unknown }
  | { type: 'apply'; applied: JsonObject; force: boolean };

/** Of a write by the cluster itself, which nobody warns or asks. */
export function internalContext(manager: string, user: string): WriteContext {
  const accounts = 'system:serviceaccounts';
  const namespace = /^system:serviceaccount:([^:]+):/.exec(user)?.[1];
  const groups = namespace === undefined ? [] : [accounts, `${accounts}:${namespace}`];
  return {
    user: { name: user, groups: [...groups, 'system:authenticated'] },
    manager,
    dryRun: false,
    fieldValidation: 'Ignore',
    warnings: [],
  };
}
