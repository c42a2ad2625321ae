import { createHash } from 'node:crypto';

/** The namespace of Pilothouse's name-based uuids: uuid v5 of the URL namespace and "https://pilothouse.dev/resource". */
const NAMESPACE = uuidFromName(
  Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex'),
  'https://pilothouse.dev/resource',
);

const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * The uid of a resource: a uuid v5 (RFC 9562, section 5.5) of its canonical id. The same object has the same uid on
 * every machine and after every rebuild of the cache.
 */
export function resourceUid(canonicalId: string): string {
  return uuidFromName(Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex'), canonicalId);
}

export function isUuid(text: string): boolean {
  return UUID_PATTERN.test(text);
}

function uuidFromName(namespace: Buffer, name: string): string {
  const bytes = createHash('sha1').update(namespace).update(name, 'utf8').digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
