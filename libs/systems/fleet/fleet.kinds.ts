import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armErrorText, armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation, RelationClaim } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import { rawFlag, rawMember, rawObject, rawText, rawTextRecord } from '../contract/raw-reader.js';

export const FLEET_TYPE = 'Microsoft.ContainerService/fleets';
export const FLEET_MEMBER_TYPE = 'Microsoft.ContainerService/fleets/members';
export const MANAGED_CLUSTER_TYPE = 'Microsoft.ContainerService/managedClusters';
export const CONNECTED_CLUSTER_TYPE = 'Microsoft.Kubernetes/connectedClusters';

const fleetHub = z
  .object({
    dnsPrefix: z.string().nullable().describe('The first part of the host name of the hub.'),
    fqdn: z.string().nullable().describe('The host name of the API server of the hub.'),
    portalFqdn: z.string().nullable().describe('The host name by which the Azure portal reaches the hub.'),
    kubernetesVersion: z.string().nullable().describe('The Kubernetes version of the hub.'),
    privateCluster: z.boolean().describe('Whether the hub is reachable inside its virtual network only.'),
    vmSize: z.string().nullable().describe('The size of the machine of the hub, where it was chosen.'),
    subnetId: z.string().nullable().describe('The ARM id of the subnet of the node of the hub, where it was chosen.'),
  })
  .meta({
    id: 'FleetHub',
    description: 'The hub of a fleet: a managed cluster that stores placements and runs no pods.',
  });

const fleetProperties = z.object({
  hub: fleetHub.nullable().describe('The hub; null for a fleet without one, which can only run updates.'),
  hubless: z.boolean().describe('Whether the fleet has no hub.'),
  identityType: z
    .string()
    .nullable()
    .describe('The kind of identity of the fleet, such as `SystemAssigned` or `None`.'),
  identityPrincipalId: z.string().nullable().describe('The object id of the system-assigned identity.'),
  lastOperationId: z.string().nullable().describe('The id that Azure gave to the last operation on the fleet.'),
  lastOperationError: z.string().nullable().describe('What Azure says about the last failure, as code and message.'),
});

export type FleetProperties = z.output<typeof fleetProperties>;

export const fleetKind: KindDefinition<typeof fleetProperties> = {
  name: 'Fleet',
  description:
    'An Azure Kubernetes Fleet Manager: many clusters, updated and (with a hub) supplied with workloads as one.',
  armType: FLEET_TYPE,
  properties: fleetProperties,
  describe: describeFleet,
  relations: [
    {
      name: 'members',
      description: 'The clusters that have joined the fleet, as memberships.',
      type: 'memberOf',
      direction: 'incoming',
      kind: 'FleetMember',
      cardinality: 'many',
    },
    {
      name: 'updateRuns',
      description: 'The update runs over the members.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'FleetUpdateRun',
      cardinality: 'many',
    },
    {
      name: 'updateStrategies',
      description: 'The sequences that update runs can follow.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'FleetUpdateStrategy',
      cardinality: 'many',
    },
    {
      name: 'autoUpgradeProfiles',
      description: 'What makes update runs when new versions come out.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'FleetAutoUpgradeProfile',
      cardinality: 'many',
    },
    {
      name: 'hubCluster',
      description: 'The managed cluster that is the hub.',
      type: 'hosts',
      direction: 'outgoing',
      kind: 'ManagedCluster',
      cardinality: 'one',
    },
    {
      name: 'memberClusters',
      description: 'The members as the hub sees them.',
      type: 'locatedIn',
      direction: 'incoming',
      kind: 'MemberCluster',
      cardinality: 'many',
    },
    {
      name: 'placements',
      description: 'What the hub takes to the members.',
      type: 'locatedIn',
      direction: 'incoming',
      kind: 'ClusterResourcePlacement',
      cardinality: 'many',
    },
  ],
};

function describeFleet(raw: JsonObject): FleetProperties {
  const hub = rawObject(raw, 'hubProfile');
  return {
    hub:
      hub === null
        ? null
        : {
            dnsPrefix: rawText(hub, 'dnsPrefix'),
            fqdn: rawText(hub, 'fqdn'),
            portalFqdn: rawText(hub, 'portalFqdn'),
            kubernetesVersion: rawText(hub, 'kubernetesVersion'),
            privateCluster: rawFlag(hub, 'apiServerAccessProfile', 'enablePrivateCluster') ?? false,
            vmSize: rawText(hub, 'agentProfile', 'vmSize'),
            subnetId: rawText(hub, 'agentProfile', 'subnetId'),
          },
    hubless: hub === null,
    identityType: rawText(raw, 'identity', 'type'),
    identityPrincipalId: rawText(raw, 'identity', 'principalId'),
    lastOperationId: rawText(raw, 'status', 'lastOperationId'),
    lastOperationError: armErrorText(rawMember(raw, 'status', 'lastOperationError')),
  };
}

