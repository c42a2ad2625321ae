import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { createAzureSystem } from '#libs/systems/azure/azure.module.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createVirtualNodesSystem } from '#libs/systems/virtual-nodes/virtual-nodes.module.js';
import { CLUSTER_ID, SUBSCRIPTION, clusterBody, poolProperties } from './aks-samples.js';
import { FakeArm, refusal } from './fake-arm.js';
import { FakeKube } from './fake-kube.js';
import { watchedCluster } from './kubernetes-samples.js';
import { playOperation } from './operation-play.js';

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01`;
export const NODE_GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_demo_aks01_demo-aks01_eastus`;
export const NETWORK_ID = `${GROUP}/providers/Microsoft.Network/virtualNetworks/demo-vnet`;
export const ACI_SUBNET_ID = `${NETWORK_ID}/subnets/aci`;
export const GROUP_ID = `${NODE_GROUP}/providers/Microsoft.ContainerInstance/containerGroups/default-web-0`;
export const ASSIGNMENT_ID = `${ACI_SUBNET_ID}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001`;
export const CONNECTOR_PRINCIPAL = '22222222-0000-4000-8000-000000000002';
export const VIRTUAL_NODE = 'virtual-node-aci-linux';
const LOCATION = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/eastus`;
const CLUSTER_UID = ArmId.parse(CLUSTER_ID).uid;
export const WORKLOAD_ID = KubernetesId.of({
  clusterUid: CLUSTER_UID,
  group: 'apps',
  kind: 'Deployment',
  namespace: 'default',
  name: 'web',
}).canonical;

export function networkBody(
  subnets: JsonObject[] = [subnetBody('demo-aks01', { addressPrefix: '10.224.0.0/16' })],
): JsonObject {
  return {
    id: NETWORK_ID,
    name: 'demo-vnet',
    type: 'Microsoft.Network/virtualNetworks',
    location: 'eastus',
    properties: {
      provisioningState: 'Succeeded',
      addressSpace: { addressPrefixes: ['10.224.0.0/12'] },
      subnets,
      virtualNetworkPeerings: [
        {
          name: 'to-hub',
          properties: {
            peeringState: 'Connected',
            remoteVirtualNetwork: { id: `${NETWORK_ID}2` },
            allowForwardedTraffic: true,
          },
        },
      ],
    },
  };
}

export function subnetBody(name: string, properties: JsonObject = {}): JsonObject {
  return {
    id: `${NETWORK_ID}/subnets/${name}`,
    name,
    type: 'Microsoft.Network/virtualNetworks/subnets',
    properties: { provisioningState: 'Succeeded', addressPrefix: '10.225.0.0/24', delegations: [], ...properties },
  };
}

export function groupBody(properties: JsonObject = {}, tags: JsonObject = {}): JsonObject {
  return {
    id: GROUP_ID,
    name: 'default-web-0',
    type: 'Microsoft.ContainerInstance/containerGroups',
    location: 'eastus',
    tags: { PodName: 'web-0', Namespace: 'default', NodeName: VIRTUAL_NODE, UID: 'uid-of-web-0', ...tags },
    properties: {
      provisioningState: 'Succeeded',
      sku: 'Standard',
      osType: 'Linux',
      restartPolicy: 'Always',
      instanceView: { state: 'Running', events: [] },
      containers: [
        {
          name: 'web',
          properties: {
            image: 'example.com/web:1',
            resources: { requests: { cpu: 0.1, memoryInGB: 1.5 } },
            instanceView: { restartCount: 2, currentState: { state: 'Running' } },
          },
        },
        {
          name: 'side',
          properties: { image: 'example.com/web:1', resources: { requests: { cpu: 0.2, memoryInGB: 0.5 } } },
        },
      ],
      ipAddress: { ip: '10.225.0.4', type: 'Private', ports: [{ port: 80, protocol: 'TCP' }] },
      subnetIds: [{ id: ACI_SUBNET_ID, name: 'aci' }],
      ...properties,
    },
  };
}

export function assignmentBody(): JsonObject {
  return {
    id: ASSIGNMENT_ID,
    name: '00000000-0000-4000-8000-000000000001',
    type: 'Microsoft.Authorization/roleAssignments',
    properties: {
      scope: ACI_SUBNET_ID,
      roleDefinitionId: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/4d97b98b-1d4f-4787-a291-c67834d212e7`,
      principalId: CONNECTOR_PRINCIPAL,
      principalType: 'ServicePrincipal',
    },
  };
}

