// Writes apps/simulator/kubernetes/definitions/built-in.schemas.json: the schemas of the built-in kinds, taken from the
// generated models of the Kubernetes client (names, types, what is required, descriptions) and the tables beside this file.
// Run at development time only: node scripts/generate-kubernetes-definitions.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  ATOMIC_MEMBERS,
  ATOMIC_MODELS,
  ENUMS,
  GRANULAR_MEMBERS,
  KEY_DEFAULTS,
  KINDS,
  MAP_LISTS,
  META_MODELS,
  NEWER_MEMBERS,
  PATCHED_ATOMIC_LISTS,
  QUANTITY_MEMBERS,
  RETAIN_KEYS,
  SET_LISTS,
  ZERO_VALUES,
} from './kubernetes-definitions.tables.mjs';

const root = path.resolve(import.meta.dirname, '..');
const models = path.join(root, 'node_modules/@kubernetes/client-node/dist/gen/models');
const target = path.join(root, 'apps/simulator/kubernetes/definitions/built-in.schemas.json');
const META_PACKAGE = 'io.k8s.apimachinery.pkg.apis.meta.v1';
/** The models' own prefixes for equal names in several groups. */
const SHORT_NAME = /^(?:(?:Core|Events|Discovery|Rbac|Storage|Authentication|Apiextensions)?V[0-9]+)/;

const definitions = {};
const names = new Map();
const used = new Set();

for (const [groupVersion, { package: packageName, models: kinds }] of Object.entries(KINDS)) {
  const [group, version] = groupVersion.split('/');
  for (const model of kinds) {
    const name = await define(model, packageName);
    definitions[name]['x-kubernetes-group-version-kind'] = [{ group, kind: shortName(model), version }];
  }
}
await define('V1Status', META_PACKAGE);
await define('V1DeleteOptions', META_PACKAGE);

const tables = { MAP_LISTS, SET_LISTS, PATCHED_ATOMIC_LISTS, QUANTITY_MEMBERS, ZERO_VALUES, KEY_DEFAULTS, ENUMS };
for (const [table, content] of Object.entries({
  ...tables,
  ATOMIC_MEMBERS,
  GRANULAR_MEMBERS,
  NEWER_MEMBERS,
  RETAIN_KEYS,
})) {
  const keys = Array.isArray(content) || content instanceof Set ? [...content] : Object.keys(content);
  const stale = keys.filter((key) => !used.has(key));
  if (stale.length > 0) throw new Error(`${table} names what is not there: ${stale.join(', ')}`);
}

const sorted = Object.fromEntries(Object.entries(definitions).toSorted(([a], [b]) => (a < b ? -1 : 1)));
const unknownAtomic = [...ATOMIC_MODELS].filter((model) => !names.has(model));
if (unknownAtomic.length > 0) throw new Error(`ATOMIC_MODELS names what is not there: ${unknownAtomic.join(', ')}`);

writeFileSync(target, `${JSON.stringify(sorted)}\n`);

/** Describes a model and all that it mentions. @returns its name in the document. */
async function define(model, packageName) {
  const known = names.get(model);
  if (known !== undefined) return known;
  const name = `${META_MODELS.includes(model) ? META_PACKAGE : packageName}.${shortName(model)}`;
  names.set(model, name);
  const members = (await import(pathToFileURL(path.join(models, `${model}.js`)).href))[model].getAttributeTypeMap();
  const { description, comments, required } = declaration(model);
  const properties = {};
  const definition = { description, type: 'object', required: [], properties };
  definitions[name] = definition;
  for (const { name: attribute, baseName, type, format } of members) {
    const key = `${model}.${baseName}`;
    used.add(key);
    if (NEWER_MEMBERS.has(key)) continue;
    if (required.has(attribute)) definition.required.push(baseName);
    const schema = await member(key, type, format, packageName);
    properties[baseName] = { description: comments.get(attribute), ...beside(schema), ...extras(key, members) };
  }
  if (definition.required.length === 0) delete definition.required;
  if (ATOMIC_MODELS.has(model)) definition['x-kubernetes-map-type'] = 'atomic';
  return name;
}

