import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { deterministicSuffix, deterministicUuid } from '../deterministic-id.js';
import { objectAt, textAt } from '../json-merge.js';
import type { PlannedGroup, PlannedWrite, ResourceWorld } from '../resource-type.descriptor.js';
import type { ArmErrorBody } from '../arm-error.js';
import { coreShortage, poolCores, poolProperties } from './agent-pool.body.js';
import { surroundingsOf } from './agent-pool.type.js';
import { DEFAULT_KUBERNETES_VERSION } from './kubernetes-version.js';
import { clusterBody, hostNames } from './managed-cluster.body.js';

/** Azure's first choice for the node of a hub. */
const HUB_VM_SIZE = 'Standard_D4s_v4';

/** What Azure makes for a fleet with a hub: two resource groups and a managed cluster named `hub`. */
export interface HubPlan {
  writes: PlannedWrite[];
  groups: PlannedGroup[];
  merges: { id: ArmId; patch: JsonObject }[];
  /** Without cores for its node the hub fails, after the fleet was accepted. */
  fails: ArmErrorBody | undefined;
}

/** `FL_{group}_{fleet}_{location}`: holds the hub's managed cluster. */
export function hubGroup(fleet: ArmId, location: string): string {
  return `FL_${fleet.resourceGroup ?? ''}_${fleet.name}_${location}`.slice(0, 90);
}

export function hubClusterId(fleet: ArmId, location: string): ArmId {
  const group = ArmId.resourceGroup(fleet.subscriptionId ?? '', hubGroup(fleet, location));
  return group.resource('Microsoft.ContainerService/managedClusters', 'hub');
}

/** Whether the hub's cluster is there and in order: after a failure, another PUT of the fleet tries again. */
export function hubIsUp(fleet: ArmId, location: string, world: ResourceWorld): boolean {
  const hub = world.get(hubClusterId(fleet, location));
  return textAt(objectAt(hub?.body, 'properties'), 'provisioningState') === 'Succeeded';
}

export function planHub(fleet: ArmId, body: JsonObject, world: ResourceWorld): HubPlan {
  const location = textAt(body, 'location') ?? '';
  const group = hubGroup(fleet, location);
  const nodeGroup = `MC_${group}`.slice(0, 90);
  const hub = hubClusterId(fleet, location);
  const poolId = hub.child('agentPools', 'agentpool');
  const profile = objectAt(objectAt(body, 'properties'), 'hubProfile');
  const cluster = hubCluster(hub, location, nodeGroup, profile, world);
  const vmSize = textAt(objectAt(profile, 'agentProfile'), 'vmSize') ?? HUB_VM_SIZE;
  const pool = poolProperties('agentpool', { count: 1, vmSize, mode: 'System' }, undefined, surroundingsOf(cluster));
  const denyAssignment = `FLRG-DenyAssignments-${deterministicUuid(`deny|${fleet.canonical}`)}`;
  return {
    writes: [
      { id: hub, body: cluster, state: 'Creating' },
      { id: poolId, body: { properties: pool }, state: 'Creating' },
    ],
    groups: [
      { name: group, location, managedBy: fleet.toString(), denyAssignment },
      { name: nodeGroup, location, managedBy: hub.toString(), denyAssignment },
    ],
    merges: [
      { id: hub, patch: { properties: hostNames(hub, cluster) } },
      { id: fleet, patch: { properties: { hubProfile: hubHosts(fleet, profile, location) } } },
    ],
    fails: coreShortage(world, fleet.subscriptionId ?? '', location, poolCores(pool), poolId.canonical),
  };
}

/** Azure fills these in when the hub is up. */
function hubHosts(fleet: ArmId, profile: JsonObject, location: string): JsonObject {
  const host = `${textAt(profile, 'dnsPrefix') ?? fleet.name}-${deterministicSuffix(fleet.canonical, 8)}`;
  return {
    fqdn: `${host}.hcp.${location}.azmk8s.io`,
    portalFqdn: `${host}.portal.hcp.${location}.azmk8s.io`,
    kubernetesVersion: DEFAULT_KUBERNETES_VERSION,
  };
}

function hubCluster(
  hub: ArmId,
  location: string,
  nodeGroup: string,
  profile: JsonObject,
  world: ResourceWorld,
): JsonObject {
  return clusterBody({
    id: hub,
    apiVersion: '',
    existing: undefined,
    world,
    requested: {
      location,
      identity: { type: 'SystemAssigned' },
      sku: { name: 'Base', tier: 'Standard' },
      properties: {
        dnsPrefix: textAt(profile, 'dnsPrefix') ?? hub.name,
        nodeResourceGroup: nodeGroup,
        disableLocalAccounts: true,
        aadProfile: { managed: true, enableAzureRBAC: true, tenantID: world.tenantId },
        apiServerAccessProfile: { disableRunCommand: true },
      },
    },
  });
}
