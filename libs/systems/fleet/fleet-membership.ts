import { ArmId } from '#libs/kernel/arm-id.js';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { armIdOf } from '../contract/arm-observation.js';
import { rawText } from '../contract/raw-reader.js';
import type { FleetClient } from './fleet.client.js';

/** A cluster in its fleet. */
export interface FleetMemberCluster {
  /** The name of the member, which is not the cluster's. */
  name: string;
  cluster: ArmId;
  /** The uid of the cluster in Pilothouse. */
  clusterUid: string;
}

/** The fleet that a cluster belongs to, with all its members. */
export interface FleetOfCluster {
  fleet: ArmId;
  members: readonly FleetMemberCluster[];
}

/** The cluster that a member is, by its ARM body. */
export function clusterOfMember(body: JsonObject): ArmId | undefined {
  const text = rawText(body, 'properties', 'clusterResourceId');
  return text === null ? undefined : ArmId.tryParse(text);
}

/** The members of a fleet. @throws ControlError */
export async function membersOfFleet(
  client: FleetClient,
  fleet: ArmId,
  context: AzureCallContext,
): Promise<FleetMemberCluster[]> {
  const members: FleetMemberCluster[] = [];
  for await (const page of client.listMembers(fleet, context)) {
    for (const body of page.items) {
      const cluster = clusterOfMember(body);
      if (cluster !== undefined) members.push({ name: armIdOf(body).name, cluster, clusterUid: cluster.uid });
    }
  }
  return members;
}

/**
 * Members that the cluster may be: by Resource Graph in all subscriptions, or by ARM in those given where it cannot be
 * asked. The index lags: what it lists may be gone, and only the member itself knows.
 * @throws ControlError
 */
export async function membershipCandidates(
  client: FleetClient,
  cluster: ArmId,
  concerned: readonly string[],
  context: AzureCallContext,
): Promise<ArmId[]> {
  try {
    const candidates: ArmId[] = [];
    const subscriptions = [...new Set([...concerned, ...(await client.tenants(context)).keys()])];
    for await (const page of client.discoverMembershipsOf(cluster, subscriptions, context)) {
      candidates.push(...page.rows.map(armIdOf));
    }
    return candidates;
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return membershipsByArm(client, cluster, concerned, context);
  }
}

async function membershipsByArm(
  client: FleetClient,
  cluster: ArmId,
  subscriptions: readonly string[],
  context: AzureCallContext,
): Promise<ArmId[]> {
  const memberships: ArmId[] = [];
  for (const subscriptionId of subscriptions) {
    for await (const fleets of client.listFleets(subscriptionId, context)) {
      for (const fleet of fleets.items.map(armIdOf)) {
        for await (const members of client.listMembers(fleet, context)) {
          memberships.push(...members.items.filter((body) => clusterOfMember(body)?.equals(cluster)).map(armIdOf));
        }
      }
    }
  }
  return memberships;
}

/**
 * The fleet that a cluster is a member of, as its owner says; undefined where it is in none. A member that has joined a
 * moment ago is not in the index yet: the fleets of the cluster's own subscription are then asked themselves.
 * @throws ControlError
 */
export async function fleetOfCluster(
  client: FleetClient,
  cluster: ArmId,
  context: AzureCallContext,
): Promise<FleetOfCluster | undefined> {
  const concerned = cluster.subscriptionId === undefined ? [] : [cluster.subscriptionId.toLowerCase()];
  for (const candidate of await membershipCandidates(client, cluster, concerned, context)) {
    const fleet = candidate.parent;
    const member = await client.getMember(candidate, context);
    if (fleet === undefined || member.state === 'missing' || !clusterOfMember(member.body)?.equals(cluster)) continue;
    return { fleet, members: await membersOfFleet(client, fleet, context) };
  }
  for (const member of await membershipsByArm(client, cluster, concerned, context)) {
    if (member.parent !== undefined) {
      return { fleet: member.parent, members: await membersOfFleet(client, member.parent, context) };
    }
  }
  return undefined;
}

const KEPT_MS = 5 * 60_000;

/**
 * Which fleet a watched cluster belongs to, for turning the names of members into clusters. An answer is kept for five
 * minutes, and beyond that for as long as Azure cannot be asked: a link between objects may be a little old, but must not
 * come and go.
 */
export class FleetMembershipDirectory {
  readonly #known = new Map<string, { askedAt: number; fleet: FleetOfCluster | undefined }>();

  constructor(
    private readonly client: FleetClient,
    private readonly clock: Clock,
  ) {}

  /** `cluster`: a managed cluster, or a fleet for its hub; undefined for anything else and for a cluster in no fleet. */
  async fleetOf(
    cluster: { id: string; uid: string; kind: string },
    context: AzureCallContext,
  ): Promise<FleetOfCluster | undefined> {
    const id = ArmId.tryParse(cluster.id);
    if (id === undefined) return undefined;
    const known = this.#known.get(cluster.uid);
    if (known !== undefined && this.clock.now().getTime() - known.askedAt < KEPT_MS) return known.fleet;
    try {
      const fleet =
        cluster.kind === 'Fleet'
          ? { fleet: id, members: await membersOfFleet(this.client, id, context) }
          : await fleetOfCluster(this.client, id, context);
      this.#known.set(cluster.uid, { askedAt: this.clock.now().getTime(), fleet });
      return fleet;
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      return known?.fleet;
    }
  }
}
