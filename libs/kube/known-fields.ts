import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { WriteOptions, WriteResult } from './cluster-client.js';

/**
 * An apply that keeps its word about `fieldValidation`. An API server refuses an apply with a field that is not in its
 * schema whatever it is told; with `Warn` or `Ignore` the fields that it names are left out, and it is asked once more.
 * @throws whatever the last `apply` throws.
 */
export async function applyKnownFields<Document extends JsonObject>(
  document: Document,
  { fieldValidation = 'Strict' }: Pick<WriteOptions, 'fieldValidation'>,
  apply: (document: Document) => Promise<WriteResult>,
): Promise<WriteResult> {
  try {
    return await apply(document);
  } catch (error) {
    const unknown = error instanceof ControlError ? unknownFieldsOf(error) : [];
    if (unknown.length === 0 || fieldValidation === 'Strict') throw error;
    const written = await apply(withoutFields(document, unknown));
    // In the words of the servers, of other requests than apply.
    const warnings = fieldValidation === 'Warn' ? unknown.map((path) => `unknown field "${path.slice(1)}"`) : [];
    return { ...written, warnings: [...warnings, ...written.warnings] };
  }
}

/** Only where nothing else is at fault: what else there is would be refused again. */
function unknownFieldsOf({ code, violations }: ControlError): string[] {
  const areAllUnknown = violations.every((violation) => violation.code === 'UnknownField');
  return code === 'KUBERNETES_REJECTED' && areAllUnknown ? violations.map(({ path }) => path) : [];
}

/**
 * The document without the fields at these paths, which are written as an API server writes them in its faults:
 * `.spec.template.spec.containers[name="web"].imag`, `.spec.ports[port=80,protocol="TCP"].prot`, `.spec.rules[0].hots`.
 * Paths that lead nowhere change nothing.
 */
export function withoutFields<Document extends JsonObject>(document: Document, paths: readonly string[]): Document {
  const copy = structuredClone(document);
  for (const path of paths) removeAt(copy, path);
  return copy;
}

/** Names may hold dots and brackets, which paths do not quote: every name that fits is tried. */
function removeAt(holder: Json | undefined, path: string): boolean {
  if (Array.isArray(holder)) return removeInList(holder, path);
  if (!isJsonObject(holder) || !path.startsWith('.')) return false;
  const rest = path.slice(1);
  if (Object.hasOwn(holder, rest)) {
    Reflect.deleteProperty(holder, rest);
    return true;
  }
  return Object.keys(holder)
    .filter((name) => rest.startsWith(name) && /^[.[]/.test(rest.slice(name.length)))
    .some((name) => removeAt(holder[name], rest.slice(name.length)));
}

function removeInList(items: readonly Json[], path: string): boolean {
  const [element, index] = /^\[(\d+)\]/.exec(path) ?? [];
  if (element !== undefined) return removeAt(items[Number(index)], path.slice(element.length));
  const [keys] =
    /^\[[^\]="]+=(?:"(?:[^"\\]|\\.)*"|[^\],"]*)(?:,[^\]="]+=(?:"(?:[^"\\]|\\.)*"|[^\],"]*))*\]/.exec(path) ?? [];
  if (keys === undefined) return false;
  const wanted = [...keys.matchAll(/([^[\],="]+)=("(?:[^"\\]|\\.)*"|[^\],"]*)/g)];
  return items
    .filter((item) => isJsonObject(item) && wanted.every(([, name, value]) => fits(item[name ?? ''], value ?? '')))
    .some((item) => removeAt(item, path.slice(keys.length)));
}

/** A key that a document leaves out has the value that the server gives it by default. */
function fits(value: Json | undefined, wanted: string): boolean {
  return value === undefined || JSON.stringify(value) === wanted;
}
