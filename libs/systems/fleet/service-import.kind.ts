import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { rawInteger, rawMember, rawObjects, rawText } from '../contract/raw-reader.js';
import { NETWORKING_GROUP, deletionHealth, otherObjectId } from './fleet-object.js';
import type { FleetOfCluster } from './fleet-membership.js';
import { SERVICE_EXPORT } from './service-export.kind.js';

export const SERVICE_IMPORT = { group: NETWORKING_GROUP, kind: 'ServiceImport' } as const;

const importedPort = z
  .object({
    name: z.string().nullable().describe('The name of the port.'),
    port: z.int().nullable().describe('The port of the service.'),
    targetPort: z.string().nullable().describe('The port of the pods, as number or name.'),
    protocol: z.string().nullable().describe('The protocol, such as `TCP`.'),
  })
  .meta({ id: 'ImportedServicePort', description: 'A port of a service that several clusters offer.' });

const serviceImportProperties = z.object({
  clusters: z.array(z.string()).describe('The members that export the service, by their names in the fleet.'),
  ports: z.array(importedPort).describe('The ports of the service.'),
  serviceType: z.string().nullable().describe('`ClusterSetIP` or `Headless`.'),
});

export type ServiceImportProperties = z.output<typeof serviceImportProperties>;

export const serviceImportKind: KindDefinition<typeof serviceImportProperties> = {
  name: 'ServiceImport',
  description: 'A service that members of the fleet export, as it is known on the hub or on a member that uses it.',
  kubernetesTypes: [SERVICE_IMPORT],
  properties: serviceImportProperties,
  describe: describeServiceImport,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster or hub that it is in.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: ['ManagedCluster', 'ConnectedCluster', 'Fleet', 'AttachedCluster'],
      cardinality: 'one',
      inverse: {
        name: 'serviceImports',
        description: 'The services of its fleet that are known in the cluster.',
        cardinality: 'many',
      },
    },
    {
      name: 'exports',
      description: 'What the members export under this name.',
      type: 'exports',
      direction: 'incoming',
      kind: 'ServiceExport',
      cardinality: 'many',
    },
    {
      name: 'multiClusterService',
      description: 'The multi-cluster service that uses it.',
      type: 'owns',
      direction: 'incoming',
      kind: 'MultiClusterService',
      cardinality: 'one',
    },
  ],
};

export function describeServiceImport(raw: JsonObject): ServiceImportProperties {
  return {
    clusters: rawObjects(raw, 'status', 'clusters').flatMap((cluster) => rawText(cluster, 'cluster') ?? []),
    ports: rawObjects(raw, 'status', 'ports').map((port) => ({
      name: rawText(port, 'name'),
      port: rawInteger(port, 'port'),
      targetPort: portText(port),
      protocol: rawText(port, 'protocol'),
    })),
    serviceType: rawText(raw, 'status', 'type'),
  };
}

function portText(port: JsonObject): string | null {
  const target = rawMember(port, 'targetPort');
  if (typeof target === 'number') return String(target);
  return typeof target === 'string' && target !== '' ? target : null;
}

function healthOf(raw: JsonObject): Health {
  const deletion = deletionHealth(raw);
  if (deletion !== undefined) return deletion;
  return describeServiceImport(raw).clusters.length === 0
    ? { state: 'Progressing', reason: 'No member of the fleet exports the service, as far as is known here.' }
    : { state: 'Healthy', reason: null };
}

/**
 * @param fleet the fleet that the cluster belongs to, by which the names of members become clusters; undefined where it is
 * not known: the exports are then not linked.
 * @throws ControlError KUBERNETES_UNEXPECTED_ANSWER
 */
export function observeServiceImport(
  object: JsonObject,
  reading: KubernetesReading,
  fleet: FleetOfCluster | undefined,
): Observation {
  const { canonical, namespace, name } = kubernetesIdOf(object, reading.cluster.uid);
  const relations = describeServiceImport(object).clusters.flatMap((member): RelationClaim[] => {
    const cluster = fleet?.members.find((candidate) => candidate.name === member);
    if (cluster === undefined) return [];
    const from = otherObjectId({ ...SERVICE_EXPORT, clusterUid: cluster.clusterUid, namespace, name });
    return from === undefined ? [] : [{ type: 'exports', from, to: canonical }];
  });
  return kubernetesObservation(object, reading, { kind: serviceImportKind.name, health: healthOf(object), relations });
}
