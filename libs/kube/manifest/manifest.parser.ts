import { YAMLException, loadAll } from 'js-yaml';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { KubernetesManifest } from '../kubernetes-object.js';
import { KUBERNETES_YAML } from './kubernetes-yaml.js';
import { documentPath, type ManifestProblem, type ManifestProblemCode } from './manifest-problem.js';

/** Of the text, in bytes. */
export const LARGEST_MANIFEST = 1024 * 1024;
export const MOST_DOCUMENTS = 500;
/** What a document may grow to where its aliases are put in: values, and characters of text. */
const MOST_VALUES = 100_000;
const MOST_CHARACTERS = 4 * LARGEST_MANIFEST;

/** A document that names one object. */
export type ManifestObject = KubernetesManifest & { metadata: KubernetesManifest['metadata'] & { name: string } };

/** One object of a manifest; what could be read of a faulty one is there too. */
export type ManifestEntry = {
  /** Its place in the manifest, from 0, the items of lists counted singly. */
  index: number;
  /** Where its document begins, from 1. */
  line: number;
  apiVersion: string | null;
  kind: string | null;
  /** As the document says; null where it says none. */
  namespace: string | null;
  name: string | null;
} & ({ verdict: 'sound'; object: ManifestObject } | { verdict: 'faulty'; problems: ManifestProblem[] });

export type SoundEntry = Extract<ManifestEntry, { verdict: 'sound' }>;

export interface ParsedManifest {
  entries: ManifestEntry[];
  /** Of the manifest as a whole. */
  problems: ManifestProblem[];
}

const GROUP = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const VERSION = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** What may stand in a path. */
const PATH_SEGMENT = /^(?!\.{1,2}$)[^/%]{1,253}$/u;
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Reads YAML of one or more documents, or JSON (an object, an array, a `List`), without asking anybody. What is wrong with
 * one document hides nothing of the others.
 */
export function parseManifest(text: string, defaultNamespace?: string): ParsedManifest {
  const size = Buffer.byteLength(text);
  if (size > LARGEST_MANIFEST) {
    return whole('MANIFEST_TOO_LARGE', `It has ${size} bytes; ${LARGEST_MANIFEST} are allowed.`, { size });
  }
  const entries: ManifestEntry[] = [];
  for (const document of documentsOf(text)) {
    // One more than allowed is enough to know that there are too many.
    if (entries.length > MOST_DOCUMENTS) break;
    for (const found of readDocument(document)) entries.push(entryOf(entries.length, found));
  }
  if (entries.length === 0) return whole('MANIFEST_EMPTY', 'There is no document in it.', {});
  if (entries.length > MOST_DOCUMENTS) {
    return whole('TOO_MANY_DOCUMENTS', `More than ${MOST_DOCUMENTS} documents are in it.`, { limit: MOST_DOCUMENTS });
  }
  return { entries: withoutDuplicates(entries, defaultNamespace), problems: [] };
}

/** The same manifest with more found out about an entry; one that was sound is faulty then. */
export function withProblem(entry: ManifestEntry, problem: ManifestProblem): ManifestEntry {
  const { index, line, apiVersion, kind, namespace, name } = entry;
  const problems = entry.verdict === 'faulty' ? [...entry.problems, problem] : [problem];
  return { index, line, apiVersion, kind, namespace, name, verdict: 'faulty', problems };
}

export function problemOf(
  entry: Pick<ManifestEntry, 'index' | 'line'>,
  code: ManifestProblemCode,
  message: string,
  field = '',
  more: { evidence?: JsonObject; remedy?: string } = {},
): ManifestProblem {
  const { evidence = {}, remedy } = more;
  const path = documentPath(entry.index, field);
  const problem = { index: entry.index, code, message, path, line: entry.line, evidence };
  return remedy === undefined ? problem : { ...problem, remedy };
}

function whole(code: ManifestProblemCode, message: string, evidence: JsonObject): ParsedManifest {
  return { entries: [], problems: [{ index: null, code, message, path: '', line: null, evidence }] };
}

interface SourceDocument {
  source: string;
  /** Of the source, from 1. */
  firstLine: number;
  /** Of the first thing in it that is no comment. */
  line: number;
}

