import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceWorld } from '../resource-type.descriptor.js';
import { CONNECTED_CLUSTER_TYPE, CUSTOM_LOCATION_TYPE, EXTENSION_TYPE } from '../types/arc.family.js';
import { DEFAULT_KUBERNETES_VERSION } from '../types/kubernetes-version.js';
import { coresOf } from '../types/vm-size.js';
import { AGENT_VERSION, agentsOf, ensure, ensureNamespace } from './arc.agents.js';
import type { ArcFeature } from './arc.agents.js';
import type { ClusterObjects, ObjectWriter } from './cluster.objects.js';
import type { NodePool } from './controllers/node-pool.js';

/** In lower case, as records carry it. */
export const CONNECTED_TYPE = CONNECTED_CLUSTER_TYPE.toLowerCase();

/** Where clusters outside of Azure have their nodes and pods. */
export const OWN_ADDRESSES = { nodes: '192.168.0.0/24', pods: '10.244.0.0/16' };

const CERTIFICATE_DAYS = 90;
const DAY_MS = 86_400_000;
const CONFIGURATION: ObjectWriter = {
  manager: 'config-agent',
  user: 'system:serviceaccount:azure-arc:azure-arc-operatorsa',
};
const LOCATIONS: ObjectWriter = { manager: 'customlocation', user: 'custom-locations' };

const simulationSchema = z.object({
  kubernetesVersion: z.string().default(DEFAULT_KUBERNETES_VERSION),
  features: z.array(z.enum(['cluster-connect', 'custom-locations', 'azure-rbac'])).default([]),
  pools: z
    .array(
      z.object({
        name: z.string(),
        count: z.int().min(0),
        vmSize: z.string().default('Standard_A4_v2'),
        osType: z.enum(['Linux', 'Windows']).default('Linux'),
      }),
    )
    .default([{ name: 'nodepool1', count: 1, vmSize: 'Standard_A4_v2', osType: 'Linux' }]),
});

type Simulation = z.infer<typeof simulationSchema>;

/** What is imagined behind a connected cluster: see the type. */
export function simulationOf(cluster: StoredResource): Simulation {
  return simulationSchema.parse(objectAt(cluster.body, 'simulation'));
}

export function connectedPools(cluster: StoredResource): NodePool[] {
  return simulationOf(cluster).pools.map((pool, index) => ({
    ...pool,
    mode: index === 0 ? 'System' : 'User',
    labels: {},
    taints: [],
    zones: [],
    maxPods: 110,
  }));
}

/** The features that the agents have from the start; undefined where nobody has installed them yet. */
export function initialFeatures(cluster: StoredResource): readonly ArcFeature[] | undefined {
  const status = connectivityOf(cluster);
  return status === 'Connecting' || status === 'AgentNotInstalled' ? undefined : simulationOf(cluster).features;
}

export function connectivityOf(cluster: StoredResource): string {
  return textAt(objectAt(cluster.body, 'properties'), 'connectivityStatus') ?? 'Connecting';
}

/**
 * What the agents have told Azure by now, as a change of the cluster's properties; undefined when Azure knows it already.
 * An expired certificate does not come back by itself.
 */
export function heartbeat(
  cluster: StoredResource,
  objects: ClusterObjects,
  isReachable: boolean,
  now: Date,
): JsonObject | undefined {
  const before = connectivityOf(cluster);
  if (before === 'Expired') return undefined;
  const agents = isReachable ? agentsOf(objects) : 'absent';
  if (agents === 'starting') return undefined;
  const wasSeen = before === 'Connected' || before === 'Offline';
  const status = agents === 'running' ? 'Connected' : wasSeen ? 'Offline' : before;
  const properties = objectAt(cluster.body, 'properties');
  const { kubernetesVersion, pools } = simulationOf(cluster);
  const facts: JsonObject = {
    connectivityStatus: status,
    ...(status === 'Connected'
      ? {
          agentVersion: AGENT_VERSION,
          kubernetesVersion,
          totalNodeCount: objects.list('nodes').length,
          totalCoreCount: pools.reduce((sum, pool) => sum + pool.count * coresOf(pool.vmSize), 0),
        }
      : {}),
  };
  if (Object.entries(facts).every(([name, value]) => properties[name] === value)) return undefined;
  if (status !== 'Connected') return facts;
  return {
    ...facts,
    lastConnectivityTime: now.toISOString(),
    managedIdentityCertificateExpirationTime: new Date(now.getTime() + CERTIFICATE_DAYS * DAY_MS).toISOString(),
  };
}

/** What extensions and custom locations make in the cluster once Azure is done with them. */
export function followArc(cluster: StoredResource, objects: ClusterObjects, world: ResourceWorld): void {
  for (const extension of world.children(cluster.key, EXTENSION_TYPE)) {
    const namespace = releaseNamespace(extension);
    if (namespace === undefined || !isDone(extension)) continue;
    ensureNamespace(objects, namespace, CONFIGURATION);
    ensure(objects, 'secrets', releaseSecret(extension.name, namespace), CONFIGURATION);
  }
  for (const location of world.referring(CUSTOM_LOCATION_TYPE, cluster.key)) {
    const namespace = textAt(objectAt(location.body, 'properties'), 'namespace');
    if (namespace !== undefined && isDone(location)) ensureNamespace(objects, namespace, LOCATIONS);
  }
}

/** An extension that was deleted by force leaves its release behind, one that went in order does not. */
export function forgetExtension(extension: StoredResource, objects: ClusterObjects): void {
  const wasOrderly = textAt(objectAt(extension.body, 'properties'), 'provisioningState') === 'Deleting';
  const namespace = releaseNamespace(extension);
  if (!wasOrderly || namespace === undefined) return;
  objects.delete('secrets', namespace, releaseName(extension.name), CONFIGURATION);
}

function isDone(resource: StoredResource): boolean {
  return textAt(objectAt(resource.body, 'properties'), 'provisioningState') === 'Succeeded';
}

function releaseNamespace(extension: StoredResource): string | undefined {
  const scope = objectAt(objectAt(extension.body, 'properties'), 'scope');
  return (
    textAt(objectAt(scope, 'cluster'), 'releaseNamespace') ?? textAt(objectAt(scope, 'namespace'), 'targetNamespace')
  );
}

function releaseName(extension: string): string {
  return `sh.helm.release.v1.${extension}.v1`;
}

function releaseSecret(extension: string, namespace: string): Parameters<typeof ensure>[2] {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'helm.sh/release.v1',
    metadata: {
      name: releaseName(extension),
      namespace,
      labels: { name: extension, owner: 'helm', status: 'deployed' },
    },
    data: {},
  };
}
