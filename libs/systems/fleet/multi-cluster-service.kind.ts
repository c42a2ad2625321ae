import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { rawMember, rawObjects, rawText } from '../contract/raw-reader.js';
import type { FleetOfCluster } from './fleet-membership.js';
import { FLEET_SYSTEM_NAMESPACE, NETWORKING_GROUP, deletionHealth, otherObjectId } from './fleet-object.js';
import { SERVICE_EXPORT } from './service-export.kind.js';
import { SERVICE_IMPORT } from './service-import.kind.js';
import { conditionText, findCondition, generationOf, statusConditions } from './status-condition.js';

export const MULTI_CLUSTER_SERVICE = { group: NETWORKING_GROUP, kind: 'MultiClusterService' } as const;
export const INTERNAL_LOAD_BALANCER_ANNOTATION = 'networking.fleet.azure.com/azure-load-balancer-internal';
/** The agent's own word for the service that it has made. */
const DERIVED_SERVICE_LABEL = 'networking.fleet.azure.com/derived-service';

const multiClusterServiceProperties = z.object({
  serviceImportName: z
    .string()
    .nullable()
    .describe('The service that it serves, by the name that it is exported under.'),
  valid: z.boolean().nullable().describe('Whether the service was found in the fleet; null while it is looked for.'),
  validReason: z.string().nullable().describe('What is said about that, as reason and message.'),
  externalAddresses: z.array(z.string()).describe('The addresses at which it is reached: IP addresses or host names.'),
  internal: z.boolean().describe('Whether the address is one of the virtual network only.'),
  derivedServiceName: z
    .string()
    .nullable()
    .describe(`The service of type LoadBalancer that was made for it in the namespace \`${FLEET_SYSTEM_NAMESPACE}\`.`),
});

export type MultiClusterServiceProperties = z.output<typeof multiClusterServiceProperties>;

export const multiClusterServiceKind: KindDefinition<typeof multiClusterServiceProperties> = {
  name: 'MultiClusterService',
  description: 'One address on a member behind which the pods of an exported service of all members stand.',
  kubernetesTypes: [MULTI_CLUSTER_SERVICE],
  properties: multiClusterServiceProperties,
  describe: describeMultiClusterService,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster or hub that it is in.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: ['ManagedCluster', 'ConnectedCluster', 'Fleet', 'AttachedCluster'],
      cardinality: 'one',
      inverse: {
        name: 'multiClusterServices',
        description: 'The services of all members of its fleet that the cluster gives an address.',
        cardinality: 'many',
      },
    },
    {
      name: 'exports',
      description:
        'What the members of the fleet export under its name: its endpoints are the pods of the services of these.',
      type: 'exports',
      direction: 'incoming',
      kind: 'ServiceExport',
      cardinality: 'many',
    },
    {
      name: 'serviceImport',
      description: 'The import that was made for it.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'ServiceImport',
      cardinality: 'one',
    },
    {
      name: 'derivedService',
      description: 'The service of type LoadBalancer that was made for it; its endpoints are those of all members.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'Service',
      cardinality: 'one',
      inverse: {
        name: 'multiClusterService',
        description: 'The multi-cluster service that the service was made for.',
        cardinality: 'one',
      },
    },
  ],
};

export function describeMultiClusterService(raw: JsonObject): MultiClusterServiceProperties {
  const valid = findCondition(
    statusConditions(rawMember(raw, 'status', 'conditions'), generationOf(raw)).filter(
      (condition) => condition.current,
    ),
    'Valid',
  );
  return {
    serviceImportName: rawText(raw, 'spec', 'serviceImport', 'name'),
    valid: valid === undefined || valid.status === 'Unknown' ? null : valid.status === 'True',
    validReason: valid === undefined ? null : conditionText(valid),
    externalAddresses: rawObjects(raw, 'status', 'loadBalancer', 'ingress').flatMap(
      (ingress) => rawText(ingress, 'ip') ?? rawText(ingress, 'hostname') ?? [],
    ),
    internal: rawText(raw, 'metadata', 'annotations', INTERNAL_LOAD_BALANCER_ANNOTATION) === 'true',
    derivedServiceName: rawText(raw, 'metadata', 'labels', DERIVED_SERVICE_LABEL),
  };
}

/** How the agent names the service that it makes. It must not be longer than a name of a service may be. */
export function derivedServiceName(namespace: string, name: string): string {
  return `${namespace}-${name}`;
}

function healthOf(raw: JsonObject): Health {
  const deletion = deletionHealth(raw);
  if (deletion !== undefined) return deletion;
  const { valid, validReason, externalAddresses, serviceImportName } = describeMultiClusterService(raw);
  if (serviceImportName === null) return { state: 'Degraded', reason: 'It names no service to serve.' };
  if (valid === false) return { state: 'Degraded', reason: `The service is not served (${validReason}).` };
  if (valid === null) {
    return { state: 'Progressing', reason: validReason ?? 'The service is being looked for in the fleet.' };
  }
  return externalAddresses.length === 0
    ? { state: 'Progressing', reason: 'It has no address yet.' }
    : { state: 'Healthy', reason: null };
}

/**
 * Whatever a member exports under the name of the import is served: the exports of every member are claimed, those that
 * are not there lead nowhere, and so the object need not be seen again when a member begins to export.
 * @param fleet the fleet that the cluster belongs to; where it is not known, the export of the cluster itself is claimed.
 * @throws ControlError KUBERNETES_UNEXPECTED_ANSWER
 */
export function observeMultiClusterService(
  object: JsonObject,
  reading: KubernetesReading,
  fleet: FleetOfCluster | undefined,
): Observation {
  const { canonical, clusterUid, namespace, name } = kubernetesIdOf(object, reading.cluster.uid);
  const { serviceImportName, derivedServiceName: derived } = describeMultiClusterService(object);
  const relations: RelationClaim[] = [];
  if (serviceImportName !== null) {
    const exported = { namespace, name: serviceImportName };
    const exporters = new Set([clusterUid, ...(fleet?.members ?? []).map((member) => member.clusterUid)]);
    for (const exporter of exporters) {
      const from = otherObjectId({ ...SERVICE_EXPORT, clusterUid: exporter, ...exported });
      if (from !== undefined) relations.push({ type: 'exports', from, to: canonical });
    }
    const serviceImport = otherObjectId({ ...SERVICE_IMPORT, clusterUid, ...exported });
    if (serviceImport !== undefined) relations.push({ type: 'owns', from: canonical, to: serviceImport });
  }
  const service = otherObjectId({
    clusterUid,
    group: '',
    kind: 'Service',
    namespace: FLEET_SYSTEM_NAMESPACE,
    name: derived ?? derivedServiceName(namespace ?? '', name),
  });
  if (service !== undefined) relations.push({ type: 'owns', from: canonical, to: service });
  return kubernetesObservation(object, reading, {
    kind: multiClusterServiceKind.name,
    health: healthOf(object),
    relations,
  });
}
