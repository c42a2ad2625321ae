import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import { whereRegistered } from '#libs/azure/discovery.js';
import { armIdOf } from '../contract/arm-observation.js';
import type {
  CollectContext,
  CollectionOutcome,
  CollectionScope,
  Collector,
  ObservationResult,
} from '../contract/collector.js';
import type { Observation } from '../contract/observation.js';
import { mapPage } from '../contract/observation-batch.js';
import { rawText } from '../contract/raw-reader.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { subscriptionOf, subscriptionScopes } from '../contract/subscription-scope.js';
import type { AksHciClient } from './aks-hci.client.js';
import {
  PROVISIONED_CLUSTER_TYPE,
  PROVISIONED_POOL_TYPE,
  aksHciKinds,
  instanceOf,
  isOfHost,
  observeProvisionedCluster,
  observeProvisionedPool,
} from './aks-hci.kinds.js';

/**
 * Instances and their pools, which are listed nowhere by themselves, connected cluster by connected cluster: an Azure Stack
 * HCI host has a few dozen at most.
 */
export class AksHciCollector implements Collector {
  readonly name = 'aks-hci';
  readonly kinds: readonly string[] = aksHciKinds.map((kind) => kind.name);

  constructor(private readonly client: AksHciClient) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionScopes(this, subscriptionIds);
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const subscriptionId = subscriptionOf(scope);
    let problem: ControlError | undefined;
    const unseen: string[] = [];
    for await (const { items } of whereRegistered(this.client.listConnectedClusters(subscriptionId, context))) {
      for (const item of items) {
        if (!isOfHost(item)) continue;
        try {
          const { observations, unreadable } = await this.#below(item, context);
          if (observations.length > 0) yield observations;
          if (unreadable !== undefined) throw unreadable;
        } catch (error) {
          if (!(error instanceof ControlError)) throw error;
          problem ??= error;
          unseen.push(rawText(item, 'name') ?? 'one without a name');
        }
      }
    }
    if (problem === undefined) return { state: 'complete' };
    return { state: 'partial', problem, missing: `What Azure made below the connected clusters ${unseen.join(', ')}.` };
  }

  async #below(
    connectedCluster: JsonObject,
    context: CollectContext,
  ): Promise<{ observations: Observation[]; unreadable?: ControlError }> {
    const instance = instanceOf(armIdOf(connectedCluster));
    const location = rawText(connectedCluster, 'location');
    const reading = await this.client.getInstance(instance, context);
    // A connected cluster whose instance is being made, or was deleted before it.
    if (reading.state === 'missing') return { observations: [] };
    const { body, observedAt } = reading;
    const observations = [observeProvisionedCluster(body, { observedAt, source: 'ARM', location })];
    const pools = await this.#pools(instance, location, context);
    return { ...pools, observations: [...observations, ...pools.observations] };
  }

  async #pools(
    instance: ArmId,
    location: string | null,
    context: CollectContext,
  ): Promise<{ observations: Observation[]; unreadable?: ControlError }> {
    const observations: Observation[] = [];
    let unreadable: ControlError | undefined;
    try {
      for await (const { items, observedAt } of this.client.listPools(instance, context)) {
        const mapped = mapPage(items, (item) => [
          observeProvisionedPool(item, { observedAt, source: 'ARM', location }),
        ]);
        observations.push(...mapped.batches.flat());
        unreadable ??= mapped.problem;
      }
    } catch (error) {
      // Deleted since it was read: it has no pools to miss.
      if (!(error instanceof ControlError) || !saysAbsent(error)) throw error;
    }
    return { observations, ...(unreadable === undefined ? {} : { unreadable }) };
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.parse(target.id);
    const isPool = id.canonicalType === PROVISIONED_POOL_TYPE.toLowerCase();
    const instance = clusterInstanceOf(id);
    const reading = await (isPool ? this.client.getPool(id, context) : this.client.getInstance(id, context));
    if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
    const connected =
      instance.parent === undefined ? undefined : await this.client.getConnectedCluster(instance.parent, context);
    const location = connected?.state === 'found' ? rawText(connected.body, 'location') : null;
    const surroundings = { observedAt: reading.observedAt, source: 'ARM' as const, location };
    const observe = isPool ? observeProvisionedPool : observeProvisionedCluster;
    return { state: 'present', observations: [observe(reading.body, surroundings)] };
  }
}

/**
 * The instance that an instance's or a pool's id belongs to.
 * @throws ControlError INVALID_REQUEST for the id of anything else.
 */
export function clusterInstanceOf(id: ArmId): ArmId {
  if (id.canonicalType === PROVISIONED_CLUSTER_TYPE.toLowerCase()) return id;
  if (id.canonicalType === PROVISIONED_POOL_TYPE.toLowerCase() && id.parent !== undefined) return id.parent;
  throw new ControlError(
    'INVALID_REQUEST',
    `This is neither a provisioned cluster nor a pool of one: ${id.toString()}`,
  );
}
