import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { numberAt, objectAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  PlannedWrite,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import { CONNECTED_CLUSTER_TYPE, badRequest } from './arc.family.js';
import { clusterToken, isManagedByEntra } from './cluster.credentials.js';
import type { ClusterAccount } from './cluster.credentials.js';
import { parseRequest } from './fleet.family.js';
import { requireUpgrade, requireVersion, requireVmSize } from './hci.catalog.js';
import {
  HCI_API_VERSIONS,
  HCI_PROTOCOLS,
  INSTANCE_TYPE,
  MOST_CLUSTERS,
  MOST_NODES,
  connectedClusterOf,
  customLocationOf,
  hciConflict,
  networksOf,
  poolsOfInstance,
  profilesOf,
  validateDefaultName,
} from './hci.family.js';
import { checkedPool, outOfAddresses, validatePoolName } from './hci-pool.type.js';
import { kubeconfigAnswer, kubernetesUrl } from './kubeconfig.js';

/** Parts of a control plane, which come up one after the other. */
const PARTS = ['control-plane', 'arc-agents', 'csi-akshcidisk', 'metallb'];
const ARC_PART = 'arc-agents';

const instanceSchema = z.looseObject({
  extendedLocation: z.looseObject({ name: z.string(), type: z.literal('CustomLocation') }),
  properties: z.looseObject({
    kubernetesVersion: z.string().optional(),
    controlPlane: z.looseObject({ count: z.int().optional(), vmSize: z.string().optional() }).optional(),
    agentPoolProfiles: z.array(z.looseObject({ name: z.string() })).optional(),
    cloudProviderProfile: z.looseObject({
      infraNetworkProfile: z.looseObject({ vnetSubnetIds: z.array(z.string()).min(1) }),
    }),
  }),
});

/** A workload cluster on Azure Stack HCI: the part of a connected cluster of kind ProvisionedCluster that the host makes. */
export const provisionedClusterType: ResourceTypeDescriptor = {
  type: INSTANCE_TYPE,
  apiVersions: HCI_API_VERSIONS,
  tracked: false,
  errorShape: 'standard',
  members: ['extendedLocation'],
  readOnly: ['properties.status'],
  derived: ['properties.agentPoolProfiles'],
  protocols: HCI_PROTOCOLS,
  polling: 'provider-hub',
  headers: () => ({ 'x-ms-providerhub-traffic': 'True' }),
  recordsLastOperation: false,
  actions: new Map([
    ['listuserkubeconfig', (request: ActionRequest) => listKubeconfig(request, 'user')],
    ['listadminkubeconfig', (request: ActionRequest) => listKubeconfig(request, 'admin')],
  ]),
  validateName: validateDefaultName,
  planPut,
  planPatch(): never {
    throw badRequest('InvalidRequestContent', 'A provisioned cluster can be changed by PUT only.');
  },
  planDelete: (instance, id, world) => ({
    writes: [{ id, body: instance.body, state: 'Deleting' }],
    removes: [
      { id, state: 'Deleting' },
      ...poolsOfInstance(instance, world).map((pool) => ({ id: id.child('agentPools', pool.name), state: 'Deleting' })),
    ],
  }),
  conflict: hciConflict,
  present,
  references: (body) => [...networksOf(body), (textAt(objectAt(body, 'extendedLocation'), 'name') ?? '').toLowerCase()],
  failed: (properties, error) => ({ ...properties, status: { errorMessage: error.message } }),
};

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  parseRequest(instanceSchema, requested);
  const cluster = clusterOf(id, world);
  const host = customLocationOf(requested, world);
  const properties = objectAt(requested, 'properties');
  const before = existing === undefined ? undefined : objectAt(existing.body, 'properties');
  const version = textAt(properties, 'kubernetesVersion') ?? textAt(before, 'kubernetesVersion') ?? '1.29.9';
  requireVersion(version, []);
  if (before !== undefined) requireUpgrade(textAt(before, 'kubernetesVersion') ?? version, version);
  const controlPlane = controlPlaneOf(properties);
  checkNetworks(requested, world);
  const profiles = profilesOf(requested);
  if (existing === undefined) checkNew(profiles, host, world);
  const pools = profiles.map((profile) => poolWrite(id, profile, version, existing === undefined, world));
  const nodes = pools.reduce((sum, { body }) => sum + (numberAt(objectAt(body, 'properties'), 'count') ?? 0), 0);
  if (nodes > MOST_NODES) throw badRequest('NodeLimitExceeded', `A cluster can have at most ${MOST_NODES} nodes.`);
  const rest = omit(properties, ['agentPoolProfiles']);
  // An error of the past goes when something new is tried.
  const body: JsonObject = {
    ...requested,
    properties: { ...rest, kubernetesVersion: version, controlPlane, status: {} },
  };
  const machines = (numberAt(controlPlane, 'count') ?? 1) + nodes;
  const fails = existing === undefined ? outOfAddresses({ body }, machines, world) : undefined;
  return {
    writes: [{ id, body, state: stateOf(before, version) }, ...pools],
    merges: [{ id: clusterId(id), patch: connectedPatch(cluster, version) }],
    ...(fails === undefined ? {} : { fails }),
  };
}