/** What AKS gives the identity of the add-on. */
function groupAssignmentBody(): JsonObject {
  return {
    id: `${NODE_GROUP}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000002`,
    properties: {
      roleDefinitionId: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c`,
      principalId: CONNECTOR_PRINCIPAL,
    },
  };
}

export function virtualNode(
  name = VIRTUAL_NODE,
  change: { taints?: JsonObject[]; ready?: string; readySince?: string } = {},
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `uid-of-${name}`,
      labels: {
        type: 'virtual-kubelet',
        'kubernetes.io/os': 'linux',
        'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
      },
    },
    spec: { taints: change.taints ?? [{ key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' }] },
    status: {
      capacity: { cpu: '10k', memory: '4Ti', pods: '5k' },
      conditions: [
        {
          type: 'Ready',
          status: change.ready ?? 'True',
          lastHeartbeatTime: '2026-01-01T00:00:00Z',
          ...(change.readySince === undefined ? {} : { lastTransitionTime: change.readySince }),
        },
      ],
      nodeInfo: { kubeletVersion: 'v1.25.0-vk-azure-aci-1.6.2' },
    },
  };
}

export function podOnVirtualNode(name = 'web-0', status: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-of-${name}`,
      labels: { app: 'web', 'pod-template-hash': 'abc' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc', uid: 'r', controller: true }],
    },
    spec: { nodeName: VIRTUAL_NODE, nodeSelector: { type: 'virtual-kubelet' }, containers: [] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...status },
  };
}

/** @param spec of its pods; one container that can run anywhere without it */
export function workloadOf(spec: JsonObject = {}, kind = 'Deployment', name = 'web'): KubernetesObject {
  const sized = { resources: { requests: { cpu: '100m', memory: '100M' } } };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'default', uid: `uid-of-${name}`, generation: 1 },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'web', image: 'nginx:1.27', ...sized }], ...spec },
      },
    },
    status: { observedGeneration: 1, replicas: 1 },
  };
}

/** An AKS cluster in a network of its own, with or without its virtual node, in memory. */
export class VirtualNodesWorld {
  readonly arm = new FakeArm();
  readonly kube = new FakeKube();
  readonly cluster = this.kube.cluster(CLUSTER_UID);

  constructor() {
    const properties = {
      addonProfiles: { aciConnectorLinux: { enabled: false } },
      servicePrincipalProfile: { clientId: 'msi' },
    };
    this.setCluster(properties);
    this.arm.add(networkBody(), subnetBody('demo-aks01', { addressPrefix: '10.224.0.0/16' }));
    this.arm.set(NODE_GROUP, { id: NODE_GROUP, name: 'MC', location: 'eastus', managedBy: CLUSTER_ID });
    this.setProvider('Registered', ['East US']);
    this.setUsage(1, 100);
    this.setLargestGroups([4, 16]);
    this.arm.answer('GET', /\/permissions$/i, () =>
      this.mayAssign === 'unknown'
        ? refusal(403, 'AuthorizationFailed', 'Nobody may read this.')
        : { status: 200, body: { value: [{ actions: this.mayAssign ? ['*'] : ['*/read'], notActions: [] }] } },
    );
  }

  /** What the house takes the cluster for. */
  clusterKind = watchedCluster().kind;
  /** Whether the connector may use its subnet, and have container groups, once it is switched on. */
  hasSubnetRole = true;
  hasGroupRole = true;

  /** Whether the identity of Pilothouse may assign roles. */
  mayAssign: boolean | 'unknown' = true;

  setCluster(properties: JsonObject, pool: JsonObject = {}): void {
    this.arm.set(CLUSTER_ID, clusterBody(properties, [{ name: 'nodepool1', ...poolProperties(pool) }]));
  }

  setNetwork(...subnets: JsonObject[]): void {
    this.arm.add(networkBody([subnetBody('demo-aks01', { addressPrefix: '10.224.0.0/16' }), ...subnets]), ...subnets);
  }

