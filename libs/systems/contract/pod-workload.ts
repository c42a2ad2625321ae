import type { JsonObject } from '#libs/kernel/json.js';
import { groupOf } from './kubernetes-observation.js';
import { namedObject } from './named-object.js';
import { rawFlag, rawObjects, rawText } from './raw-reader.js';

/** The canonical id of the workload that a pod belongs to. */
export function workloadOf(pod: JsonObject, clusterUid: string, namespace: string | undefined): string | undefined {
  const owner = ownerOf(pod);
  const name = rawText(owner, 'name');
  if (name === null || groupOf(rawText(owner, 'apiVersion') ?? '') !== 'apps') return undefined;
  const kind = rawText(owner, 'kind');
  switch (kind) {
    case 'ReplicaSet': {
      // A Deployment names its ReplicaSets after itself and the hash that it puts on their pods.
      const suffix = `-${rawText(pod, 'metadata', 'labels', 'pod-template-hash')}`;
      if (!name.endsWith(suffix)) return undefined;
      return namedObject({
        clusterUid,
        group: 'apps',
        kind: 'Deployment',
        namespace,
        name: name.slice(0, -suffix.length),
      });
    }
    case 'StatefulSet':
    case 'DaemonSet':
      return namedObject({ clusterUid, group: 'apps', kind, namespace, name });
    default:
      return undefined;
  }
}

/** The object whose controller made a pod. */
export function ownerOf(pod: JsonObject): JsonObject | undefined {
  return rawObjects(pod, 'metadata', 'ownerReferences').find((owner) => rawFlag(owner, 'controller') === true);
}