const fleetMemberProperties = z.object({
  clusterId: z.string().nullable().describe('The ARM id of the cluster that has joined.'),
  clusterName: z.string().nullable().describe('The name of the cluster.'),
  clusterKind: z
    .string()
    .nullable()
    .describe('`ManagedCluster` for AKS, `ConnectedCluster` for an Arc-enabled cluster.'),
  group: z.string().nullable().describe('The update group of the member.'),
  labels: z.record(z.string(), z.string()).describe('The labels by which placements choose members.'),
  lastOperationId: z.string().nullable().describe('The id that Azure gave to the last operation on the member.'),
  lastOperationError: z.string().nullable().describe('What Azure says about the last failure, as code and message.'),
});

export type FleetMemberProperties = z.output<typeof fleetMemberProperties>;

export const fleetMemberKind: KindDefinition<typeof fleetMemberProperties> = {
  name: 'FleetMember',
  description:
    'The membership of a cluster in a fleet. Members have no Azure tags: their labels stand in the place of tags, so that they can be filtered by them.',
  armType: FLEET_MEMBER_TYPE,
  properties: fleetMemberProperties,
  describe: describeFleetMember,
  relations: [
    {
      name: 'fleet',
      description: 'The fleet that the cluster has joined.',
      type: 'memberOf',
      direction: 'outgoing',
      kind: 'Fleet',
      cardinality: 'one',
    },
    {
      name: 'cluster',
      description: 'The AKS cluster that has joined.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'ManagedCluster',
      cardinality: 'one',
    },
    {
      name: 'connectedCluster',
      description: 'The cluster of Azure Arc that has joined.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'ConnectedCluster',
      cardinality: 'one',
    },
    {
      name: 'updateRuns',
      description: 'The update runs that the member is in.',
      type: 'updates',
      direction: 'incoming',
      kind: 'FleetUpdateRun',
      cardinality: 'many',
    },
    {
      name: 'memberCluster',
      description: 'The member as the hub of the fleet sees it.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'MemberCluster',
      cardinality: 'one',
    },
  ],
};

function describeFleetMember(raw: JsonObject): FleetMemberProperties {
  const clusterId = rawText(raw, 'clusterResourceId');
  const cluster = clusterId === null ? undefined : ArmId.tryParse(clusterId);
  return {
    clusterId,
    clusterName: cluster?.name ?? null,
    clusterKind: cluster === undefined ? null : clusterKindOf(cluster),
    group: rawText(raw, 'group'),
    labels: rawTextRecord(raw, 'labels'),
    lastOperationId: rawText(raw, 'status', 'lastOperationId'),
    lastOperationError: armErrorText(rawMember(raw, 'status', 'lastOperationError')),
  };
}

function clusterKindOf(cluster: ArmId): string | null {
  switch (cluster.canonicalType) {
    case 'microsoft.containerservice/managedclusters':
      return 'ManagedCluster';
    case 'microsoft.kubernetes/connectedclusters':
      return 'ConnectedCluster';
    default:
      return null;
  }
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeFleet(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const hub = hubClusterId(id, body);
  return armObservation(body, {
    ...reading,
    kind: fleetKind.name,
    health: healthOf(body),
    relations: hub === undefined ? [] : [{ type: 'hosts', from: id.canonical, to: hub.canonical }],
  });
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeFleetMember(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const clusterId = rawText(body, 'properties', 'clusterResourceId');
  const cluster = clusterId === null ? undefined : ArmId.tryParse(clusterId);
  const relations: RelationClaim[] = [];
  if (id.parent !== undefined) relations.push({ type: 'memberOf', from: id.canonical, to: id.parent.canonical });
  if (cluster !== undefined) relations.push({ type: 'runsOn', from: id.canonical, to: cluster.canonical });
  return armObservation(body, {
    ...reading,
    kind: fleetMemberKind.name,
    health: healthOf(body),
    relations,
    tags: rawTextRecord(body, 'properties', 'labels'),
    location: null,
    clusterUid: cluster?.uid ?? null,
  });
}

function healthOf(body: JsonObject) {
  return provisioningHealth(
    rawText(body, 'properties', 'provisioningState'),
    armErrorText(rawMember(body, 'properties', 'status', 'lastOperationError')),
    null,
  );
}

/** Azure puts the hub into a group of its own, named after the fleet; it is nowhere said in the fleet itself. */
export function hubClusterId(fleet: ArmId, body: JsonObject): ArmId | undefined {
  const location = rawText(body, 'location');
  if (rawObject(body, 'properties', 'hubProfile') === null || location === null) return undefined;
  const group = `FL_${fleet.resourceGroup}_${fleet.name}_${canonicalLocation(location)}`;
  return ArmId.tryParse(
    `/subscriptions/${fleet.subscriptionId}/resourceGroups/${group}/providers/${MANAGED_CLUSTER_TYPE}/hub`,
  );
}
