import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { WatchedCluster } from './cluster-watcher.js';
import type { Health, Observation, ObservationSource, RelationClaim } from './observation.js';
import { rawText, rawTextRecord } from './raw-reader.js';

/** What kubectl keeps for itself: the whole manifest once more, with whatever it holds. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** How an object of a cluster was seen. */
export interface KubernetesReading {
  cluster: WatchedCluster;
  /** When the question was sent, or the event came in. */
  observedAt: Date;
  source: ObservationSource;
}

/** What the kind knows about the object beyond what every object has. */
export interface KubernetesDescription {
  kind: string;
  health: Health;
  relations: RelationClaim[];
}

/** The group of an `apiVersion`: `''` for `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** The id of an object as a server shows it. @throws ControlError KUBERNETES_UNEXPECTED_ANSWER */
export function kubernetesIdOf(object: JsonObject, clusterUid: string): KubernetesId {
  const kind = rawText(object, 'kind');
  const name = rawText(object, 'metadata', 'name');
  const apiVersion = rawText(object, 'apiVersion');
  if (kind === null || name === null || apiVersion === null) {
    throw new ControlError('KUBERNETES_UNEXPECTED_ANSWER', 'The cluster showed an object without a kind or a name.');
  }
  const namespace = rawText(object, 'metadata', 'namespace') ?? undefined;
  return KubernetesId.of({ clusterUid, group: groupOf(apiVersion), kind, namespace, name });
}

/**
 * An object of a cluster as an observation. Its labels are its tags; place and subscription are its cluster's. Left out of
 * the raw properties is what changes without anything having changed (managedFields, resourceVersion, which is the etag).
 */
export function kubernetesObservation(
  object: JsonObject,
  reading: KubernetesReading,
  description: KubernetesDescription,
): Observation {
  const { cluster } = reading;
  const id = kubernetesIdOf(object, cluster.uid);
  const deleting = rawText(object, 'metadata', 'deletionTimestamp') !== null;
  return {
    kind: description.kind,
    id: id.toString(),
    canonicalId: id.canonical,
    name: id.name,
    location: cluster.location,
    subscriptionId: cluster.subscriptionId,
    resourceGroup: cluster.resourceGroup,
    clusterUid: cluster.uid,
    namespace: id.namespace ?? null,
    provisioningState: deleting ? 'Deleting' : null,
    health: description.health,
    tags: rawTextRecord(object, 'metadata', 'labels'),
    properties: withoutNoise(object),
    etag: rawText(object, 'metadata', 'resourceVersion'),
    observedAt: reading.observedAt,
    source: reading.source,
    relations: description.relations,
  };
}

function withoutNoise(object: JsonObject): JsonObject {
  const { metadata, ...rest } = object;
  if (!isJsonObject(metadata)) return rest;
  const { managedFields: _managedFields, resourceVersion: _resourceVersion, ...kept } = metadata;
  const { annotations } = kept;
  if (!isJsonObject(annotations) || !(LAST_APPLIED in annotations)) return { ...rest, metadata: kept };
  const { [LAST_APPLIED]: _lastApplied, ...others } = annotations;
  return { ...rest, metadata: { ...kept, annotations: others } };
}
