import { type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { deterministicUuid } from '../../deterministic-id.js';
import type { ObjectStore } from './object.store.js';

const FIRST_NODE_PORT = 30_000;
const NODE_PORTS = 2_768;
/** Addresses of 10.0.0.0/16 after the ones that are given to the API server and the name server. */
const FIRST_ADDRESS = 20;
const ADDRESSES = 65_000;

/** What the server allots to a service: its address inside the cluster and ports on the nodes. */
export function allocateService(service: JsonObject, store: ObjectStore): JsonObject {
  const spec = isJsonObject(service.spec) ? service.spec : {};
  const type = spec.type ?? 'ClusterIP';
  if (type === 'ExternalName') return service;
  const others = store.list('services').map((other) => (other.spec ?? {}) as JsonObject);
  const metadata = service.metadata as JsonObject;
  const seed = Number.parseInt(
    deterministicUuid(`${jsonText(metadata.namespace)}/${jsonText(metadata.name)}`).slice(0, 8),
    16,
  );
  const address = spec.clusterIP ?? freeAddress(seed, new Set(others.map((other) => other.clusterIP)));
  const allotted: JsonObject = {
    ...spec,
    clusterIP: address,
    clusterIPs: spec.clusterIPs ?? [address],
    internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster',
    ipFamilies: spec.ipFamilies ?? ['IPv4'],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack',
  };
  if (type === 'NodePort' || type === 'LoadBalancer') {
    const used = new Set(others.flatMap((other) => portsOf(other).map((port) => port.nodePort)));
    allotted.ports = portsOf(spec).map((port, index) => {
      if (port.nodePort !== undefined) return port;
      let candidate = (seed + index) % NODE_PORTS;
      while (used.has(FIRST_NODE_PORT + candidate)) candidate = (candidate + 1) % NODE_PORTS;
      used.add(FIRST_NODE_PORT + candidate);
      return { ...port, nodePort: FIRST_NODE_PORT + candidate };
    });
    allotted.externalTrafficPolicy ??= 'Cluster';
    if (type === 'LoadBalancer') allotted.allocateLoadBalancerNodePorts ??= true;
  }
  return { ...service, spec: allotted };
}

function freeAddress(seed: number, used: ReadonlySet<unknown>): string {
  let candidate = seed % ADDRESSES;
  const text = (): string => {
    const number = candidate + FIRST_ADDRESS;
    return `10.0.${number >> 8}.${number & 255}`;
  };
  while (used.has(text())) candidate = (candidate + 1) % ADDRESSES;
  return text();
}

function portsOf(spec: JsonObject): JsonObject[] {
  return Array.isArray(spec.ports) ? spec.ports.filter(isJsonObject) : [];
}