/** A line that begins with `---` or `...` ends a document wherever it stands: YAML allows it inside no value. */
function documentsOf(text: string): SourceDocument[] {
  const documents: SourceDocument[] = [];
  let lines: string[] = [];
  let start = 1;
  const close = (nextStart: number): void => {
    // Directives (`%YAML`) say nothing that is of use here.
    const content = lines.findIndex((line) => !/^(\s*(#.*)?|---\s*(#.*)?|%.*)$/.test(line));
    if (content >= 0) documents.push({ source: lines.join('\n'), firstLine: start, line: start + content });
    lines = [];
    start = nextStart;
  };
  const all = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [at, line] of all.entries()) {
    if (/^---(\s|$)/.test(line)) close(at + 1);
    if (/^\.\.\.(\s|$)/.test(line)) {
      close(at + 2);
      continue;
    }
    lines.push(line);
  }
  close(all.length + 1);
  return documents;
}

/** What a document turned out to hold: a value for each object in it, or why it cannot be read. */
type Found =
  { line: number; value: Json } | { line: number; code: ManifestProblemCode; message: string; looksSecret: boolean };

function readDocument({ source, firstLine, line }: SourceDocument): Found[] {
  let values: unknown[];
  try {
    values = loadAll(source, { schema: KUBERNETES_YAML });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    // Only the reason: what stands around the fault may be a value that is nobody's business.
    const code = error.reason.startsWith('nesting exceeded') ? 'DOCUMENT_TOO_COMPLEX' : 'MALFORMED_DOCUMENT';
    const at = firstLine + (error.mark?.line ?? 0);
    return [{ line: at, code, message: `Line ${at}: ${error.reason}.`, looksSecret: looksLikeSecret(source) }];
  }
  return values.flatMap((value): Found[] => {
    try {
      const json = new JsonCopier().copy(value, '');
      return isNothing(json) ? [] : itemsOf(json).map((item) => ({ line, value: item }));
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      return [{ line, code: error.code, message: error.message, looksSecret: looksLikeSecret(source) }];
    }
  });
}

function looksLikeSecret(source: string): boolean {
  return /\bkind["']?\s*:\s*["']?Secret\b/.test(source) && /\b(data|stringData)["']?\s*:/.test(source);
}

function isNothing(value: Json): boolean {
  return value === null;
}

function itemsOf(value: Json): Json[] {
  if (Array.isArray(value)) return value.flatMap(itemsOf);
  if (
    isJsonObject(value) &&
    typeof value.kind === 'string' &&
    value.kind.endsWith('List') &&
    Array.isArray(value.items)
  ) {
    return value.items.flatMap(itemsOf);
  }
  return [value];
}

class NotJson extends Error {
  constructor(
    readonly code: ManifestProblemCode,
    message: string,
  ) {
    super(message);
  }
}

/** Copies what the parser gave into plain JSON, with aliases put in, as far as it stays within bounds. */
class JsonCopier {
  #values = 0;
  #characters = 0;
  readonly #above = new Set<unknown>();

  /** @throws NotJson */
  copy(value: unknown, path: string): Json {
    this.#count(typeof value === 'string' ? value.length : 0);
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        if (Number.isFinite(value)) return value;
        throw new NotJson('UNSUPPORTED_VALUE', `${path} is not a finite number.`);
      case 'bigint':
        throw new NotJson('UNSUPPORTED_VALUE', `${path} is a whole number with more digits than can be kept exactly.`);
      case 'object':
        if (value === null) return null;
        return this.#copyDeep(value, path);
      default:
        throw new NotJson('UNSUPPORTED_VALUE', `${path} is no value of JSON.`);
    }
  }

  #copyDeep(value: object, path: string): Json {
    if (this.#above.has(value)) throw new NotJson('DOCUMENT_TOO_COMPLEX', `${path} contains itself.`);
    this.#above.add(value);
    const copy = Array.isArray(value)
      ? value.map((item, at) => this.copy(item, `${path}[${at}]`))
      : Object.fromEntries(
          Object.entries(value).map(([name, member]) => {
            this.#count(name.length);
            return [name, this.copy(member, `${path}.${name}`)];
          }),
        );
    this.#above.delete(value);
    return copy;
  }

  #count(characters: number): void {
    this.#values += 1;
    this.#characters += characters;
    if (this.#values > MOST_VALUES || this.#characters > MOST_CHARACTERS) {
      throw new NotJson('DOCUMENT_TOO_COMPLEX', 'It grows beyond what is taken where its aliases are put in.');
    }
  }
}

function entryOf(index: number, found: Found): ManifestEntry {
  const { line } = found;
  const where = { index, line };
  if ('code' in found) {
    const problems = [problemOf(where, found.code, found.message)];
    if (found.looksSecret) problems.push(secretProblem(where));
    return { ...where, apiVersion: null, kind: null, namespace: null, name: null, verdict: 'faulty', problems };
  }
  if (!isJsonObject(found.value)) {
    const problems = [problemOf(where, 'NOT_AN_OBJECT', `It is ${nameOfType(found.value)}.`)];
    return { ...where, apiVersion: null, kind: null, namespace: null, name: null, verdict: 'faulty', problems };
  }
  const object = found.value;
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  const identity = {
    ...where,
    apiVersion: textOf(object.apiVersion),
    kind: textOf(object.kind),
    namespace: textOf(metadata.namespace),
    name: textOf(metadata.name),
  };
  const problems = problemsOf(where, object, metadata);
  return problems.length === 0
    ? { ...identity, verdict: 'sound', object: object as ManifestObject }
    : { ...identity, verdict: 'faulty', problems };
}

