import type { JsonObject } from '#libs/kernel/json.js';

export interface AuditEventView {
  /** Position in the chain, from 1, without gaps. */
  sequence: number;
  at: string;
  /** `operation.accepted`, `operation.ended`, `access.denied`, … */
  action: string;
  outcome: 'accepted' | 'succeeded' | 'failed' | 'canceled' | 'denied';
  principalId: string;
  principalName: string;
  operationId: string | null;
  operationType: string | null;
  target: { uid: string; id: string; kind: string } | null;
  correlationId: string;
  details: JsonObject;
  /** Hexadecimal SHA-256; each event's hash covers the one before. */
  previousHash: string;
  hash: string;
}

export interface AuditCheckpointView {
  sequence: number;
  at: string;
  hash: string;
  /** Ed25519 over the checkpoint's text, base64. */
  signature: string;
  /** Base64 of the DER (SPKI) public key. */
  publicKey: string;
}
