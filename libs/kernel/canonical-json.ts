import { createHash } from 'node:crypto';

/**
 * JSON text with object keys in code-unit order, so that equal values have equal text (the sorting rule of RFC 8785).
 * `undefined` members are left out, as `JSON.stringify` does.
 */
export function canonicalJson(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(sorted(value));
}

/** Lower-case hexadecimal SHA-256 of the canonical JSON text. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function hasOwnJson(value: object): value is { toJSON: () => unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (hasOwnJson(value)) return sorted(value.toJSON());
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  entries.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
  // A null prototype, so that a member named "__proto__" stays a member.
  const result: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of entries) result[key] = sorted(member);
  return result;
}
