import type { JsonObject } from '#libs/kernel/json.js';
import { CLUSTER_ID, SUBSCRIPTION } from './aks-samples.js';

export const FLEET_ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
export const MEMBER_ID = `${FLEET_ID}/members/demo-aks01-demo-aks01`;

export function fleetProperties(change: JsonObject = {}): JsonObject {
  return {
    hubProfile: {
      dnsPrefix: 'aks-fleet01',
      fqdn: 'aks-fleet01-x.hcp.eastus.azmk8s.io',
      portalFqdn: 'aks-fleet01-x.portal.hcp.eastus.azmk8s.io',
      kubernetesVersion: '1.33.5',
      agentProfile: { vmSize: 'Standard_D4s_v4' },
      apiServerAccessProfile: { enablePrivateCluster: false },
    },
    provisioningState: 'Succeeded',
    status: { lastOperationId: '572c2ed1-0000-0000-0000-000000000000' },
    ...change,
  };
}

export function fleetBody(change: JsonObject = {}, id: string = FLEET_ID): JsonObject {
  return {
    id,
    name: id.split('/').at(-1) ?? '',
    type: 'Microsoft.ContainerService/fleets',
    location: 'eastus',
    tags: { env: 'dev' },
    identity: { type: 'SystemAssigned', principalId: '22222222-0000-0000-0000-000000000002' },
    eTag: '"fleet-1"',
    systemData: { createdAt: '2026-01-01T00:00:00.1234567Z' },
    properties: fleetProperties(change),
  };
}

export function memberProperties(change: JsonObject = {}): JsonObject {
  return {
    clusterResourceId: CLUSTER_ID,
    group: 'canary',
    labels: { env: 'dev' },
    provisioningState: 'Succeeded',
    status: { lastOperationId: '572c2ed1-0000-0000-0000-000000000001' },
    ...change,
  };
}

export function memberBody(change: JsonObject = {}, id: string = MEMBER_ID): JsonObject {
  return {
    id,
    name: id.split('/').at(-1) ?? '',
    type: 'Microsoft.ContainerService/fleets/members',
    eTag: '"member-1"',
    properties: memberProperties(change),
  };
}

export const RUN_ID = `${FLEET_ID}/updateRuns/run-1`;
export const STRATEGY_ID = `${FLEET_ID}/updateStrategies/strategy-1`;
export const PROFILE_ID = `${FLEET_ID}/autoUpgradeProfiles/profile-1`;

const STAGES = [
  { name: 'first', groups: [{ name: 'canary' }], afterStageWaitInSeconds: 60 },
  { name: 'second', groups: [{ name: 'prod' }] },
];

/** A run of two stages with one member each; the second member's cluster is not there. */
export function updateRunProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    updateStrategyId: STRATEGY_ID,
    strategy: { stages: STAGES },
    managedClusterUpdate: {
      upgrade: { type: 'Full', kubernetesVersion: '1.34.2' },
      nodeImageSelection: { type: 'Latest' },
    },
    status: updateRunStatus('NotStarted', [member('NotStarted'), member('NotStarted', 'demo-aks02')]),
    ...change,
  };
}

/** A member as it stands in the status of a run. */
export function member(state: string, name = 'demo-aks01-demo-aks01', change: JsonObject = {}): JsonObject {
  const began = state === 'NotStarted' ? {} : { startTime: '2026-01-01T00:00:00Z' };
  return { name, clusterResourceId: CLUSTER_ID, status: { state, ...began }, ...change };
}

/** The status of a run whose stages have one member each. */
export function updateRunStatus(state: string, members: JsonObject[], change: JsonObject = {}): JsonObject {
  const stateOf = (each: JsonObject): JsonObject => each.status as JsonObject;
  return {
    status: { state },
    nodeImageSelection: { selectedNodeImageVersions: [{ version: 'AKSUbuntu-2204gen2containerd-202601.12.0' }] },
    stages: members.map((each, index) => ({
      name: STAGES[index]?.name ?? `stage-${index}`,
      status: { state: stateOf(each).state ?? '' },
      maxConcurrency: 50,
      groups: [
        {
          name: STAGES[index]?.groups[0]?.name ?? `group-${index}`,
          status: { state: stateOf(each).state ?? '' },
          maxConcurrency: 1,
          members: [each],
        },
      ],
    })),
    ...change,
  };
}

export function updateRunBody(change: JsonObject = {}, id: string = RUN_ID): JsonObject {
  return {
    id,
    name: id.split('/').at(-1) ?? '',
    type: 'Microsoft.ContainerService/fleets/updateRuns',
    eTag: '"run-1"',
    properties: updateRunProperties(change),
  };
}

export function updateStrategyProperties(change: JsonObject = {}): JsonObject {
  return { provisioningState: 'Succeeded', strategy: { stages: STAGES }, ...change };
}

export function updateStrategyBody(change: JsonObject = {}, id: string = STRATEGY_ID): JsonObject {
  return {
    id,
    name: id.split('/').at(-1) ?? '',
    type: 'Microsoft.ContainerService/fleets/updateStrategies',
    eTag: '"strategy-1"',
    properties: updateStrategyProperties(change),
  };
}

export function autoUpgradeProfileProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    channel: 'Stable',
    updateStrategyId: STRATEGY_ID,
    nodeImageSelection: { type: 'Latest' },
    disabled: false,
    autoUpgradeProfileStatus: { lastTriggerStatus: 'Succeeded', lastTriggerUpgradeVersions: ['1.34.2'] },
    ...change,
  };
}

export function autoUpgradeProfileBody(change: JsonObject = {}, id: string = PROFILE_ID): JsonObject {
  return {
    id,
    name: id.split('/').at(-1) ?? '',
    type: 'Microsoft.ContainerService/fleets/autoUpgradeProfiles',
    eTag: '"profile-1"',
    properties: autoUpgradeProfileProperties(change),
  };
}
