import { canonicalHash } from '#libs/kernel/canonical-json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';

export const AUDIT_OUTCOMES = ['accepted', 'succeeded', 'failed', 'canceled', 'denied'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** What there is to record: who did what to what, asked or ended how. Never a secret. */
export interface AuditEntry {
  /** Dotted, `operation.accepted`. */
  action: string;
  outcome: AuditOutcome;
  principalId: string;
  principalName: string;
  operationId: string | null;
  operationType: string | null;
  target: ResourceTarget | null;
  correlationId: string;
  details: JsonObject;
}

/** An entry in its place in the chain. */
export interface AuditEvent extends AuditEntry {
  /** From 1, without gaps. */
  sequence: number;
  /** ISO 8601 in UTC with milliseconds: part of what is hashed, so it is text. */
  at: string;
  previousHash: string;
  hash: string;
}

/** What the first event has as its previous hash. */
export const CHAIN_START = '0'.repeat(64);

/** SHA-256 of the canonical JSON of everything in the event but its own hash, in hexadecimal. */
export function auditHash(event: Omit<AuditEvent, 'hash'>): string {
  return canonicalHash({
    sequence: event.sequence,
    at: event.at,
    action: event.action,
    outcome: event.outcome,
    principalId: event.principalId,
    principalName: event.principalName,
    operationId: event.operationId,
    operationType: event.operationType,
    target: event.target,
    correlationId: event.correlationId,
    details: event.details,
    previousHash: event.previousHash,
  });
}
