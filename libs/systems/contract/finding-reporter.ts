import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Finding, FindingSeverity } from './finding.js';

export type FindingReporter<Code extends string> = (
  code: Code,
  severity: FindingSeverity,
  evidence: JsonObject,
  remedy?: string,
  operations?: readonly RemedyOperation[],
) => void;

/** Adds findings to the list; the message of each is what the operation documents for its code, so none is undocumented. */
export function findingReporter<Code extends string>(
  documented: Readonly<Record<Code, string>>,
  findings: Finding[],
): FindingReporter<Code> {
  return (code, severity, evidence, remedy, operations) => {
    findings.push({
      code,
      severity,
      message: documented[code],
      evidence,
      ...(remedy === undefined ? {} : { remedy }),
      ...(operations === undefined ? {} : { operations }),
    });
  };
}
