import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmPage } from '#libs/azure/arm.client.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import { discover, type DiscoveredPage, type DiscoveryOutcome } from '#libs/azure/discovery.js';
import { armIdOf, type Reading } from '../contract/arm-observation.js';
import type {
  CollectContext,
  CollectionOutcome,
  CollectionScope,
  Collector,
  ObservationResult,
} from '../contract/collector.js';
import type { Observation } from '../contract/observation.js';
import { mapPage } from '../contract/observation-batch.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { FleetClient } from './fleet.client.js';
import {
  FLEET_MEMBER_TYPE,
  FLEET_TYPE,
  fleetKind,
  fleetMemberKind,
  observeFleet,
  observeFleetMember,
} from './fleet.kinds.js';

/** What one part of a run (fleets, members) could not see. */
interface Shortfall {
  problem: ControlError;
  missing: string;
}

/** Fleets, then their members. */
export class FleetCollector implements Collector {
  readonly name = 'fleet';
  readonly kinds: readonly string[] = [fleetKind.name, fleetMemberKind.name];

  constructor(private readonly client: FleetClient) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionIds.map((subscriptionId) => ({
      key: `${this.name}:${subscriptionId.toLowerCase()}`,
      collector: this.name,
      kinds: this.kinds,
      subscriptionId: subscriptionId.toLowerCase(),
      clusterUid: null,
    }));
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const { subscriptionId } = scope;
    if (subscriptionId === null) throw new TypeError(`The scope ${scope.key} has no subscription`);
    const fleetIds = new Map<string, ArmId>();
    const fleets = yield* observePages(
      discover({
        graph: () => this.client.discoverFleets(subscriptionId, context),
        arm: () => this.client.listFleets(subscriptionId, context),
      }),
      (item, reading) => {
        const id = armIdOf(item);
        fleetIds.set(id.canonical, id);
        return observeFleet(item, reading);
      },
      `Some fleets of the subscription ${subscriptionId}.`,
    );
    const members = yield* this.#members(subscriptionId, fleetIds, context);
    const shortfalls = [fleets, members].filter((shortfall) => shortfall !== undefined);
    const first = shortfalls[0];
    if (first === undefined) return { state: 'complete' };
    return { state: 'partial', problem: first.problem, missing: shortfalls.map(({ missing }) => missing).join(' ') };
  }

  async *#members(
    subscriptionId: string,
    fleets: ReadonlyMap<string, ArmId>,
    context: CollectContext,
  ): AsyncGenerator<Observation[], Shortfall | undefined, void> {
    const unseen: string[] = [];
    const pages = discover({
      graph: () => this.client.discoverMembers(subscriptionId, context),
      arm: () => this.#listMembersOf(fleets, unseen, context),
    });
    const missing = `Some fleet members of the subscription ${subscriptionId}.`;
    try {
      const shortfall = yield* observePages(pages, observeFleetMember, missing);
      if (shortfall === undefined || unseen.length === 0) return shortfall;
      return { ...shortfall, missing: `The members of the fleets ${unseen.join(', ')}.` };
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      // The fleets were seen: what is known must not be thrown away with what is not.
      return { problem: error, missing };
    }
  }

  /** One list per fleet; a fleet whose list fails is noted and the others are still read. */
  async *#listMembersOf(
    fleets: ReadonlyMap<string, ArmId>,
    unseen: string[],
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    let problem: ControlError | undefined;
    for (const fleet of fleets.values()) {
      try {
        yield* this.client.listMembers(fleet, context);
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        // Deleted since it was listed: it has no members to miss.
        if (saysAbsent(error)) continue;
        problem ??= error;
        unseen.push(fleet.name);
      }
    }
    return problem;
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.parse(target.id);
    switch (id.canonicalType) {
      case FLEET_TYPE.toLowerCase(): {
        const reading = await this.client.getFleet(id, context);
        if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
        const { body, observedAt } = reading;
        return { state: 'present', observations: [observeFleet(body, { observedAt, source: 'ARM' })] };
      }
      case FLEET_MEMBER_TYPE.toLowerCase(): {
        const reading = await this.client.getMember(id, context);
        if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
        const { body, observedAt } = reading;
        return { state: 'present', observations: [observeFleetMember(body, { observedAt, source: 'ARM' })] };
      }
      default:
        throw new ControlError('INVALID_REQUEST', `This is neither a fleet nor a fleet member: ${id.toString()}`);
    }
  }
}

async function* observePages(
  pages: AsyncGenerator<DiscoveredPage, DiscoveryOutcome, void>,
  observe: (item: JsonObject, reading: Reading) => Observation,
  missing: string,
): AsyncGenerator<Observation[], Shortfall | undefined, void> {
  let unreadable: ControlError | undefined;
  for (;;) {
    const next = await pages.next();
    if (next.done === true) {
      const problem = next.value.state === 'partial' ? next.value.problem : unreadable;
      return problem === undefined ? undefined : { problem, missing };
    }
    const { items, observedAt, source } = next.value;
    const { batches, problem } = mapPage(items, (item) => [observe(item, { observedAt, source })]);
    unreadable ??= problem;
    yield* batches;
  }
}
