import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation } from '../contract/observation.js';
import {
  rawInteger,
  rawMember,
  rawObject,
  rawObjects,
  rawText,
  rawTextRecord,
  rawTexts,
} from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { isDeleting } from './condition.properties.js';
import type { EndpointsOfService } from './service-endpoints.js';

/** Where and by which label the agent of fleet networking puts the services that it derives. */
const FLEET_NAMESPACE = 'fleet-system';
const DERIVED_LABEL = 'networking.fleet.azure.com/multi-cluster-service-name';
const INTERNAL_ANNOTATION = 'service.beta.kubernetes.io/azure-load-balancer-internal';

const servicePort = z
  .object({
    name: z.string().nullable().describe('The name of the port.'),
    protocol: z.string().nullable().describe('`TCP`, `UDP` or `SCTP`.'),
    port: z.int().nullable().describe('The port of the service.'),
    targetPort: z.string().nullable().describe('The port of the pods, as a number or a name.'),
    nodePort: z.int().nullable().describe('The port of every node, where there is one.'),
  })
  .meta({ id: 'ServicePort', description: 'A port of a service.' });

const serviceEndpoint = z
  .object({
    address: z.string().describe('The IP address, or the host name.'),
    ready: z.boolean().describe('Whether it is sent requests.'),
    pod: z.string().nullable().describe('The pod that has the address, where it is one of this cluster.'),
    node: z.string().nullable().describe('The node that the pod is on.'),
  })
  .meta({ id: 'ServiceEndpoint', description: 'An address that requests to a service go to.' });

const serviceProperties = z.object({
  type: z.string().nullable().describe('`ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.'),
  clusterIp: z.string().nullable().describe('The address inside the cluster; `None` for a service without one.'),
  externalIps: z.array(z.string()).describe('The addresses and host names by which it is reached from outside.'),
  ports: z.array(servicePort).describe('The ports of the service.'),
  selector: z.record(z.string(), z.string()).describe('The labels of the pods that it leads to.'),
  internal: z.boolean().describe('Whether its load balancer has an address inside the virtual network only.'),
  endpoints: z
    .array(serviceEndpoint)
    .nullable()
    .describe('What stands behind the service, at most 100; null where the endpoint slices cannot be seen.'),
  endpointCount: z.int().nullable().describe('How many addresses stand behind the service.'),
  readyEndpointCount: z.int().nullable().describe('How many of them are sent requests.'),
  derived: z
    .boolean()
    .describe('Whether fleet networking made it for a service of many clusters; it is changed there, not here.'),
});

export const serviceKind: KindDefinition<typeof serviceProperties> = {
  name: 'Service',
  description: 'A service: one address for many pods.',
  kubernetesTypes: [{ group: '', kind: 'Service' }],
  properties: serviceProperties,
  describe: describeService,
  relations: [
    clusterRelation({ name: 'services', description: 'The services in the cluster.' }),
    {
      name: 'workloads',
      description: 'The workloads whose pods the service leads to, by its selector.',
      type: 'exports',
      direction: 'outgoing',
      kind: 'Workload',
      cardinality: 'many',
    },
  ],
};

function describeService(raw: JsonObject): z.output<typeof serviceProperties> {
  return {
    type: rawText(raw, 'spec', 'type'),
    clusterIp: rawText(raw, 'spec', 'clusterIP'),
    externalIps: [...new Set([...balancerAddresses(raw), ...rawTexts(raw, 'spec', 'externalIPs')])],
    ports: rawObjects(raw, 'spec', 'ports').map((port) => ({
      name: rawText(port, 'name'),
      protocol: rawText(port, 'protocol'),
      port: rawInteger(port, 'port'),
      targetPort: portText(rawMember(port, 'targetPort')),
      nodePort: rawInteger(port, 'nodePort'),
    })),
    selector: selectorOf(raw),
    internal: rawText(raw, 'metadata', 'annotations', INTERNAL_ANNOTATION)?.toLowerCase() === 'true',
    ...describeEndpoints(rawObject(raw, 'endpoints')),
    derived:
      rawText(raw, 'metadata', 'namespace') === FLEET_NAMESPACE &&
      rawText(raw, 'metadata', 'labels', DERIVED_LABEL) !== null,
  };
}

function describeEndpoints(endpoints: JsonObject | null) {
  if (endpoints === null) return { endpoints: null, endpointCount: null, readyEndpointCount: null };
  return {
    endpoints: rawObjects(endpoints, 'shown').map((endpoint) => ({
      address: rawText(endpoint, 'address') ?? '',
      ready: rawMember(endpoint, 'ready') === true,
      pod: rawText(endpoint, 'pod'),
      node: rawText(endpoint, 'node'),
    })),
    endpointCount: rawInteger(endpoints, 'count'),
    readyEndpointCount: rawInteger(endpoints, 'ready'),
  };
}

/**
 * The service by itself; what it leads to is not known by it: see `leadingTo`.
 * @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is.
 */
export function observeService(object: JsonObject, reading: KubernetesReading): Observation {
  return kubernetesObservation(object, reading, { kind: serviceKind.name, health: healthOf(object), relations: [] });
}

/** The service with the workloads that it leads to, by their canonical ids. */
export function leadingTo(service: Observation, workloads: readonly string[]): Observation {
  const from = service.canonicalId;
  return { ...service, relations: workloads.map((to) => ({ type: 'exports', from, to })) };
}

/** The service with what stands behind it, which stands beside what Kubernetes has in `spec` and `status`. */
export function withEndpoints(service: Observation, endpoints: EndpointsOfService | undefined): Observation {
  const { endpoints: _before, ...properties } = service.properties;
  return {
    ...service,
    properties: endpoints === undefined ? properties : { ...properties, endpoints: { ...endpoints } },
  };
}

export function sameEndpoints(left: Observation, right: Observation): boolean {
  return isDeepStrictEqual(left.properties.endpoints, right.properties.endpoints);
}

/** Empty for a service that chooses no pods by itself. */
export function selectorOf(service: JsonObject): Record<string, string> {
  return rawTextRecord(service, 'spec', 'selector');
}

/** Whether what a workload makes is chosen by the selector. One without any requirement chooses nothing. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  const required = Object.entries(selector);
  return required.length > 0 && required.every(([name, value]) => labels[name] === value);
}

/** The labels of the pods that a workload makes. */
export function templateLabelsOf(workload: JsonObject): Record<string, string> {
  return rawTextRecord(workload, 'spec', 'template', 'metadata', 'labels');
}

function healthOf(raw: JsonObject): Health {
  if (isDeleting(raw)) return { state: 'Progressing', reason: 'It is being deleted.' };
  if (rawText(raw, 'spec', 'type') === 'LoadBalancer' && balancerAddresses(raw).length === 0) {
    return { state: 'Progressing', reason: 'Its load balancer has no address yet.' };
  }
  return { state: 'Healthy', reason: null };
}

function balancerAddresses(raw: JsonObject): string[] {
  return rawObjects(raw, 'status', 'loadBalancer', 'ingress')
    .map((ingress) => rawText(ingress, 'ip') ?? rawText(ingress, 'hostname'))
    .filter((address) => address !== null);
}

function portText(port: Json | undefined): string | null {
  return typeof port === 'number' ? String(port) : rawText(port);
}