function reference(name) {
  return { $ref: `#/components/schemas/${name}` };
}

/** A reference that has something beside it stands in an `allOf`. */
function beside(schema) {
  return schema.$ref === undefined ? schema : { allOf: [schema] };
}

async function member(key, type, format, packageName) {
  const list = /^Array<(.*)>$/.exec(type);
  if (list !== null) return { type: 'array', items: await member(key, list[1], '', packageName) };
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map !== null) return { type: 'object', additionalProperties: await member(key, map[1], '', packageName) };
  switch (type) {
    case 'string':
      if (QUANTITY_MEMBERS.has(key)) return { type: 'string', format: 'quantity' };
      return { type: 'string', ...(format === '' ? {} : { format }) };
    case 'number':
      return format === 'double'
        ? { type: 'number', format }
        : { type: 'integer', format: format === '' ? 'int32' : format };
    case 'boolean':
      return { type: 'boolean' };
    case 'Date':
    case 'V1MicroTime':
      return { type: 'string', format: 'date-time' };
    case 'IntOrString':
      return { 'x-kubernetes-int-or-string': true, format: 'int-or-string' };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    case 'object':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    default:
      return reference(await define(type, packageName));
  }
}

/** What the tables say about a member. */
function extras(key, members) {
  const result = {};
  if (key in MAP_LISTS) {
    const { keys, strategy = 'merge' } = MAP_LISTS[key];
    result['x-kubernetes-list-type'] = 'map';
    result['x-kubernetes-list-map-keys'] = keys;
    if (strategy !== null) {
      result['x-kubernetes-patch-strategy'] = strategy;
      result['x-kubernetes-patch-merge-key'] = keys[0];
    }
  }
  if (key in SET_LISTS) {
    result['x-kubernetes-list-type'] = 'set';
    if (SET_LISTS[key]) result['x-kubernetes-patch-strategy'] = 'merge';
  }
  const patched = PATCHED_ATOMIC_LISTS[key];
  if (patched !== undefined) {
    result['x-kubernetes-patch-strategy'] = 'merge';
    result['x-kubernetes-patch-merge-key'] = patched;
  }
  if (RETAIN_KEYS.includes(key)) result['x-kubernetes-patch-strategy'] = 'retainKeys';
  if (ATOMIC_MEMBERS.has(key)) result['x-kubernetes-map-type'] = 'atomic';
  if (GRANULAR_MEMBERS.has(key)) result['x-kubernetes-map-type'] = 'granular';
  if (key in ENUMS) result.enum = ENUMS[key];
  if (key in ZERO_VALUES) result.default = ZERO_VALUES[key];
  else if (key in KEY_DEFAULTS) result.default = KEY_DEFAULTS[key];
  else if (isStructOfKind(key, members)) result.default = {};
  return result;
}

/** `metadata`, `spec` and `status` of a kind (and of templates) are structs: always there. */
function isStructOfKind(key, members) {
  const [, name] = key.split('.');
  const has = (baseName, type) =>
    members.some((m) => m.baseName === baseName && (type === undefined || m.type === type));
  if (!has('metadata', 'V1ObjectMeta')) return false;
  return name === 'metadata' || ((name === 'spec' || name === 'status') && has('kind'));
}

/** What only the type declaration of a model tells. */
function declaration(model) {
  const text = readFileSync(path.join(models, `${model}.d.ts`), 'utf8');
  const clean = (comment) => comment.replaceAll(/\\(['"`])/g, '$1').trim();
  const description = /\/\*\*\n\* (.*)\n\*\/\nexport declare class/.exec(text)?.[1] ?? '';
  const comments = new Map();
  const required = new Set();
  for (const [, comment, name, optional] of text.matchAll(/(?:\/\*\*\n\s+\* (.*)\n\s+\*\/\n)?\s+'([^']+)'(\?)?: /g)) {
    if (comment !== undefined) comments.set(name, clean(comment));
    if (optional === undefined) required.add(name);
  }
  return { description: clean(description), comments, required };
}

function shortName(model) {
  return model.replace(SHORT_NAME, '');
}
