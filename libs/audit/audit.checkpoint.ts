import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { Secret } from '#libs/kernel/secret.js';

/** A signed statement about the whole chain up to an event: whoever keeps one notices a log that was rewritten. */
export interface AuditCheckpoint {
  sequence: number;
  /** ISO 8601 in UTC. */
  at: string;
  /** The hash of the event with this sequence. */
  hash: string;
  /** Ed25519 (RFC 8032) over `checkpointText`, base64. */
  signature: string;
  /** SPKI in DER, base64. */
  publicKey: string;
}

/** What is signed: one line a field, so that it can be checked by hand. */
export function checkpointText(checkpoint: Pick<AuditCheckpoint, 'sequence' | 'at' | 'hash'>): string {
  return `pilothouse audit checkpoint\n${checkpoint.sequence}\n${checkpoint.at}\n${checkpoint.hash}\n`;
}

/** Signs checkpoints with the house's Ed25519 key. */
export class AuditSigner {
  readonly #privateKey: KeyObject;
  readonly #publicKey: string;

  /** @param key PKCS #8 in PEM; throws a TypeError when it is no Ed25519 key. */
  constructor(key: Secret) {
    this.#privateKey = createPrivateKey(key.reveal());
    if (this.#privateKey.asymmetricKeyType !== 'ed25519')
      throw new TypeError('The audit signing key must be an Ed25519 key');
    this.#publicKey = createPublicKey(this.#privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  }

  sign(head: { sequence: number; hash: string }, at: Date): AuditCheckpoint {
    const unsigned = { sequence: head.sequence, at: at.toISOString(), hash: head.hash };
    const signature = sign(null, Buffer.from(checkpointText(unsigned)), this.#privateKey).toString('base64');
    return { ...unsigned, signature, publicKey: this.#publicKey };
  }
}

/** Whether the checkpoint was signed by the holder of the key that it names. */
export function hasValidSignature(checkpoint: AuditCheckpoint): boolean {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(checkpoint.publicKey, 'base64'), type: 'spki', format: 'der' });
  } catch (error) {
    // What is no key has signed nothing.
    if (Error.isError(error)) return false;
    throw error;
  }
  if (key.asymmetricKeyType !== 'ed25519') return false;
  return verify(null, Buffer.from(checkpointText(checkpoint)), key, Buffer.from(checkpoint.signature, 'base64'));
}