function problemsOf(
  where: Pick<ManifestEntry, 'index' | 'line'>,
  object: JsonObject,
  metadata: JsonObject,
): ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  const say = (code: ManifestProblemCode, message: string, field: string, remedy?: string): void => {
    problems.push(problemOf(where, code, message, field, remedy === undefined ? {} : { remedy }));
  };
  const { apiVersion, kind } = object;
  if (!isApiVersion(apiVersion)) say('API_VERSION_INVALID', `apiVersion is ${shown(apiVersion)}.`, '.apiVersion');
  if (typeof kind !== 'string' || !KIND.test(kind)) say('KIND_INVALID', `kind is ${shown(kind)}.`, '.kind');
  const { name, generateName, namespace } = metadata;
  if (name === undefined || name === null || name === '') {
    if (typeof generateName === 'string') {
      const remedy = 'Give it a metadata.name.';
      say('NAME_GENERATED', 'generateName makes a new object each time.', '.metadata.generateName', remedy);
    } else say('NAME_MISSING', 'metadata.name is not there.', '.metadata.name');
  } else {
    const why = typeof name === 'string' ? nameFault(textOf(apiVersion), textOf(kind), name) : 'it is not a text';
    if (why !== undefined) say('NAME_INVALID', `metadata.name is ${shown(name)}: ${why}.`, '.metadata.name');
  }
  if (namespace !== undefined && namespace !== null && namespace !== '') {
    if (typeof namespace !== 'string' || !DNS_LABEL.test(namespace)) {
      const message = `metadata.namespace is ${shown(namespace)}; wanted are up to 63 lower-case letters, digits and hyphens.`;
      say('NAMESPACE_INVALID', message, '.metadata.namespace');
    }
  }
  if (holdsSecretValues(object, metadata)) problems.push(secretProblem(where));
  return problems;
}

function secretProblem(where: Pick<ManifestEntry, 'index' | 'line'>): ManifestProblem {
  return problemOf(where, 'SECRET_IN_MANIFEST', 'It is a Secret and holds its values.', '', {
    remedy:
      'Use kubernetes.registrySecret.create for the credentials of an image registry; bring other values in by an external secret store.',
  });
}

function holdsSecretValues(object: JsonObject, metadata: JsonObject): boolean {
  if (object.kind !== 'Secret') return false;
  const { annotations } = metadata;
  const holders = [object.data, object.stringData];
  return (
    holders.some((holder) => holder !== undefined && holder !== null && !isEmptyObject(holder)) ||
    (isJsonObject(annotations) && annotations[LAST_APPLIED] !== undefined)
  );
}

function isEmptyObject(value: Json): boolean {
  return isJsonObject(value) && Object.keys(value).length === 0;
}

function isApiVersion(value: Json | undefined): boolean {
  if (typeof value !== 'string') return false;
  const parts = value.split('/');
  const version = parts.pop() ?? '';
  return VERSION.test(version) && (parts.length === 0 || (parts.length === 1 && GROUP.test(parts[0] ?? '')));
}

/**
 * Why Kubernetes would refuse the name. What is not known to be stricter may be whatever fits into a path: the dry run on
 * the cluster has the last word.
 */
function nameFault(apiVersion: string | null, kind: string | null, name: string): string | undefined {
  const group = apiVersion?.includes('/') === true ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  if (group === '' && (kind === 'Namespace' || kind === 'Service')) {
    return DNS_LABEL.test(name) ? undefined : 'wanted are up to 63 lower-case letters, digits and hyphens';
  }
  const isRbac = group === 'rbac.authorization.k8s.io';
  const isBuiltIn = !isRbac && (!group.includes('.') || group.endsWith('.k8s.io'));
  if (isBuiltIn) {
    return DNS_SUBDOMAIN.test(name)
      ? undefined
      : 'wanted are up to 253 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends';
  }
  return PATH_SEGMENT.test(name) ? undefined : 'it cannot stand in a path';
}

function withoutDuplicates(entries: readonly ManifestEntry[], defaultNamespace: string | undefined): ManifestEntry[] {
  const firstByKey = new Map<string, number>();
  return entries.map((entry) => {
    if (entry.apiVersion === null || entry.kind === null || entry.name === null) return entry;
    const group = entry.apiVersion.includes('/') ? entry.apiVersion.slice(0, entry.apiVersion.indexOf('/')) : '';
    const namespace = entry.namespace ?? defaultNamespace ?? 'default';
    const key = [group, entry.kind, namespace, entry.name].join('|');
    const first = firstByKey.get(key);
    if (first === undefined) {
      firstByKey.set(key, entry.index);
      return entry;
    }
    const message = `It is the object of ${documentPath(first)} once more.`;
    return withProblem(entry, problemOf(entry, 'DUPLICATE_DOCUMENT', message, '', { evidence: { first } }));
  });
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return 'not there';
  return typeof value === 'string' ? `"${value.slice(0, 100)}"` : nameOfType(value);
}

function nameOfType(value: Json): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'a text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    default:
      return 'an object';
  }
}
