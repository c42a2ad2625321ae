import { isJsonObject, type Json } from '#libs/kernel/json.js';
import type { KubeCall } from '../cluster-access.js';
import type { ClusterClient } from '../cluster-client.js';
import type { ApiResource } from '../kubernetes-object.js';
import { isFleetHub, isRefusedOnHub } from './fleet-hub.js';
import { groupOfApiVersion } from './manifest.order.js';
import {
  parseManifest,
  problemOf,
  withProblem,
  type ManifestEntry,
  type ManifestObject,
  type ParsedManifest,
  type SoundEntry,
} from './manifest.parser.js';
import type { ManifestProblem } from './manifest-problem.js';
import { findOutdatedFleetDocument, outdatedNetworking, type OutdatedFleetDocument } from './outdated-fleet-api.js';

/** Where objects go that say nothing else. */
const DEFAULT_NAMESPACE = 'default';

/** Reads a manifest and recognises what was written for APIs that are gone; asks nobody. */
export function readManifest(text: string, namespace?: string): ParsedManifest {
  const { entries, problems } = parseManifest(text, namespace);
  return {
    problems,
    entries: entries.map((entry) => {
      const outdated = entry.verdict === 'sound' ? findOutdatedFleetDocument(entry.object) : undefined;
      return outdated === undefined ? entry : withProblem(entry, outdatedProblem(entry, outdated));
    }),
  };
}

/** An object of the manifest and where it goes on this cluster. */
export interface PlacedDocument {
  entry: SoundEntry;
  resource: ApiResource;
  /** undefined for objects of the cluster itself. */
  namespace: string | undefined;
  /** With the namespace that it goes to. */
  object: ManifestObject;
}

export type Placement =
  | { placement: 'placed'; document: PlacedDocument }
  /** The manifest itself defines the kind; it is not served yet. */
  | { placement: 'undefined-yet'; entry: SoundEntry }
  | { placement: 'faulty'; entry: Extract<ManifestEntry, { verdict: 'faulty' }> };

/** Finds out what this cluster has for every document: its resource, its namespace, whether it takes such things at all. */
export async function placeDocuments(
  client: ClusterClient,
  entries: readonly ManifestEntry[],
  namespace: string | undefined,
  call: KubeCall,
): Promise<Placement[]> {
  const onHub = await isFleetHub(client, call);
  const contents = new ManifestContents(entries, namespace);
  return Promise.all(entries.map((entry) => placeEntry(client, entry, { namespace, onHub, contents }, call)));
}

async function placeEntry(
  client: ClusterClient,
  entry: ManifestEntry,
  given: { namespace: string | undefined; onHub: boolean; contents: ManifestContents },
  call: KubeCall,
): Promise<Placement> {
  if (entry.verdict === 'faulty') return { placement: 'faulty', entry };
  const { object } = entry;
  const faulty = (problem: ManifestProblem): Placement => {
    const judged = withProblem(entry, problem);
    return judged.verdict === 'faulty' ? { placement: 'faulty', entry: judged } : { placement: 'undefined-yet', entry };
  };
  const namespace = entry.namespace ?? given.namespace ?? DEFAULT_NAMESPACE;
  if (given.onHub && isRefusedOnHub(object, namespace)) {
    const remedy = 'Apply a Deployment and a ClusterResourcePlacement: the members of the fleet then run its pods.';
    return faulty(problemOf(entry, 'POD_ON_HUB', `A hub refuses a ${object.kind}.`, '.kind', { remedy }));
  }
  const type = { group: groupOfApiVersion(object.apiVersion), kind: object.kind };
  const version = object.apiVersion.slice(object.apiVersion.indexOf('/') + 1);
  const resource = await client.findResource({ ...type, version }, call);
  if (resource === undefined) {
    if (given.contents.defines(object)) return { placement: 'undefined-yet', entry };
    return faulty(notServed(entry, await client.findResource(type, call)));
  }
  if (!resource.namespaced && entry.namespace !== null) {
    const message = `A ${object.kind} belongs to the whole cluster.`;
    return faulty(
      problemOf(entry, 'NAMESPACE_NOT_ALLOWED', message, '.metadata.namespace', { remedy: 'Leave the namespace out.' }),
    );
  }
  const { namespace: _given, ...metadata } = object.metadata;
  const place = resource.namespaced ? namespace : undefined;
  const placed = { ...object, metadata: { ...metadata, ...(place === undefined ? {} : { namespace: place }) } };
  return { placement: 'placed', document: { entry, resource, namespace: place, object: placed } };
}

