import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';

export type FindingSeverity = 'error' | 'warning' | 'info';

/** What a check before an operation found. An error blocks the operation, the others are recorded with it. */
export interface Finding {
  /** Upper snake case, stable, documented with the operation: `CLUSTER_ALREADY_MEMBER`. */
  code: string;
  severity: FindingSeverity;
  message: string;
  /** The observed values that the finding rests on. */
  evidence: JsonObject;
  remedy?: string;
  /** What mends it, ready to be sent, one after the other. */
  operations?: readonly RemedyOperation[];
}

export function blocks(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}
