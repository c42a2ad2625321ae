import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { changedBody, memberObject } from '#libs/azure/raw-change.js';
import type { GraphOutcome, GraphPage } from '#libs/azure/resource-graph.client.js';
import { ROLE_ASSIGNMENT_TYPE } from '#libs/azure/role-assignments.js';
import { rawObjects } from '../contract/raw-reader.js';
import {
  CONTAINER_GROUP_TYPE,
  MANAGED_CLUSTER_TYPE,
  SUBNET_TYPE,
  VIRTUAL_NETWORK_TYPE,
} from './virtual-nodes.types.js';

const COLUMNS = 'id, name, type, location, resourceGroup, subscriptionId, tags, properties';
const USAGES = 'Microsoft.ContainerInstance/locations/usages';
const CAPABILITIES = 'Microsoft.ContainerInstance/locations/capabilities';
/** What AKS tells of each pool and does not take back. */
const POOL_READ_ONLY = ['provisioningState', 'currentOrchestratorVersion', 'nodeImageVersion', 'eTag', 'status'];

/** The calls about container groups, networks, roles and the add-on, without decisions. */
export class VirtualNodesClient {
  readonly arm: ArmClient;

  constructor(private readonly azure: Pick<Azure, 'arm' | 'resourceGraph'>) {
    this.arm = azure.arm;
  }

  /** Container groups and networks in one query. */
  discover(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    const listed = [CONTAINER_GROUP_TYPE, VIRTUAL_NETWORK_TYPE].map((type) => `'${type.toLowerCase()}'`).join(', ');
    const query = `resources | where type in~ (${listed}) | project ${COLUMNS}`;
    return this.azure.resourceGraph.ask({ query, subscriptionIds: [subscriptionId] }, context);
  }

  discoverAssignments(
    subscriptionId: string,
    context: AzureCallContext,
  ): AsyncGenerator<GraphPage, GraphOutcome, void> {
    const query = `authorizationresources | where type =~ '${ROLE_ASSIGNMENT_TYPE.toLowerCase()}' | project id, name, type, properties`;
    return this.azure.resourceGraph.ask({ query, subscriptionIds: [subscriptionId] }, context);
  }

  list(type: string, subscriptionId: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${type}`;
    return this.arm.list(path, armApiVersion(type), context);
  }

  listGroupsIn(resourceGroup: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${resourceGroup.toString()}/providers/${CONTAINER_GROUP_TYPE}`;
    return this.arm.list(path, armApiVersion(CONTAINER_GROUP_TYPE), context);
  }

  deleteGroup(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(CONTAINER_GROUP_TYPE), context);
  }

  /** Of any type that has an API version. */
  get(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  getResourceGroup(subscriptionId: string, resourceGroup: string, context: AzureCallContext): Promise<ArmReading> {
    const id = ArmId.resourceGroup(subscriptionId, resourceGroup);
    return this.arm.get(id, armApiVersion('Microsoft.Resources/resourceGroups'), context);
  }

  /** The registration of a resource provider, and what it offers where. */
  getProvider(subscriptionId: string, namespace: string, context: AzureCallContext): Promise<ArmReading> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${namespace}`;
    return this.arm.get(path, armApiVersion('Microsoft.Resources/providers'), context);
  }

  /** How much of the regional quota is used. */
  listUsages(
    subscriptionId: string,
    location: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    const subscription = ArmId.subscription(subscriptionId).toString();
    const path = `${subscription}/providers/Microsoft.ContainerInstance/locations/${location}/usages`;
    return this.arm.list(path, armApiVersion(USAGES), context);
  }

  /** The most that one container group can have in a region, by operating system and kind of address. */
  listCapabilities(
    subscriptionId: string,
    location: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    const subscription = ArmId.subscription(subscriptionId).toString();
    const path = `${subscription}/providers/Microsoft.ContainerInstance/locations/${location}/capabilities`;
    return this.arm.list(path, armApiVersion(CAPABILITIES), context);
  }

  putSubnet(id: ArmId, properties: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(SUBNET_TYPE), { properties }, context);
  }

  changeSubnet(
    id: ArmId,
    observed: { body: JsonObject },
    change: (properties: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    const body = changedBody(id, observed.body, (subnet) => change(memberObject(subnet, 'properties')));
    return this.arm.put(id, armApiVersion(SUBNET_TYPE), body, context);
  }

  /** There is no PATCH: the whole cluster is written back as it was read, if nobody has changed it since. */
  changeCluster(
    id: ArmId,
    observed: { body: JsonObject; etag: string | null },
    change: (properties: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    const body = changedBody(id, observed.body, (cluster) => {
      const properties = memberObject(cluster, 'properties');
      for (const pool of rawObjects(properties, 'agentPoolProfiles')) {
        for (const member of POOL_READ_ONLY) Reflect.deleteProperty(pool, member);
      }
      change(properties);
    });
    const precondition = observed.etag === null ? {} : { ifMatch: observed.etag };
    return this.arm.put(id, armApiVersion(MANAGED_CLUSTER_TYPE), body, context, precondition);
  }
}
