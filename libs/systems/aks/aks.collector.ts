import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { discover } from '#libs/azure/discovery.js';
import type {
  CollectContext,
  CollectionOutcome,
  CollectionScope,
  Collector,
  ObservationResult,
} from '../contract/collector.js';
import type { Observation } from '../contract/observation.js';
import { mapPage } from '../contract/observation-batch.js';
import { collectionOutcome, observePages } from '../contract/observed-pages.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { subscriptionOf, subscriptionScopes } from '../contract/subscription-scope.js';
import type { AksClient } from './aks.client.js';
import {
  AGENT_POOL_TYPE,
  MANAGED_CLUSTER_TYPE,
  agentPoolKind,
  managedClusterKind,
  observeManagedCluster,
} from './aks.kinds.js';

/** Clusters and, from within them, node pools: one list per subscription gives both. */
export class AksCollector implements Collector {
  readonly name = 'aks';
  readonly kinds: readonly string[] = [managedClusterKind.name, agentPoolKind.name];

  constructor(private readonly client: AksClient) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionScopes(this, subscriptionIds);
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const subscriptionId = subscriptionOf(scope);
    const pages = discover({
      graph: () => this.client.discoverClusters(subscriptionId, context),
      arm: () => this.client.listClusters(subscriptionId, context),
    });
    return collectionOutcome(
      yield* observePages(
        pages,
        (items, reading) => mapPage(items, (item) => observeManagedCluster(item, reading)),
        `Some AKS clusters of the subscription ${subscriptionId}.`,
      ),
    );
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.parse(target.id);
    const cluster = clusterOf(id);
    const reading = await this.client.getCluster(cluster, context);
    if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
    const observations = observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'ARM' });
    // A pool that its cluster does not list is gone, although the cluster is there.
    if (!observations.some((observation) => observation.canonicalId === id.canonical)) {
      return { state: 'absent', observedAt: reading.observedAt };
    }
    return { state: 'present', observations };
  }
}

/**
 * The cluster that a cluster's or node pool's id belongs to.
 * @throws ControlError INVALID_REQUEST for the id of anything else.
 */
export function clusterOf(id: ArmId): ArmId {
  if (id.canonicalType === MANAGED_CLUSTER_TYPE.toLowerCase()) return id;
  if (id.canonicalType === AGENT_POOL_TYPE.toLowerCase() && id.parent !== undefined) return id.parent;
  throw new ControlError('INVALID_REQUEST', `This is neither an AKS cluster nor a node pool of one: ${id.toString()}`);
}
