import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { armIdOf } from '../contract/arm-observation.js';
import { rawObjects, rawText } from '../contract/raw-reader.js';
import type { FleetClient } from './fleet.client.js';

/** The network of a member as far as traffic from one cluster to the pods of another is concerned. */
export interface MemberNetwork {
  member: string;
  cluster: ArmId;
  networkPlugin: string | null;
  networkPluginMode: string | null;
  /** The virtual networks that its nodes are in, each once; empty where they could not be found. */
  networks: ArmId[];
}

/** Whether addresses of pods are addresses of the virtual network: with kubenet and with overlay they are not. */
export function hasRoutablePods({ networkPlugin, networkPluginMode }: MemberNetwork): boolean {
  return networkPlugin?.toLowerCase() === 'azure' && networkPluginMode?.toLowerCase() !== 'overlay';
}

/**
 * Reads the network of a cluster. Where node pools name no subnet, AKS has made a virtual network in the node group.
 * @returns undefined for a cluster that Azure does not know, or that is no AKS cluster.
 * @throws ControlError
 */
export async function readMemberNetwork(
  client: FleetClient,
  member: { name: string; cluster: ArmId },
  context: AzureCallContext,
): Promise<MemberNetwork | undefined> {
  if (member.cluster.canonicalType !== 'microsoft.containerservice/managedclusters') return undefined;
  const reading = await client.getCluster(member.cluster, context);
  if (reading.state === 'missing') return undefined;
  const { body } = reading;
  return {
    member: member.name,
    cluster: member.cluster,
    networkPlugin: rawText(body, 'properties', 'networkProfile', 'networkPlugin'),
    networkPluginMode: rawText(body, 'properties', 'networkProfile', 'networkPluginMode'),
    networks: await networksOf(client, member.cluster, body, context),
  };
}

async function networksOf(
  client: FleetClient,
  cluster: ArmId,
  body: JsonObject,
  context: AzureCallContext,
): Promise<ArmId[]> {
  const networks = new Map<string, ArmId>();
  let ownNetwork = false;
  for (const pool of rawObjects(body, 'properties', 'agentPoolProfiles')) {
    const subnet = rawText(pool, 'vnetSubnetID');
    const network = subnet === null ? undefined : ArmId.tryParse(subnet)?.parent;
    if (network === undefined) ownNetwork = true;
    else networks.set(network.canonical, network);
  }
  const group = rawText(body, 'properties', 'nodeResourceGroup');
  if (ownNetwork && group !== null && cluster.subscriptionId !== undefined) {
    for (const network of await listed(client, cluster.subscriptionId, group, context)) {
      networks.set(network.canonical, network);
    }
  }
  return [...networks.values()];
}

/** None where the group cannot be read: whether the networks are connected is then not known. */
async function listed(
  client: FleetClient,
  subscriptionId: string,
  group: string,
  context: AzureCallContext,
): Promise<ArmId[]> {
  const networks: ArmId[] = [];
  try {
    for await (const page of client.listVirtualNetworks(subscriptionId, group, context)) {
      networks.push(...page.items.map(armIdOf));
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
  }
  return networks;
}

/** Whether two members can reach each other's pods over their virtual networks. */
export type ConnectionVerdict =
  | { connection: 'connected' }
  | { connection: 'unknown'; evidence: JsonObject }
  | { connection: 'missing'; evidence: JsonObject };

/** Every network of the one has to be the same as, or peered in both directions with, every network of the other. */
export async function judgeConnection(
  client: FleetClient,
  left: MemberNetwork,
  right: MemberNetwork,
  context: AzureCallContext,
): Promise<ConnectionVerdict> {
  const members: JsonObject = { members: [left.member, right.member] };
  const networkIds = (of: MemberNetwork): Json => of.networks.map(String);
  if (left.networks.length === 0 || right.networks.length === 0) {
    return { connection: 'unknown', evidence: { ...members, networks: [networkIds(left), networkIds(right)] } };
  }
  for (const from of left.networks) {
    for (const to of right.networks) {
      if (from.equals(to)) continue;
      const [there, back] = [
        await peeringState(client, from, to, context),
        await peeringState(client, to, from, context),
      ];
      const evidence: JsonObject = {
        ...members,
        from: from.toString(),
        to: to.toString(),
        there: there ?? null,
        back: back ?? null,
      };
      if (there === undefined || back === undefined) return { connection: 'unknown', evidence };
      if (there !== 'Connected' || back !== 'Connected') return { connection: 'missing', evidence };
    }
  }
  return { connection: 'connected' };
}

/** `Connected`, another state of the peering, null for none; undefined where the network cannot be read. */
async function peeringState(
  client: FleetClient,
  from: ArmId,
  to: ArmId,
  context: AzureCallContext,
): Promise<string | null | undefined> {
  try {
    const reading = await client.getVirtualNetwork(from, context);
    if (reading.state === 'missing') return undefined;
    const peering = rawObjects(reading.body, 'properties', 'virtualNetworkPeerings').find((candidate) => {
      const remote = rawText(candidate, 'properties', 'remoteVirtualNetwork', 'id');
      return remote !== null && ArmId.tryParse(remote)?.equals(to) === true;
    });
    return rawText(peering, 'properties', 'peeringState');
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
    return undefined;
  }
}
