import { isUtf8 } from 'node:buffer';
import { ControlError } from '#libs/kernel/control-error.js';

const MAXIMUM_NESTING = 64;

/**
 * The value of a JSON body; undefined for an empty one.
 * @throws ControlError MALFORMED_JSON, or INVALID_REQUEST for JSON that could not be stored or that means harm.
 */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new ControlError('MALFORMED_JSON', 'The body is not UTF-8.');
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!Error.isError(error)) throw error;
    // The parser's words quote the body, which may hold a secret: only where it stopped is told.
    const position = /position (\d+)/.exec(error.message)?.[1];
    const where = position === undefined ? '' : ` (at character ${position})`;
    throw new ControlError('MALFORMED_JSON', `The body is not JSON${where}.`, { cause: error });
  }
  requireStorableJson(value, '');
  return value;
}

/**
 * @throws ControlError INVALID_REQUEST where a string holds what Postgres cannot store (NUL, half of a surrogate pair),
 * where a key would change an object's prototype, or where the nesting is absurd.
 */
export function requireStorableJson(root: unknown, rootPath: string): void {
  // Not recursive: the nesting is the sender's choice.
  const pending: { value: unknown; path: string; depth: number }[] = [{ value: root, path: rootPath, depth: 0 }];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { value, path, depth } = item;
    if (typeof value === 'string') {
      const fault = textFault(value);
      if (fault !== undefined) throw refusal(path, fault);
      continue;
    }
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAXIMUM_NESTING) throw refusal(path, `Nested more than ${MAXIMUM_NESTING} levels deep.`);
    if (Array.isArray(value)) {
      for (const [index, member] of value.entries())
        pending.push({ value: member, path: at(path, String(index)), depth: depth + 1 });
      continue;
    }
    for (const [key, member] of Object.entries(value)) {
      if (key === '__proto__') throw refusal(at(path, key), 'This name is not allowed.');
      const fault = textFault(key);
      if (fault !== undefined) throw refusal(path, `The name of a member: ${fault}`);
      pending.push({ value: member, path: at(path, key), depth: depth + 1 });
    }
  }
}

/** Why a text cannot be stored in Postgres; undefined where it can. */
export function textFault(text: string): string | undefined {
  if (text.includes('\0')) return 'Must not contain the character U+0000.';
  return text.isWellFormed() ? undefined : 'Must not contain half of a surrogate pair.';
}

function at(path: string, member: string): string {
  return path === '' ? member : `${path}.${member}`;
}

function refusal(path: string, message: string): ControlError {
  return new ControlError('INVALID_REQUEST', 'The body holds something that cannot be accepted.', {
    violations: [{ path, message }],
  });
}