function stateOf(before: JsonObject | undefined, version: string): string {
  if (before === undefined) return 'Creating';
  return textAt(before, 'kubernetesVersion') === version ? 'Updating' : 'Upgrading';
}

function clusterId(instance: ArmId): ArmId {
  if (instance.parent === undefined) throw new TypeError(`${instance.toString()} extends nothing`);
  return instance.parent;
}

/** @throws ArmError where the instance would extend something else than a connected cluster that was made for it. */
function clusterOf(id: ArmId, world: ResourceWorld): StoredResource {
  const cluster = connectedClusterOf(id, world);
  if (cluster?.type === CONNECTED_CLUSTER_TYPE.toLowerCase() && textAt(cluster.body, 'kind') === 'ProvisionedCluster') {
    return cluster;
  }
  throw badRequest(
    'InvalidConnectedCluster',
    `'${id.parent?.toString()}' is not a connected cluster of the kind ProvisionedCluster.`,
  );
}

function controlPlaneOf(properties: JsonObject): JsonObject {
  const given = objectAt(properties, 'controlPlane');
  const count = numberAt(given, 'count') ?? 1;
  if (![1, 3, 5].includes(count)) {
    throw badRequest(
      'InvalidControlPlaneCount',
      `The control plane count '${count}' is not valid. Valid counts are 1, 3 and 5.`,
      'properties.controlPlane.count',
    );
  }
  const vmSize = textAt(given, 'vmSize') ?? 'Standard_A4_v2';
  requireVmSize(vmSize);
  const endpoint = objectAt(given, 'controlPlaneEndpoint');
  return { ...given, count, vmSize, controlPlaneEndpoint: { hostIP: '192.168.0.10', ...endpoint } };
}

/** @throws ArmError in the words that are documented. */
function checkNetworks(body: JsonObject, world: ResourceWorld): void {
  for (const key of networksOf(body)) {
    const network = world.get(key);
    if (network === undefined)
      throw badRequest('LogicalNetworkNotFound', `The logical network '${key}' was not found.`);
    const properties = objectAt(network.body, 'properties');
    const servers = objectAt(properties, 'dhcpOptions').dnsServers;
    if (!Array.isArray(servers) || servers.length === 0) {
      throw badRequest(
        'InvalidLogicalNetwork',
        'For creating Kubernetes clusters, DNS server in the logical network is a required input. ' +
          `Logical network ${network.name} does not have a DNS server. Create a new logical network with a DNS server.`,
      );
    }
    const subnets = Array.isArray(properties.subnets) ? properties.subnets : [];
    const isStatic = subnets.every(
      (subnet) => textAt(objectAt(subnet as JsonObject, 'properties'), 'ipAllocationMethod') === 'Static',
    );
    if (!isStatic) {
      throw badRequest(
        'InvalidLogicalNetwork',
        `Logical network ${network.name} with IP allocation method Dynamic is not supported. ` +
          'Create a new or use an existing logical network of Static IP allocation method.',
      );
    }
  }
}

function checkNew(profiles: readonly JsonObject[], host: StoredResource, world: ResourceWorld): void {
  const others = world.referring(INSTANCE_TYPE, host.key);
  if (others.length >= MOST_CLUSTERS) {
    throw badRequest('ClusterLimitExceeded', `A host can have at most ${MOST_CLUSTERS} clusters.`);
  }
  const hasLinux = profiles.some(
    (profile) => (textAt(profile, 'osType') ?? 'Linux') === 'Linux' && (numberAt(profile, 'count') ?? 1) > 0,
  );
  if (!hasLinux) throw badRequest('LinuxNodePoolRequired', 'A cluster needs at least one Linux node.');
}

