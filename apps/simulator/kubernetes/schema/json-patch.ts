import { z } from 'zod';
import { assertNever } from '#libs/kernel/assert-never.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { PatchError } from './patch.error.js';
import { sameJson } from './same-json.js';

const pointer = z.string().regex(/^(\/.*)?$/s, 'a JSON pointer starts with a slash');
const operation = z.discriminatedUnion('op', [
  z.object({ op: z.literal('add'), path: pointer, value: z.json() }),
  z.object({ op: z.literal('remove'), path: pointer }),
  z.object({ op: z.literal('replace'), path: pointer, value: z.json() }),
  z.object({ op: z.literal('move'), path: pointer, from: pointer }),
  z.object({ op: z.literal('copy'), path: pointer, from: pointer }),
  z.object({ op: z.literal('test'), path: pointer, value: z.json() }),
]);
const operationList = z.array(operation);

type JsonPatchOperation = z.infer<typeof operation>;

/**
 * RFC 6902: all operations or none.
 * @throws PatchError malformed | test-failed | path-missing | unprocessable (the result would be no object).
 */
export function applyJsonPatch(object: JsonObject, operations: unknown): JsonObject {
  const parsed = operationList.safeParse(operations);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new PatchError('malformed', `${path.length === 0 ? 'patch' : path.join('.')}: ${message}`);
  }
  const result = parsed.data.reduce<Json>((value, one) => apply(value, one), object);
  if (!isJsonObject(result)) throw new PatchError('unprocessable', 'the patched document is no object');
  return result;
}

function apply(document: Json, one: JsonPatchOperation): Json {
  const path = segments(one.path);
  switch (one.op) {
    case 'add':
      return add(document, path, one.value, one.path);
    case 'remove':
      return remove(document, path, one.path);
    case 'replace':
      read(document, path, one.path);
      return replace(document, path, one.value, one.path);
    case 'copy':
      return add(document, path, read(document, segments(one.from), one.from), one.path);
    case 'move': {
      if (one.path.startsWith(`${one.from}/`)) {
        throw new PatchError('unprocessable', `${one.from} cannot be moved into itself`);
      }
      const moved = read(document, segments(one.from), one.from);
      return add(remove(document, segments(one.from), one.from), path, moved, one.path);
    }
    case 'test':
      if (!sameJson(readOptional(document, path), one.value)) {
        throw new PatchError('test-failed', `testing value ${one.path} failed: test failed`);
      }
      return document;
    default:
      return assertNever(one);
  }
}

function segments(path: string): string[] {
  const parts = path.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function missing(path: string): PatchError {
  return new PatchError('path-missing', `the path ${path} does not exist: missing value`);
}

function readOptional(document: Json, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((value, segment) => memberOf(value, segment), document);
}

function read(document: Json, path: readonly string[], name: string): Json {
  const value = readOptional(document, path);
  if (value === undefined) throw missing(name);
  return value;
}

function memberOf(value: Json | undefined, segment: string): Json | undefined {
  if (Array.isArray(value)) return isIndex(segment) ? value[Number(segment)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, segment) ? value[segment] : undefined;
}

function isIndex(segment: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(segment);
}

/** Rebuilds the way to the container of the last segment; `change` makes the new container. */
function within(
  document: Json,
  path: readonly string[],
  name: string,
  change: (container: Json, last: string) => Json,
): Json {
  const [first, ...rest] = path;
  if (first === undefined) throw missing(name);
  if (rest.length === 0) return change(document, first);
  const inner = memberOf(document, first);
  if (inner === undefined) throw missing(name);
  return withMember(document, first, within(inner, rest, name, change));
}

function withMember(container: Json, segment: string, value: Json): Json {
  if (Array.isArray(container)) return container.with(Number(segment), value);
  return Object.fromEntries([
    ...Object.entries(container as JsonObject).filter(([key]) => key !== segment),
    [segment, value],
  ]);
}

function add(document: Json, path: readonly string[], value: Json, name: string): Json {
  if (path.length === 0) return value;
  return within(document, path, name, (container, last) => {
    if (isJsonObject(container)) return withMember(container, last, value);
    if (!Array.isArray(container)) throw missing(name);
    const index = last === '-' ? container.length : isIndex(last) ? Number(last) : -1;
    if (index < 0 || index > container.length) throw missing(name);
    return container.toSpliced(index, 0, value);
  });
}

function replace(document: Json, path: readonly string[], value: Json, name: string): Json {
  return path.length === 0
    ? value
    : within(document, path, name, (container, last) => withMember(container, last, value));
}

function remove(document: Json, path: readonly string[], name: string): Json {
  return within(document, path, name, (container, last) => {
    if (memberOf(container, last) === undefined) throw missing(name);
    if (Array.isArray(container)) return container.toSpliced(Number(last), 1);
    return Object.fromEntries(Object.entries(container as JsonObject).filter(([key]) => key !== last));
  });
}
