import type { JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { groupOfApiVersion } from '#libs/kube/manifest/manifest.order.js';
import type { ParsedManifest, SoundEntry } from '#libs/kube/manifest/manifest.parser.js';
import { placeDocuments, readManifest } from '#libs/kube/manifest/manifest.placement.js';
import { rawText } from '../contract/raw-reader.js';
import { CLUSTER_GROUP, PLACEMENT_GROUP } from './fleet-object.js';
import type { ResourceSelector } from './placement.policy.js';
import { SERVICE_EXPORT } from './service-export.kind.js';

/** What runs pods, and tells how many of them are ready. */
const WORKLOAD_KINDS = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

/** A manifest that is to be placed as one: in one namespace, with what of the whole cluster it needs. */
export interface WorkloadManifest {
  /** As it was given. */
  manifest: ParsedManifest;
  /** With the namespace, where the manifest does not make it itself: for checking before it is there. */
  complete: ParsedManifest;
  /** Objects of other namespaces, and other namespaces: no placement of this one would bring them anywhere. */
  outside: SoundEntry[];
  /** Placements and other objects of Fleet itself, which speak of the whole fleet. */
  ofFleet: SoundEntry[];
}

export function readWorkload(text: string, namespace: string): WorkloadManifest {
  const manifest = readManifest(text, namespace);
  const sound = manifest.entries.filter((entry) => entry.verdict === 'sound');
  const makesNamespace = sound.some((entry) => isNamespace(entry) && entry.name === namespace);
  const document = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${namespace}\n`;
  return {
    manifest,
    complete: makesNamespace ? manifest : readManifest(`${text}\n---\n${document}`, namespace),
    outside: sound.filter(
      (entry) => (entry.namespace ?? namespace) !== namespace || (isNamespace(entry) && entry.name !== namespace),
    ),
    ofFleet: sound.filter((entry) => [PLACEMENT_GROUP, CLUSTER_GROUP].includes(groupOf(entry))),
  };
}

function isNamespace(entry: SoundEntry): boolean {
  return groupOf(entry) === '' && entry.kind === 'Namespace';
}

function groupOf(entry: SoundEntry): string {
  return groupOfApiVersion(entry.object.apiVersion);
}

/** What belongs to no namespace and is placed beside it: definitions, cluster roles, … */
export async function clusterWideSelectors(
  hub: ClusterClient,
  { manifest }: WorkloadManifest,
  namespace: string,
  call: KubeCall,
): Promise<ResourceSelector[]> {
  const placements = await placeDocuments(hub, manifest.entries, namespace, call);
  return placements.flatMap((placed): ResourceSelector[] => {
    if (placed.placement !== 'placed' || placed.document.resource.namespaced) return [];
    const { resource, entry } = placed.document;
    if (isNamespace(entry)) return [];
    const { group, version, kind } = resource;
    return [{ group, version, kind, name: entry.object.metadata.name }];
  });
}

/** The services of the manifest by name. */
export function servicesOf({ manifest }: WorkloadManifest): ReadonlyMap<string, JsonObject> {
  return new Map(
    manifest.entries.flatMap((entry) =>
      entry.verdict === 'sound' && groupOf(entry) === '' && entry.kind === 'Service'
        ? [[entry.object.metadata.name, entry.object] as const]
        : [],
    ),
  );
}

/** The names of the services that the manifest exports itself. */
export function exportsOf({ manifest }: WorkloadManifest): ReadonlySet<string> {
  return new Set(
    manifest.entries.flatMap((entry) =>
      entry.verdict === 'sound' && groupOf(entry) === SERVICE_EXPORT.group && entry.kind === SERVICE_EXPORT.kind
        ? [entry.object.metadata.name]
        : [],
    ),
  );
}

/** What of the manifest runs pods. */
export function workloadsOf({ manifest }: WorkloadManifest): { kind: string; name: string }[] {
  return manifest.entries.flatMap((entry) =>
    entry.verdict === 'sound' && groupOf(entry) === 'apps' && WORKLOAD_KINDS.has(entry.object.kind)
      ? [{ kind: entry.object.kind, name: entry.object.metadata.name }]
      : [],
  );
}

/** How many pods of a workload are ready, and how many there are to be. */
export function podCounts(workload: JsonObject): { ready: number; wanted: number } {
  const count = (...path: string[]): number | undefined => {
    const value = path.reduce<unknown>((part, name) => (part as JsonObject | undefined)?.[name], workload);
    return typeof value === 'number' ? value : undefined;
  };
  return rawText(workload, 'kind') === 'DaemonSet'
    ? { ready: count('status', 'numberReady') ?? 0, wanted: count('status', 'desiredNumberScheduled') ?? 0 }
    : { ready: count('status', 'readyReplicas') ?? 0, wanted: count('spec', 'replicas') ?? 1 };
}
