import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { numberAt, objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceWorld } from '../resource-type.descriptor.js';
import { CONNECTED_CLUSTER_TYPE, CUSTOM_LOCATION_TYPE, EXTENSION_TYPE } from '../types/arc.family.js';
import { instanceOf, poolsOfInstance } from '../types/hci.family.js';
import { DEFAULT_KUBERNETES_VERSION } from '../types/kubernetes-version.js';
import { coresOf } from '../types/vm-size.js';
import { AGENT_VERSION, agentsOf, ensure, ensureNamespace, haveIdentity } from './arc.agents.js';
import type { ArcFeature } from './arc.agents.js';
import type { ClusterObjects, ObjectDraft, ObjectWriter } from './cluster.objects.js';
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
/** The host turns cluster connect on by itself. */
const FEATURES_OF_HOST = ['cluster-connect'] as const;
const HOST: ObjectWriter = { manager: 'caph', user: 'system:serviceaccount:kube-system:caph' };
const DISK_PROVISIONER = 'disk.csi.akshci.com';
const DISK_DRIVER: ObjectDraft = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: DISK_PROVISIONER },
  spec: { attachRequired: true, podInfoOnMount: true, fsGroupPolicy: 'ReadWriteOnceWithFSType' },
};
const DISK_CLASS: ObjectDraft = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'default', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: DISK_PROVISIONER,
  parameters: { blocksize: '33554432', container: 'SqlStorageContainer', dynamic: 'true' },
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
  allowVolumeExpansion: true,
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

/** What is imagined behind a connected cluster (see the type), or what a host has made for it. */
export function simulationOf(cluster: StoredResource, world: ResourceWorld): Simulation {
  const imagined = simulationSchema.parse(objectAt(cluster.body, 'simulation'));
  const instance = isProvisioned(cluster) ? instanceOf(cluster, world) : undefined;
  if (instance === undefined) return imagined;
  return {
    features: [...FEATURES_OF_HOST],
    kubernetesVersion: textAt(objectAt(instance.body, 'properties'), 'kubernetesVersion') ?? imagined.kubernetesVersion,
    pools: poolsOfInstance(instance, world).map((pool) => {
      const properties = objectAt(pool.body, 'properties');
      return {
        name: pool.name,
        count: numberAt(properties, 'count') ?? 0,
        vmSize: textAt(properties, 'vmSize') ?? 'Standard_A4_v2',
        osType: textAt(properties, 'osType') === 'Windows' ? 'Windows' : 'Linux',
      };
    }),
  };
}

/** Whether Azure makes the cluster's machines; else they were there before Azure heard of it. */
export function isProvisioned(cluster: StoredResource): boolean {
  return textAt(cluster.body, 'kind') === 'ProvisionedCluster';
}

/** There is something to connect to once the host has ended its first attempt, even if that has failed. */
export function hasMachines(cluster: StoredResource, world: ResourceWorld): boolean {
  if (!isProvisioned(cluster)) return true;
  const instance = instanceOf(cluster, world);
  const state = textAt(objectAt(instance?.body, 'properties'), 'provisioningState');
  return instance !== undefined && state !== 'Creating';
}

/** Whether the host has installed the agents: the last thing that it does. */
export function hasAgentsOfHost(cluster: StoredResource, world: ResourceWorld): boolean {
  const instance = isProvisioned(cluster) ? instanceOf(cluster, world) : undefined;
  return textAt(objectAt(instance?.body, 'properties'), 'provisioningState') === 'Succeeded';
}

/** What clusters on Azure Stack HCI have for disks: a driver, and a class of it that names no file system. */
export function ensureDiskStorage(cluster: StoredResource, objects: ClusterObjects): void {
  if (textAt(objectAt(cluster.body, 'properties'), 'infrastructure') !== 'azure_stack_hci') return;
  ensure(objects, 'csidrivers.storage.k8s.io', DISK_DRIVER, HOST);
  ensure(objects, 'storageclasses.storage.k8s.io', DISK_CLASS, HOST);
}

export function connectedPools(cluster: StoredResource, world: ResourceWorld): NodePool[] {
  const instance = isProvisioned(cluster) ? instanceOf(cluster, world) : undefined;
  if (instance !== undefined) return poolsOfInstance(instance, world).map(nodePoolOfHost);
  return simulationOf(cluster, world).pools.map((pool, index) => ({
    ...pool,
    mode: index === 0 ? 'System' : 'User',
    labels: {},
    taints: [],
    zones: [],
    maxPods: 110,
  }));
}

function nodePoolOfHost(pool: StoredResource, index: number): NodePool {
  const properties = objectAt(pool.body, 'properties');
  const { nodeTaints } = properties;
  const version = textAt(properties, 'kubernetesVersion');
  return {
    name: pool.name,
    count: numberAt(properties, 'count') ?? 0,
    vmSize: textAt(properties, 'vmSize') ?? 'Standard_A4_v2',
    osType: textAt(properties, 'osType') === 'Windows' ? 'Windows' : 'Linux',
    mode: index === 0 ? 'System' : 'User',
    // What a PUT lets through has been checked to be text.
    labels: objectAt(properties, 'nodeLabels') as Record<string, string>,
    taints: Array.isArray(nodeTaints) ? nodeTaints.filter((taint) => typeof taint === 'string') : [],
    zones: [],
    maxPods: numberAt(properties, 'maxPods') ?? 110,
    ...(version === undefined ? {} : { kubernetesVersion: version }),
  };
}

/** The features that the agents have from the start; undefined where nobody has installed them yet. */
export function initialFeatures(cluster: StoredResource, world: ResourceWorld): readonly ArcFeature[] | undefined {
  const status = connectivityOf(cluster);
  return status === 'Connecting' || status === 'AgentNotInstalled' ? undefined : simulationOf(cluster, world).features;
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
  world: ResourceWorld,
): JsonObject | undefined {
  const before = connectivityOf(cluster);
  if (before === 'Expired') return undefined;
  const agents = isReachable && haveIdentity(objects) ? agentsOf(objects) : 'absent';
  if (agents === 'starting') return undefined;
  const wasSeen = before === 'Connected' || before === 'Offline';
  const status = agents === 'running' ? 'Connected' : wasSeen ? 'Offline' : before;
  const properties = objectAt(cluster.body, 'properties');
  const { kubernetesVersion, pools } = simulationOf(cluster, world);
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
