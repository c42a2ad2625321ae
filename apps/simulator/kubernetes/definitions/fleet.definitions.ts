import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';

/** The CustomResourceDefinitions that a fleet's hub cluster serves. Parsed once in a process; not to be changed. */
export function hubDefinitions(): readonly JsonObject[] {
  return definitions(() => true);
}

/** Those that the agents put on a member cluster. */
export function memberDefinitions(): readonly JsonObject[] {
  return definitions((name) => MEMBER_DEFINITIONS.has(name));
}

/** What users and agents keep on a member itself; slices of endpoints and all else of Fleet are exchanged on the hub. */
const MEMBER_DEFINITIONS: ReadonlySet<string> = new Set([
  'appliedworks.placement.kubernetes-fleet.io',
  'multiclusterservices.networking.fleet.azure.com',
  'serviceexports.networking.fleet.azure.com',
  'serviceimports.networking.fleet.azure.com',
]);

const DIRECTORY = join(import.meta.dirname, 'fleet');

const parsed = new Map<string, JsonObject>();

function definitions(wanted: (name: string) => boolean): readonly JsonObject[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.endsWith('.yaml') && wanted(definitionName(file)))
    .sort()
    .map((file) => read(file));
}

/** `placement.kubernetes-fleet.io_works.yaml` holds `works.placement.kubernetes-fleet.io`. */
function definitionName(file: string): string {
  const [group = '', plural = ''] = file.slice(0, -'.yaml'.length).split('_');
  return `${plural}.${group}`;
}

function read(file: string): JsonObject {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const content: unknown = load(readFileSync(join(DIRECTORY, file), 'utf8'));
  if (!isJsonObject(content)) throw new Error(`${file} does not hold a definition`);
  parsed.set(file, content);
  return content;
}