  setProvider(registrationState: string, locations: string[]): void {
    this.arm.set(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance`, {
      registrationState,
      resourceTypes: [{ resourceType: 'containerGroups', locations }],
    });
  }

  setUsage(currentValue: number, limit: number, cores: [number, number] = [0, 100]): void {
    this.arm.set(`${LOCATION}/usages`, {
      value: [
        { name: { value: 'ContainerGroups' }, currentValue, limit },
        { name: { value: 'StandardCores' }, currentValue: cores[0], limit: cores[1] },
      ],
    });
  }

  /** The most that one container group in the virtual network can have, in cores and GB: one of these. */
  setLargestGroups(...sizes: [maxCpu: number, maxMemoryInGB: number][]): void {
    const common = { resourceType: 'containerGroups', location: 'EASTUS', gpu: 'None' };
    this.arm.set(`${LOCATION}/capabilities`, {
      value: [
        ...sizes.map(([maxCpu, maxMemoryInGB]) => ({
          ...common,
          osType: 'Linux',
          ipAddressType: 'Private',
          capabilities: { maxCpu, maxMemoryInGB },
        })),
        { ...common, osType: 'Windows', ipAddressType: 'Private', capabilities: { maxCpu: 99, maxMemoryInGB: 99 } },
      ],
    });
  }

  /** As it is after the virtual nodes were switched on. */
  switchOn(subnet: JsonObject = {}): void {
    const identity = { objectId: CONNECTOR_PRINCIPAL };
    const aciConnectorLinux = { enabled: true, config: { SubnetName: 'aci' }, identity };
    this.setCluster({ addonProfiles: { aciConnectorLinux }, servicePrincipalProfile: { clientId: 'msi' } });
    const delegation = { name: 'd', properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } };
    this.setNetwork(subnetBody('aci', { delegations: [delegation], ...subnet }));
    this.arm.add(assignmentBody());
    this.arm.answer('GET', /\/subnets\/aci\/providers\/Microsoft.Authorization\/roleAssignments$/i, () => ({
      status: 200,
      body: { value: this.hasSubnetRole ? [assignmentBody()] : [] },
    }));
    this.arm.answer('GET', /\/MC_[^/]+\/providers\/Microsoft.Authorization\/roleAssignments$/i, () => ({
      status: 200,
      body: { value: this.hasGroupRole ? [groupAssignmentBody()] : [] },
    }));
    this.cluster.add(virtualNode());
  }

  system(): System {
    const watched = watchedCluster();
    const known = { ...watched, kind: this.clusterKind };
    const clusters = { find: async (uid: string) => (uid === known.uid ? known : undefined) };
    return createVirtualNodesSystem(this.arm.azure(), this.kube, clusters);
  }

  play(type: string, input: JsonObject, references: Readonly<Record<string, ResourceTarget>>) {
    const operations = [...this.system().operations, ...createAzureSystem(this.arm.azure()).operations];
    return playOperation(operations, type, input, references);
  }

  /** @param input null leaves a field out */
  enable(input: JsonObject = {}) {
    const all: JsonObject = { cluster: CLUSTER_ID, subnetName: 'aci', subnetPrefix: '10.225.0.0/24', ...input };
    const wanted: JsonObject = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
    return this.play('virtualNodes.enable', wanted, { cluster: targetOf(CLUSTER_ID, 'ManagedCluster') });
  }

  disable(input: JsonObject = {}) {
    return this.play(
      'virtualNodes.disable',
      { cluster: CLUSTER_ID, ...input },
      { cluster: targetOf(CLUSTER_ID, 'ManagedCluster') },
    );
  }

  deleteGroup() {
    const references = { containerGroup: targetOf(GROUP_ID, 'ContainerGroup') };
    return this.play('azure.containerGroup.delete', { containerGroup: GROUP_ID }, references);
  }

  deleteSubnet() {
    const references = { subnet: targetOf(ACI_SUBNET_ID, 'Subnet') };
    return this.play('azure.subnet.delete', { subnet: ACI_SUBNET_ID }, references);
  }

  burst(input: JsonObject = {}, id = WORKLOAD_ID) {
    return this.play('virtualNodes.workload.burst', { workload: id, ...input }, { workload: targetOf(id, 'Workload') });
  }
}
