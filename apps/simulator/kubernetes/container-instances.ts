import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import type { AzureState } from '../azure.state.js';
import type { FaultStore } from '../fault.store.js';
import { numberAt, objectAt, textAt } from '../json-merge.js';
import type { ResourceEngine } from '../resource.engine.js';
import type { ResourceChange, StoredResource } from '../resource.store.js';
import { aciConnectorOf } from '../types/aci-connector.addon.js';
import {
  CONTAINER_GROUP_TYPE,
  containerGroupState,
  containerGroupType,
  inaccessibleImage,
} from '../types/container-group.type.js';
import type {
  ContainerGroupPort,
  ContainerGroupRefusal,
  SeenContainerGroup,
} from './controllers/container-group.port.js';
import { earlyConnectorOf, virtualNodePlan } from './virtual-node.view.js';
import { isEarlyNode } from './virtual-node.objects.js';

const ACTOR = 'aciconnectorlinux';

/** The container groups of one cluster's node resource group, as its connectors use them. */
export class ContainerInstances implements ContainerGroupPort {
  readonly #listeners = new Set<(name: string) => void>();

  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
    private readonly clusterKey: string,
    private readonly nodeGroup: string,
    /** What a test has put in the way of requests to Azure: the connectors make theirs as others do. */
    private readonly faults: Pick<FaultStore, 'take'>,
  ) {}

  /** Tells the listeners, where the change is one of a group in the node resource group. */
  observe({ before, after }: ResourceChange): void {
    const group = after ?? before;
    if (group?.type !== CONTAINER_GROUP_TYPE.toLowerCase()) return;
    if (group.resourceGroup?.toLowerCase() !== this.nodeGroup.toLowerCase()) return;
    for (const listener of this.#listeners) listener(group.name);
  }

  find(name: string): SeenContainerGroup | undefined {
    const group = this.state.resources.get(this.#id(name).canonical);
    return group === undefined ? undefined : seen(group);
  }

  create(name: string, node: string, body: JsonObject): ContainerGroupRefusal | undefined {
    const id = this.#id(name);
    const cluster = this.state.resources.get(this.clusterKey);
    if (cluster === undefined) {
      return { id: id.toString(), status: 404, code: 'ResourceNotFound', message: 'The cluster is gone.' };
    }
    const fault = this.#faultFor(id);
    if (fault !== undefined) return fault;
    try {
      containerGroupType.validateName(name);
      const plan = containerGroupType.planPut({
        id,
        requested: this.#placed(cluster, node, body),
        existing: undefined,
        apiVersion: containerGroupType.apiVersions.at(-1)!,
        world: this.state.world,
      });
      this.engine.begin({ plan, action: 'create', actor: ACTOR });
      return undefined;
    } catch (error) {
      if (!(error instanceof ArmError)) throw error;
      return refusal(id, error);
    }
  }

  inaccessible(name: string, image: string): ContainerGroupRefusal {
    return refusal(this.#id(name), inaccessibleImage(name, image));
  }

  delete(name: string): void {
    const id = this.#id(name);
    const group = this.state.resources.get(id.canonical);
    if (group === undefined) return;
    const plan = containerGroupType.planDelete(group, id, this.state.world, new Map());
    this.engine.begin({ plan, action: 'delete', actor: ACTOR });
  }

  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Faults without an answer mean nothing here: a connector asks again by itself until it has one. */
  #faultFor(id: ArmId): ContainerGroupRefusal | undefined {
    const fault = this.faults.take({ method: 'PUT', path: id.toString() });
    if (fault?.type !== 'error') return undefined;
    return { id: id.toString(), status: fault.status, code: fault.code, message: fault.message };
  }

  /** The early connector knows no networks: its groups have addresses that everybody can reach. */
  #placed(cluster: StoredResource, node: string, body: JsonObject): JsonObject {
    const properties = objectAt(body, 'properties');
    const address = objectAt(properties, 'ipAddress');
    if (isEarlyNode(node)) {
      const location = earlyConnectorOf(cluster) ?? textAt(cluster.body, 'location') ?? '';
      return { ...body, location, properties: { ...properties, ipAddress: { ...address, type: 'Public' } } };
    }
    const location = textAt(cluster.body, 'location') ?? '';
    const plan = virtualNodePlan(cluster, this.state.world);
    const subnetId = plan?.connector === 'running' ? plan.subnetId : '';
    const name = aciConnectorOf(cluster.body)?.subnetName ?? '';
    return { ...body, location, properties: { ...properties, subnetIds: [{ id: subnetId, name }] } };
  }

  #id(name: string): ArmId {
    const { subscriptionId } = ArmId.parse(this.state.resources.get(this.clusterKey)?.id ?? this.clusterKey);
    return ArmId.resourceGroup(subscriptionId ?? '', this.nodeGroup).resource(CONTAINER_GROUP_TYPE, name);
  }
}

function refusal(id: ArmId, { status, code, message }: ArmError): ContainerGroupRefusal {
  return { id: id.toString(), status, code, message };
}

function seen(group: StoredResource): SeenContainerGroup {
  const properties = objectAt(group.body, 'properties');
  return {
    podUid: textAt(objectAt(group.body, 'tags'), 'UID'),
    state: containerGroupState(group) as SeenContainerGroup['state'],
    address: textAt(objectAt(properties, 'ipAddress'), 'ip'),
    restarts: numberAt(objectAt(group.body, 'simulation'), 'restarts') ?? 0,
    isGoing: properties.provisioningState === 'Deleting',
  };
}