function poolWrite(
  instance: ArmId,
  profile: JsonObject,
  version: string,
  isNew: boolean,
  world: ResourceWorld,
): PlannedWrite {
  const name = textAt(profile, 'name') ?? '';
  validatePoolName(name);
  const id = instance.child('agentPools', name);
  const existing = world.get(id);
  const asked = omit(profile, ['name', 'kubernetesVersion', 'provisioningState', 'status']);
  const properties = { ...checkedPool(asked, version), kubernetesVersion: version, status: {} };
  const state = isNew || existing === undefined ? 'Creating' : 'Updating';
  return { id, body: { ...existing?.body, properties }, state };
}

/** What Azure Arc sees once the machines and the agents on them run. */
function connectedPatch(cluster: StoredResource, kubernetesVersion: string): JsonObject {
  const wasSeen = textAt(objectAt(cluster.body, 'properties'), 'connectivityStatus') !== 'Connecting';
  return {
    properties: {
      kubernetesVersion,
      distribution: 'aks_workload',
      infrastructure: 'azure_stack_hci',
      offering: 'AzureStackHCI_AKS_Services',
      ...(wasSeen ? {} : { connectivityStatus: 'Connected', agentVersion: '1.31.3' }),
    },
  };
}

function present(instance: StoredResource, world: ResourceWorld): JsonObject {
  const properties = objectAt(instance.body, 'properties');
  const state = textAt(properties, 'provisioningState') ?? 'Succeeded';
  const errorMessage = textAt(objectAt(properties, 'status'), 'errorMessage');
  const profiles = poolsOfInstance(instance, world).map((pool) => {
    const { provisioningState: _state, status: _status, ...shown } = objectAt(pool.body, 'properties');
    return { name: pool.name, ...shown };
  });
  return {
    ...instance.body,
    properties: {
      ...properties,
      agentPoolProfiles: profiles,
      status: {
        currentState: state,
        ...(errorMessage === undefined ? {} : { errorMessage }),
        controlPlaneStatus: PARTS.map((name) => partStatus(name, state, errorMessage)),
      },
    },
  };
}

/** Of a failure, what concerns the agents is told where they are. */
function partStatus(name: string, state: string, errorMessage: string | undefined): JsonObject {
  switch (state) {
    case 'Creating':
      return { name, phase: 'provisioning {HelmChartInstalled}', ready: false };
    case 'Failed':
      return name === ARC_PART && errorMessage !== undefined
        ? { name, phase: 'failed', ready: false, errorMessage }
        : { name, phase: 'provisioned', ready: true };
    case 'Upgrading':
      return { name, phase: 'upgrading', ready: true };
    case 'Deleting':
      return { name, phase: 'deleting', ready: false };
    default:
      return { name, phase: 'provisioned', ready: true };
  }
}

/** The kubeconfig comes with the end of the operation, in its status and nowhere else. */
function listKubeconfig({ resource, id, world, baseUrl }: ActionRequest, account: ClusterAccount): ActionOutcome {
  const cluster = clusterOf(id, world);
  const state = textAt(objectAt(resource.body, 'properties'), 'provisioningState');
  if (state === 'Creating' || state === 'Deleting') {
    throw badRequest('ClusterNotReady', `The cluster '${cluster.name}' is ${state}: it has no kubeconfig.`);
  }
  const isEntra = account === 'user' && isManagedByEntra(cluster);
  const output = kubeconfigAnswer(account === 'user' ? 'clusterUser' : 'clusterAdmin', {
    cluster: cluster.name,
    server: kubernetesUrl(baseUrl, cluster.key),
    authority: world.certificateAuthority(),
    userName: `${account === 'user' ? 'clusterUser' : 'clusterAdmin'}_${cluster.name}`,
    user: isEntra
      ? { kind: 'exec', tenantId: world.tenantId }
      : { kind: 'token', token: clusterToken(cluster, account) },
  });
  return {
    kind: 'operation',
    plan: { writes: [{ id, body: resource.body, state: 'Accepted' }], untouched: true, output },
    protocol: { status: 202, body: 'empty', asyncOperation: true, location: true },
  };
}
