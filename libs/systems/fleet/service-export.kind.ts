import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation } from '../contract/observation.js';
import { rawFlag, rawMember, rawText } from '../contract/raw-reader.js';
import { NETWORKING_GROUP, deletionHealth, otherObjectId } from './fleet-object.js';
import { conditionText, findCondition, generationOf, statusConditions } from './status-condition.js';

export const SERVICE_EXPORT = { group: NETWORKING_GROUP, kind: 'ServiceExport' } as const;
export const WEIGHT_ANNOTATION = 'networking.fleet.azure.com/weight';
/** Put beside the members of the object where it is seen on a hub: the object itself does not tell where it is. */
const HELD_ON_HUB = 'heldOnHub';

const serviceExportProperties = z.object({
  serviceName: z.string().nullable().describe('The service that is exported: the one of the same name.'),
  heldOnHub: z
    .boolean()
    .describe('Whether the hub holds it for the members: there it exports nothing and has no status, by design.'),
  valid: z.boolean().nullable().describe('Whether the service can be exported; null while it is not known.'),
  validReason: z.string().nullable().describe('Why it can or cannot be exported, as reason and message.'),
  conflict: z
    .boolean()
    .nullable()
    .describe('Whether it contradicts what another member exports under the name; null while it is not known.'),
  conflictReason: z.string().nullable().describe('How it contradicts, as reason and message.'),
  weight: z.int().nullable().describe('The share of traffic that it gets, 0 to 1000, where one was set.'),
});

export type ServiceExportProperties = z.output<typeof serviceExportProperties>;

export const serviceExportKind: KindDefinition<typeof serviceExportProperties> = {
  name: 'ServiceExport',
  description: 'Offers the service of the same name and namespace to the other members of the fleet.',
  kubernetesTypes: [SERVICE_EXPORT],
  properties: serviceExportProperties,
  describe: describeServiceExport,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster or hub that it is in.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: ['ManagedCluster', 'ConnectedCluster', 'Fleet', 'AttachedCluster'],
      cardinality: 'one',
      inverse: {
        name: 'serviceExports',
        description: 'The services that the cluster offers to its fleet; on a fleet, those that its hub holds.',
        cardinality: 'many',
      },
    },
    {
      name: 'service',
      description: 'The service that is exported.',
      type: 'exports',
      direction: 'outgoing',
      kind: 'Service',
      cardinality: 'one',
      inverse: {
        name: 'serviceExport',
        description: 'By which the cluster offers the service to its fleet.',
        cardinality: 'one',
      },
    },
    {
      name: 'imports',
      description: 'The imports that lead to it.',
      type: 'exports',
      direction: 'outgoing',
      kind: 'ServiceImport',
      cardinality: 'many',
    },
    {
      name: 'multiClusterServices',
      description: 'The multi-cluster services that send traffic to it.',
      type: 'exports',
      direction: 'outgoing',
      kind: 'MultiClusterService',
      cardinality: 'many',
    },
  ],
};

export function describeServiceExport(raw: JsonObject): ServiceExportProperties {
  const conditions = statusConditions(rawMember(raw, 'status', 'conditions'), generationOf(raw)).filter(
    (condition) => condition.current,
  );
  const valid = findCondition(conditions, 'Valid');
  const conflict = findCondition(conditions, 'Conflict');
  const weight = rawText(raw, 'metadata', 'annotations', WEIGHT_ANNOTATION);
  return {
    serviceName: rawText(raw, 'metadata', 'name'),
    heldOnHub: rawFlag(raw, HELD_ON_HUB) ?? false,
    valid: valid === undefined || valid.status === 'Unknown' ? null : valid.status === 'True',
    validReason: valid === undefined ? null : conditionText(valid),
    conflict: conflict === undefined || conflict.status === 'Unknown' ? null : conflict.status === 'True',
    conflictReason: conflict === undefined ? null : conditionText(conflict),
    weight: weight !== null && /^\d{1,4}$/.test(weight) ? Number(weight) : null,
  };
}

function healthOf(raw: JsonObject, heldOnHub: boolean): Health {
  const deletion = deletionHealth(raw);
  if (deletion !== undefined) return deletion;
  if (heldOnHub) return { state: 'Healthy', reason: 'It is held on the hub; the members export their services.' };
  const { valid, validReason, conflict, conflictReason } = describeServiceExport(raw);
  if (valid === false) return { state: 'Degraded', reason: `The service is not exported (${validReason}).` };
  if (conflict === true)
    return { state: 'Degraded', reason: `Another member exports it otherwise (${conflictReason}).` };
  if (valid === null)
    return { state: 'Progressing', reason: 'It is not known yet whether the service can be exported.' };
  if (conflict === null) return { state: 'Progressing', reason: 'It is compared with what the other members export.' };
  return { state: 'Healthy', reason: null };
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER */
export function observeServiceExport(object: JsonObject, reading: KubernetesReading): Observation {
  const { cluster } = reading;
  const heldOnHub = cluster.kind === 'Fleet';
  const { canonical, clusterUid, namespace, name } = kubernetesIdOf(object, cluster.uid);
  const service = otherObjectId({ clusterUid, group: '', kind: 'Service', namespace, name });
  const observation = kubernetesObservation(object, reading, {
    kind: serviceExportKind.name,
    health: healthOf(object, heldOnHub),
    relations: service === undefined ? [] : [{ type: 'exports', from: canonical, to: service }],
  });
  return heldOnHub ? { ...observation, properties: { ...observation.properties, [HELD_ON_HUB]: true } } : observation;
}
