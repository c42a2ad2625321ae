import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmPage } from '#libs/azure/arm.client.js';
import { saysAbsent, saysUnregistered } from '#libs/azure/arm-error.classifier.js';
import { discover, whereRegistered } from '#libs/azure/discovery.js';
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
import { CHILD_TYPES, TRACKED_TYPES, type ArcClient } from './arc.client.js';
import { arcKinds, isArcId, observeArcObject } from './arc.kinds.js';
import { connectedClusterKind } from './connected-cluster.kind.js';

/** Connected clusters and custom locations, then what lies in each cluster. */
export class ArcCollector implements Collector {
  readonly name = 'arc';
  readonly kinds: readonly string[] = arcKinds.map((kind) => kind.name);

  constructor(private readonly client: ArcClient) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionScopes(this, subscriptionIds);
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const subscriptionId = subscriptionOf(scope);
    const clusters = new Map<string, ArmId>();
    const tracked = yield* observePages(
      discover({
        graph: () => this.client.discoverTracked(subscriptionId, context),
        arm: () => this.#listTracked(subscriptionId, context),
      }),
      (items, reading) => {
        const page = mapPage(items, (item) => observeArcObject(item, reading));
        for (const { kind, canonicalId, id } of page.batches.flat()) {
          if (kind === connectedClusterKind.name) clusters.set(canonicalId, ArmId.parse(id));
        }
        return page;
      },
      `Some connected clusters and custom locations of the subscription ${subscriptionId}.`,
    );
    const children = yield* this.#children(subscriptionId, clusters, context);
    return collectionOutcome(tracked, children);
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
    const shortfall = yield* furtherPart(
      observePages(pages, (items, reading) => mapPage(items, (item) => observeArcObject(item, reading)), missing),
      missing,
    );
    if (shortfall === undefined || unseen.size === 0) return shortfall;
    return { ...shortfall, missing: `The extensions and Flux configurations of ${[...unseen].join(', ')}.` };
  }

  async *#listTracked(
    subscriptionId: string,
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    for (const type of TRACKED_TYPES) {
      yield* whereRegistered(this.client.listOfSubscription(type, subscriptionId, context));
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
          if (saysAbsent(error) || saysUnregistered(error)) continue;
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
