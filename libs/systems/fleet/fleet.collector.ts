import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmPage } from '#libs/azure/arm.client.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import { discover } from '#libs/azure/discovery.js';
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
import { collectionOutcome, furtherPart, observePages, type Shortfall } from '../contract/observed-pages.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { subscriptionOf, subscriptionScopes } from '../contract/subscription-scope.js';
import type { FleetClient } from './fleet.client.js';
import { FLEET_CHILD_TYPES, fleetChildOf } from './fleet-child-types.js';
import { FLEET_TYPE, fleetKind, observeFleet } from './fleet.kinds.js';

/** Fleets, then what lies in them. */
export class FleetCollector implements Collector {
  readonly name = 'fleet';
  readonly kinds: readonly string[] = [fleetKind.name, ...FLEET_CHILD_TYPES.map((child) => child.kind)];

  constructor(private readonly client: FleetClient) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionScopes(this, subscriptionIds);
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const subscriptionId = subscriptionOf(scope);
    const fleetIds = new Map<string, ArmId>();
    const fleets = yield* observePages(
      discover({
        graph: () => this.client.discoverFleets(subscriptionId, context),
        arm: () => this.client.listFleets(subscriptionId, context),
      }),
      (items, reading) =>
        mapPage(items, (item) => {
          const id = armIdOf(item);
          fleetIds.set(id.canonical, id);
          return [observeFleet(item, reading)];
        }),
      `Some fleets of the subscription ${subscriptionId}.`,
    );
    const children = yield* this.#children(subscriptionId, fleetIds, context);
    return collectionOutcome(fleets, children);
  }

  async *#children(
    subscriptionId: string,
    fleets: ReadonlyMap<string, ArmId>,
    context: CollectContext,
  ): AsyncGenerator<Observation[], Shortfall | undefined, void> {
    const unseen: string[] = [];
    const pages = discover({
      graph: () => this.client.discoverChildren(subscriptionId, context),
      arm: () => this.#listChildrenOf(fleets, unseen, context),
    });
    const missing = `Some members, update runs, update strategies or auto-upgrade profiles of the fleets of the subscription ${subscriptionId}.`;
    const shortfall = yield* furtherPart(
      observePages(pages, (items, reading) => mapPage(items, (item) => [observeFleetChild(item, reading)]), missing),
      missing,
    );
    if (shortfall === undefined || unseen.length === 0) return shortfall;
    return { ...shortfall, missing: `Of the fleets: ${unseen.join(', ')}.` };
  }

  /** One list per fleet and type; where one fails, that is noted and the others are still read. */
  async *#listChildrenOf(
    fleets: ReadonlyMap<string, ArmId>,
    unseen: string[],
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    let problem: ControlError | undefined;
    for (const fleet of fleets.values()) {
      for (const { type } of FLEET_CHILD_TYPES) {
        try {
          yield* this.client.listChildren(fleet, type, context);
        } catch (error) {
          if (!(error instanceof ControlError)) throw error;
          // Deleted since it was listed: there is nothing in it to miss.
          if (saysAbsent(error)) break;
          problem ??= error;
          unseen.push(`the ${type.split('/').at(-1) ?? ''} of ${fleet.name}`);
        }
      }
    }
    return problem;
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.parse(target.id);
    const observe = id.canonicalType === FLEET_TYPE.toLowerCase() ? observeFleet : fleetChildOf(id)?.observe;
    if (observe === undefined) {
      throw new ControlError('INVALID_REQUEST', `This is neither a fleet nor anything in one: ${id.toString()}`);
    }
    const reading = await this.client.get(id, context);
    if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
    const { body, observedAt } = reading;
    return { state: 'present', observations: [observe(body, { observedAt, source: 'ARM' })] };
  }
}

function observeFleetChild(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const child = fleetChildOf(id);
  if (child !== undefined) return child.observe(body, reading);
  throw new ControlError(
    'AZURE_UNEXPECTED_ANSWER',
    `Azure listed something else among what lies in fleets: ${id.type}`,
  );
}
