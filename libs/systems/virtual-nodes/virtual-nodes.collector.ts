import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmPage } from '#libs/azure/arm.client.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import { discover, whereRegistered } from '#libs/azure/discovery.js';
import { ROLE_ASSIGNMENT_TYPE } from '#libs/azure/role-assignments.js';
import type { Kube } from '#libs/kube/kube.js';
import { armIdOf, type Reading } from '../contract/arm-observation.js';
import type {
  CollectContext,
  CollectionOutcome,
  CollectionScope,
  Collector,
  ObservationResult,
} from '../contract/collector.js';
import type { Observation } from '../contract/observation.js';
import {
  collectionOutcome,
  furtherPart,
  lookIntoPage,
  observePages,
  type Shortfall,
} from '../contract/observed-pages.js';
import { rawText, rawTextRecord } from '../contract/raw-reader.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { subscriptionOf, subscriptionScopes } from '../contract/subscription-scope.js';
import { observeContainerGroup, servedPodOf, type PodState } from './container-group.kind.js';
import { observeVirtualNetwork } from './network.kinds.js';
import { observeRoleAssignment } from './role-assignment.kind.js';
import { ServedPodsReader } from './served-pods.reader.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';
import { azureKinds } from './virtual-nodes.kinds.js';
import { CONTAINER_GROUP_TYPE, SUBNET_TYPE, VIRTUAL_NETWORK_TYPE } from './virtual-nodes.types.js';

/** How many objects are looked into at the same time: the throttle budget is for everybody. */
const AT_ONCE = 8;

/** Container groups with what their clusters know of their pods, networks with their subnets, and role assignments. */
export class VirtualNodesCollector implements Collector {
  readonly name = 'virtual-nodes';
  readonly kinds: readonly string[] = azureKinds.map((kind) => kind.name);

