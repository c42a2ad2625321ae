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
