import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation } from '../contract/observation.js';
import { rawText, rawTextRecord } from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { conditionsOf, isDeleting } from './condition.properties.js';

const namespaceProperties = z.object({
  phase: z.string().nullable().describe('`Active`, or `Terminating` while what it holds is being deleted.'),
  labels: z.record(z.string(), z.string()).describe('The labels of the namespace.'),
});

export const namespaceKind: KindDefinition<typeof namespaceProperties> = {
  name: 'Namespace',
  description: 'A namespace of a cluster.',
  kubernetesTypes: [{ group: '', kind: 'Namespace' }],
  properties: namespaceProperties,
  describe: (raw) => ({ phase: rawText(raw, 'status', 'phase'), labels: rawTextRecord(raw, 'metadata', 'labels') }),
  relations: [clusterRelation({ name: 'namespaces', description: 'The namespaces of the cluster.' })],
};

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeNamespace(object: JsonObject, reading: KubernetesReading): Observation {
  return kubernetesObservation(object, reading, {
    kind: namespaceKind.name,
    health: healthOf(object),
    relations: [],
  });
}

function healthOf(raw: JsonObject): Health {
  const phase = rawText(raw, 'status', 'phase');
  if (phase === 'Terminating' || isDeleting(raw)) return terminating(raw);
  if (phase === 'Active') return { state: 'Healthy', reason: null };
  return { state: 'Unknown', reason: 'The cluster does not say in which phase it is.' };
}

/** Objects whose finalizers nobody serves any more keep a namespace for ever; then the namespace says so. */
function terminating(raw: JsonObject): Health {
  const failure = conditionsOf(raw).find(({ type, status }) => status === 'True' && type?.endsWith('Failure') === true);
  if (failure === undefined) return { state: 'Progressing', reason: 'It is being deleted.' };
  return { state: 'Degraded', reason: failure.message ?? 'Its deletion has failed.' };
}