  constructor(
    private readonly client: VirtualNodesClient,
    private readonly kube: Kube,
  ) {}

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionScopes(this, subscriptionIds);
  }

  async *collect(
    scope: CollectionScope,
    context: CollectContext,
  ): AsyncGenerator<Observation[], CollectionOutcome, void> {
    const subscriptionId = subscriptionOf(scope);
    const pods = new ServedPodsReader(this.client, this.kube, context);
    const tracked = yield* this.#observePages(
      discover({
        graph: () => this.client.discover(subscriptionId, context),
        arm: () => this.#listTracked(subscriptionId, context),
      }),
      `Some container groups and virtual networks of the subscription ${subscriptionId}.`,
      pods,
      context,
    );
    const assignments = yield* this.#observeAssignments(subscriptionId, pods, context);
    return collectionOutcome(tracked, assignments);
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = ArmId.tryParse(target.id);
    // A subnet comes with its network.
    const holder = id?.canonicalType === SUBNET_TYPE.toLowerCase() ? id.parent : id;
    if (id === undefined || holder === undefined || !isOurs(holder)) {
      throw new ControlError('INVALID_REQUEST', `This is nothing of virtual nodes or their networks: ${target.id}`);
    }
    const reading = await this.client.get(holder, context);
    if (reading.state === 'missing') return { state: 'absent', observedAt: reading.observedAt };
    const pods = new ServedPodsReader(this.client, this.kube, context);
    const observations = await this.#observeBody(
      reading.body,
      { observedAt: reading.observedAt, source: 'ARM' },
      pods,
      context,
    );
    if (!observations.some((observation) => observation.canonicalId === id.canonical)) {
      return { state: 'absent', observedAt: reading.observedAt };
    }
    return { state: 'present', observations };
  }

  async *#observeAssignments(
    subscriptionId: string,
    pods: ServedPodsReader,
    context: CollectContext,
  ): AsyncGenerator<Observation[], Shortfall | undefined, void> {
    const missing = `Some role assignments of the subscription ${subscriptionId}.`;
    const list = this.client.list.bind(this.client);
    const pages = discover({
      graph: () => this.client.discoverAssignments(subscriptionId, context),
      async *arm() {
        // The list begins with what holds above the subscription, which is not its own.
        const isOwn = ({ id }: JsonObject): boolean =>
          typeof id === 'string' && ArmId.tryParse(id)?.subscriptionId !== undefined;
        for await (const page of list(ROLE_ASSIGNMENT_TYPE, subscriptionId, context)) {
          yield { ...page, items: page.items.filter(isOwn) };
        }
        return undefined;
      },
    });
    return yield* furtherPart(this.#observePages(pages, missing, pods, context), missing);
  }

  async *#listTracked(
    subscriptionId: string,
    context: CollectContext,
  ): AsyncGenerator<ArmPage, ControlError | undefined, void> {
    for (const type of [CONTAINER_GROUP_TYPE, VIRTUAL_NETWORK_TYPE]) {
      yield* whereRegistered(this.client.list(type, subscriptionId, context));
    }
    return undefined;
  }

  #observePages(
    pages: ReturnType<typeof discover>,
    missing: string,
    pods: ServedPodsReader,
    context: CollectContext,
  ): AsyncGenerator<Observation[], Shortfall | undefined, void> {
    return observePages(
      pages,
      (items, reading) => lookIntoPage(items, AT_ONCE, (item) => this.#observeListed(item, reading, pods, context)),
      missing,
    );
  }

  async #observeListed(
    item: JsonObject,
    reading: Reading,
    pods: ServedPodsReader,
    context: CollectContext,
  ): Promise<Observation[]> {
    try {
      const id = armIdOf(item);
      if (!needsTruth(id, item)) return await this.#observeBody(item, reading, pods, context);
      const truth = await this.client.get(id, context);
      // Deleted since it was listed: nothing is missing.
      if (truth.state === 'missing') return [];
      const fresh = { observedAt: truth.observedAt, source: 'ARM' } as const;
      return await this.#observeBody(truth.body, fresh, pods, context);
    } catch (error) {
      if (error instanceof ControlError && saysAbsent(error)) return [];
      throw error;
    }
  }

  async #observeBody(
    body: JsonObject,
    reading: Reading,
    pods: ServedPodsReader,
    context: CollectContext,
  ): Promise<Observation[]> {
    const id = armIdOf(body);
    switch (id.canonicalType) {
      case VIRTUAL_NETWORK_TYPE.toLowerCase():
        return observeVirtualNetwork(body, reading);
      case ROLE_ASSIGNMENT_TYPE.toLowerCase():
        return [observeRoleAssignment(body, reading)];
      default:
        return this.#observeGroup(id, body, reading, pods, context);
    }
  }

  async #observeGroup(
    id: ArmId,
    body: JsonObject,
    reading: Reading,
    pods: ServedPodsReader,
    context: CollectContext,
  ): Promise<Observation[]> {
    const served = servedPodOf(rawTextRecord(body, 'tags'));
    const cluster = served === undefined ? undefined : await pods.clusterOf(id);
    if (served === undefined || cluster === undefined) {
      const podState: PodState = served === undefined ? 'None' : 'Unknown';
      return [observeContainerGroup(body, { cluster, podState }, reading)];
    }
    const podState = await pods.stateOf(cluster, served);
    if (podState !== 'Gone') return [observeContainerGroup(body, { cluster, podState }, reading)];
    // A pod and its group go at about the same time: only a group that is still there afterwards has been left behind.
    const again = await this.client.get(id, context);
    if (again.state === 'missing') return [];
    const stillServed = servedPodOf(rawTextRecord(again.body, 'tags'));
    const state = stillServed === undefined ? 'None' : await pods.lookUp(cluster, stillServed);
    const fresh = { observedAt: again.observedAt, source: 'ARM' } as const;
    return [observeContainerGroup(again.body, { cluster, podState: state }, fresh)];
  }
}

/**
 * Resource Graph does not hear of addresses that come into use, and lists of container groups leave out how their
 * containers are: where that matters the object itself is asked.
 */
function needsTruth(id: ArmId, body: JsonObject): boolean {
  switch (id.canonicalType) {
    case VIRTUAL_NETWORK_TYPE.toLowerCase():
      return true;
    case CONTAINER_GROUP_TYPE.toLowerCase():
      return rawText(body, 'properties', 'instanceView', 'state')?.toLowerCase() !== 'running';
    default:
      return false;
  }
}

function isOurs(id: ArmId): boolean {
  return [CONTAINER_GROUP_TYPE, VIRTUAL_NETWORK_TYPE, ROLE_ASSIGNMENT_TYPE].some(
    (type) => type.toLowerCase() === id.canonicalType,
  );
}