function notServed(entry: SoundEntry, other: ApiResource | undefined): ManifestProblem {
  const { apiVersion, kind } = entry.object;
  if (other === undefined) {
    const message = `The cluster serves no ${kind} of ${apiVersion}.`;
    const remedy =
      'Install the definition of the kind first (CustomResourceDefinition), or correct apiVersion and kind.';
    return problemOf(entry, 'KIND_NOT_SERVED', message, '.apiVersion', { evidence: { served: null }, remedy });
  }
  const outdated = outdatedNetworking(entry.object, other);
  if (outdated !== undefined) return outdatedProblem(entry, outdated);
  const served = other.group === '' ? other.version : `${other.group}/${other.version}`;
  const message = `The cluster serves ${kind} as ${served}, not as ${apiVersion}.`;
  const remedy = `Write apiVersion: ${served}.`;
  return problemOf(entry, 'KIND_NOT_SERVED', message, '.apiVersion', { evidence: { served }, remedy });
}

function outdatedProblem(entry: ManifestEntry, outdated: OutdatedFleetDocument): ManifestProblem {
  const { code, message, remedy, replacement } = outdated;
  const field = code === 'OUTDATED_FLEET_API' ? '.apiVersion' : '.spec.policy.affinity.clusterAffinity';
  return problemOf(entry, code, message, field, { evidence: { replacement }, remedy });
}

/** What a manifest brings along that other documents of it may stand on. */
export class ManifestContents {
  readonly #namespaces = new Map<string, SoundEntry>();
  readonly #types = new Map<string, SoundEntry>();
  readonly #roles = new Set<string>();

  constructor(
    entries: readonly ManifestEntry[],
    private readonly namespace: string | undefined,
  ) {
    for (const entry of entries) {
      if (entry.verdict === 'faulty') continue;
      const { object } = entry;
      switch (`${groupOfApiVersion(object.apiVersion)}/${object.kind}`) {
        case '/Namespace':
          this.#namespaces.set(object.metadata.name, entry);
          break;
        case 'apiextensions.k8s.io/CustomResourceDefinition':
          this.#types.set(typeKey(member(object.spec, 'group'), member(object.spec, 'names', 'kind')), entry);
          break;
        case 'rbac.authorization.k8s.io/ClusterRole':
        case 'rbac.authorization.k8s.io/Role':
          this.#roles.add(this.#roleKey(entry, object.kind, object.metadata.name));
          break;
        default:
      }
    }
  }

  /** The document that makes the namespace. */
  namespaceNamed(name: string): SoundEntry | undefined {
    return this.#namespaces.get(name);
  }

  /** The document that defines the kind of this one. */
  definitionOf(object: { apiVersion: string; kind: string }): SoundEntry | undefined {
    return this.#types.get(typeKey(groupOfApiVersion(object.apiVersion), object.kind));
  }

  defines(object: { apiVersion: string; kind: string }): boolean {
    return this.definitionOf(object) !== undefined;
  }

  /** Whether a binding binds a role that the manifest makes. */
  makesRoleOf(entry: SoundEntry): boolean {
    const [kind, name] = [member(entry.object.roleRef, 'kind'), member(entry.object.roleRef, 'name')];
    return typeof kind === 'string' && typeof name === 'string' && this.#roles.has(this.#roleKey(entry, kind, name));
  }

  #roleKey(entry: SoundEntry, kind: string, name: string): string {
    const namespace = kind === 'Role' ? (entry.namespace ?? this.namespace ?? DEFAULT_NAMESPACE) : '';
    return [kind, namespace, name].join('|');
  }
}

function typeKey(group: Json | undefined, kind: Json | undefined): string {
  return JSON.stringify([group, kind]);
}

function member(value: Json | undefined, ...path: string[]): Json | undefined {
  return path.reduce<Json | undefined>((current, name) => (isJsonObject(current) ? current[name] : undefined), value);
}
