import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { ControlError } from './control-error.js';
import { Secret } from './secret.js';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

interface VaultKey {
  id: string;
  bytes: Buffer;
}

/**
 * Seals what has to be kept and must not be readable where it is kept (AES-256-GCM, NIST SP 800-38D). Several keys make a
 * change of keys possible: the first one seals, all of them open. What is sealed belongs to a place (`purpose`), and cannot
 * be opened as another's.
 */
export class SecretVault {
  readonly #keys: readonly VaultKey[];

  /** @param keys 32 bytes each, in base64; none at all makes a vault that refuses to seal. */
  constructor(keys: readonly Secret[]) {
    this.#keys = keys.map((key) => {
      const bytes = Buffer.from(key.reveal(), 'base64');
      if (bytes.length !== KEY_BYTES) throw new TypeError(`A key of the vault has ${KEY_BYTES} bytes in base64`);
      return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 12), bytes };
    });
  }

  /** The id of the key that seals; undefined without any key. */
  get keyId(): string | undefined {
    return this.#keys[0]?.id;
  }

  /** @throws ControlError UNAVAILABLE without a key. */
  seal(purpose: string, secret: Secret): string {
    const key = this.#sealingKey();
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, key.bytes, nonce).setAAD(Buffer.from(purpose, 'utf8'));
    const sealed = Buffer.concat([nonce, cipher.update(secret.reveal(), 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${VERSION}.${key.id}.${sealed.toString('base64url')}`;
  }

  /** @throws ControlError UNAVAILABLE when the key is not there any more, or what was sealed is not what it was. */
  open(purpose: string, sealed: string): Secret {
    const [version, keyId, text = ''] = sealed.split('.');
    const key = this.#keys.find((candidate) => candidate.id === keyId);
    if (version !== VERSION || key === undefined) {
      throw new ControlError('UNAVAILABLE', 'The key that sealed a stored secret is not configured.', {
        remedy: 'Add the key that was used before to the end of ENCRYPTION_KEYS.',
      });
    }
    const bytes = Buffer.from(text, 'base64url');
    try {
      const decipher = createDecipheriv(ALGORITHM, key.bytes, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(purpose, 'utf8'))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
      return new Secret(Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8'));
    } catch (error) {
      // Nothing but the cipher can fail here, and it says no more than that it does not fit.
      throw new ControlError('UNAVAILABLE', 'A stored secret was changed by somebody else and cannot be opened.', {
        cause: error,
      });
    }
  }

  /**
   * Tells whether two secrets are the same without keeping either.
   * @throws ControlError UNAVAILABLE without a key.
   */
  fingerprint(purpose: string, text: string): string {
    return createHmac('sha256', this.#sealingKey().bytes).update(`${purpose}\0${text}`, 'utf8').digest('hex');
  }

  #sealingKey(): VaultKey {
    const key = this.#keys[0];
    if (key !== undefined) return key;
    throw new ControlError('UNAVAILABLE', 'Pilothouse has no key to keep secrets with.', {
      remedy: 'Set ENCRYPTION_KEYS; `openssl rand -base64 32` makes a key.',
    });
  }
}
