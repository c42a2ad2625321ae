import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmPage } from '#libs/azure/arm.client.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import { discover, type DiscoveredPage, type DiscoveryOutcome } from '#libs/azure/discovery.js';
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
import { CHILD_TYPES, TRACKED_TYPES, type ArcClient } from './arc.client.js';
import { arcKinds, isArcId, observeArcObject } from './arc.kinds.js';
import { connectedClusterKind } from './connected-cluster.kind.js';

/** What one part of a run could not see. */
interface Shortfall {
  problem: ControlError;
  missing: string;
}

/** Connected clusters and custom locations, then what lies in each cluster. */
export class ArcCollector implements Collector {
  readonly name = 'arc';
  readonly kinds: readonly string[] = arcKinds.map((kind) => kind.name);

  constructor(private readonly client: ArcClient) {}

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
    const clusters = new Map<string, ArmId>();
    const tracked = yield* observePages(
      discover({
        graph: () => this.client.discoverTracked(subscriptionId, context),
        arm: () => this.#listTracked(subscriptionId, context),
      }),
      (observation) => {
        if (observation.kind === connectedClusterKind.name) {
          clusters.set(observation.canonicalId, ArmId.parse(observation.id));
        }
      },
      `Some connected clusters and custom locations of the subscription ${subscriptionId}.`,
    );
    const children = yield* this.#children(subscriptionId, clusters, context);
    const shortfalls = [tracked, children].filter((shortfall) => shortfall !== undefined);
    const first = shortfalls[0];
    if (first === undefined) return { state: 'complete' };
    return { state: 'partial', problem: first.problem, missing: shortfalls.map(({ missing }) => missing).join(' ') };
  }

  async *#children(
    subscriptionId: string,
    clusters: ReadonlyMap<string, ArmId>,
    context: CollectContext,
  ): AsyncGenerator<Observation[], Shortfall | undefined, void> {
    const unseen = new Set<string>();
    const pages = discover({
      graph: () => this.client.discoverChildren(subscriptionId, context),
      arm: () => this.#listChildrenOf(clusters, unseen, context),
    });
    const missing = `Some extensions and Flux configurations of the subscription ${subscriptionId}.`;
    try {
      const shortfall = yield* observePages(pages, () => undefined, missing);
      if (shortfall === undefined || unseen.size === 0) return shortfall;
      return { ...shortfall, missing: `The extensions and Flux configurations of ${[...unseen].join(', ')}.` };
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      // The clusters were seen: what is known must not be thrown away with what is not.
      return { problem: error, missing };
    }
  }

  /** A provider that is not registered has nothing: that is no shortfall. */
  async *#listTracked(
    subscriptionId: string,
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    for (const type of TRACKED_TYPES) {
      try {
        yield* this.client.listOfSubscription(type, subscriptionId, context);
      } catch (error) {
        if (!(error instanceof ControlError) || !isUnregistered(error)) throw error;
      }
    }
    return undefined;
  }

  /** Lists of each cluster; a cluster whose list fails is noted and the others are still read. */
  async *#listChildrenOf(
    clusters: ReadonlyMap<string, ArmId>,
    unseen: Set<string>,
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    let problem: ControlError | undefined;
    for (const cluster of clusters.values()) {
      for (const type of CHILD_TYPES) {
        try {
          yield* this.client.listOfCluster(type, cluster, context);
        } catch (error) {
          if (!(error instanceof ControlError)) throw error;
          // Deleted since it was listed: it has no children to miss.
          if (saysAbsent(error) || isUnregistered(error)) continue;
          problem ??= error;
          unseen.add(cluster.name);
        }
      }
    }
    return problem;
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.parse(target.id);
    if (!isArcId(id)) {
      throw new ControlError('INVALID_REQUEST', `This is no object of Azure Arc: ${id.toString()}`);
    }
    const reading = await this.client.get(id, context);
    if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
    const observations = observeArcObject(reading.body, { observedAt: reading.observedAt, source: 'ARM' });
    return { state: 'present', observations };
  }
}

function isUnregistered(error: ControlError): boolean {
  return error.externalCode === 'MissingSubscriptionRegistration';
}

async function* observePages(
  pages: AsyncGenerator<DiscoveredPage, DiscoveryOutcome, void>,
  note: (observation: Observation) => void,
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
    const observe = (item: JsonObject): Observation[] => observeArcObject(item, { observedAt, source });
    const { batches, problem } = mapPage(items, observe);
    unreadable ??= problem;
    for (const batch of batches) batch.forEach(note);
    yield* batches;
  }
}
