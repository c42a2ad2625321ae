import type { JsonObject } from '#libs/kernel/json.js';
import { contextOf, targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import { CLUSTER_ID, SUBSCRIPTION, clusterBody, poolBody, poolProperties } from './aks-samples.js';
import { FakeArm } from './fake-arm.js';

export const GROUP_ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01`;
export const PROVIDER_ID = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`;
const VERSIONS_ID = `${PROVIDER_ID}/locations/eastus/kubernetesVersions`;
export const NETWORK_ID = `${GROUP_ID}/providers/Microsoft.Network/virtualNetworks/demo-vnet`;

const machineSize = (name: string, cores: number, memoryGb: number, restrictions: JsonObject[] = []): JsonObject => ({
  resourceType: 'virtualMachines',
  name,
  locations: ['eastus'],
  locationInfo: [{ location: 'eastus', zones: ['1', '2', '3'] }],
  capabilities: [
    { name: 'vCPUs', value: String(cores) },
    { name: 'MemoryGB', value: String(memoryGb) },
  ],
  restrictions,
});
const NOT_FOR_US = { reasonCode: 'NotAvailableForSubscription', values: ['eastus'] };
const MACHINE_SIZES = [
  machineSize('Standard_D2s_v5', 2, 8),
  machineSize('Standard_DS2_v2', 2, 7),
  machineSize('Standard_B1s', 1, 1),
  machineSize('Standard_D2s_v3', 2, 8, [
    { type: 'Location', restrictionInfo: { locations: ['eastus'] }, ...NOT_FOR_US },
  ]),
  machineSize('Standard_D2s_v4', 2, 8, [
    { type: 'Zone', restrictionInfo: { locations: ['eastus'], zones: ['3'] }, ...NOT_FOR_US },
  ]),
];

export interface GivenAks {
  cluster?: JsonObject;
  /** Of the one pool. */
  pool?: JsonObject;
  /** All pools, in the place of the one. */
  pools?: JsonObject[];
  /** Further objects, by their paths. */
  objects?: Record<string, JsonObject>;
  /** Paths of what is not there. */
  missing?: string[];
}

/** An AKS in memory with one cluster of one pool, room in its region, and all that new clusters need. @param arm that answers otherwise */
export function aksWorld(given: GivenAks = {}, arm = new FakeArm()): FakeArm {
  const { cluster, pool, pools = [{ name: 'nodepool1', ...poolProperties(pool) }] } = given;
  arm.set(CLUSTER_ID, clusterBody({ addonProfiles: {}, ...cluster }, pools));
  for (const { name = '', ...properties } of pools) {
    if (typeof name !== 'string') throw new TypeError('A pool needs a name');
    const id = `${CLUSTER_ID}/agentPools/${name}`;
    arm.set(id, { ...poolBody(), id, name, properties });
  }
  arm.set(GROUP_ID, { id: GROUP_ID, location: 'eastus', properties: {} });
  arm.set(PROVIDER_ID, {
    registrationState: 'Registered',
    resourceTypes: [
      { resourceType: 'managedClusters', locations: ['East US', 'West Europe'], apiVersions: ['2026-04-01'] },
    ],
  });
  arm.set(VERSIONS_ID, {
    values: [
      { version: '1.34', isPreview: false, patchVersions: { '1.34.2': {}, '1.34.1': {} } },
      { version: '1.35', isPreview: true, patchVersions: { '1.35.0': {} } },
    ],
  });
  arm.set(`${CLUSTER_ID}/upgradeProfiles/default`, {
    properties: {
      controlPlaneProfile: {
        kubernetesVersion: '1.33.5',
        upgrades: [{ kubernetesVersion: '1.34.2' }, { kubernetesVersion: '1.35.0', isPreview: true }],
      },
    },
  });
  arm.set(NETWORK_ID, {
    id: NETWORK_ID,
    properties: {
      subnets: [
        { name: 'demo-aks01', properties: { addressPrefix: '10.224.0.0/16' } },
        { name: 'small', properties: { addressPrefixes: ['10.225.0.0/27'], ipConfigurations: [{}, {}] } },
        {
          name: 'aci',
          properties: {
            addressPrefix: '10.226.0.0/16',
            delegations: [{ properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } }],
          },
        },
      ],
    },
  });
  arm.answer('GET', /Microsoft\.Compute\/locations\/eastus\/usages$/, {
    status: 200,
    body: { value: [{ name: { value: 'cores' }, currentValue: 0, limit: 100 }] },
  });
  arm.answer('GET', /\/providers\/Microsoft\.Compute\/skus$/, () => ({ status: 200, body: { value: MACHINE_SIZES } }));
  for (const [path, body] of Object.entries(given.objects ?? {})) arm.set(path, body);
  for (const path of given.missing ?? []) arm.remove(path);
  return arm;
}

export function aksOperation(arm: FakeArm, type: string, input: JsonObject) {
  const operation = createAksSystem(arm.azure()).operations.find((candidate) => candidate.type === type)!;
  const references = {
    ...(typeof input.cluster === 'string' ? { cluster: targetOf(CLUSTER_ID, 'ManagedCluster') } : {}),
    ...(typeof input.nodePool === 'string' ? { nodePool: targetOf(input.nodePool, 'AgentPool') } : {}),
  };
  const context = contextOf(operation, operation.input.parse(input), references);
  return {
    operation,
    context,
    findings: async () => (await operation.preflight(context)).map(({ code }) => code),
    step: (name: string, change: JsonObject = {}) =>
      operation.steps
        .find((step) => step.name === name)!
        .run({ ...context, outputs: change, resumeToken: undefined, attempt: 1 }),
    verify: (outputs: JsonObject = {}) => operation.verify({ ...context, outputs }),
  };
}
