import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { changedBody } from '#libs/azure/raw-change.js';
import { regionalCores, type RegionalCores } from '#libs/azure/regional-cores.js';
import type { GraphOutcome, GraphPage } from '#libs/azure/resource-graph.client.js';
import { rawObjects } from '../contract/raw-reader.js';
import { AGENT_POOL_TYPE, MANAGED_CLUSTER_TYPE } from './aks.kinds.js';

const CLUSTER_QUERY =
  "resources | where type =~ 'microsoft.containerservice/managedclusters' | project id, name, type, location, resourceGroup, subscriptionId, kind, sku, identity, extendedLocation, tags, properties";

const SKU_TYPE = 'Microsoft.Compute/skus';
/** What Azure tells of the pools inside a cluster and does not take back. */
const READ_ONLY_OF_PROFILES = ['provisioningState', 'currentOrchestratorVersion', 'eTag', 'status'];

/**
 * The calls to AKS, without decisions. Raw on purpose: the generated models flatten `properties` and drop every field
 * that is newer than they are, and what is read here is stored, changed and written back.
 */
export class AksClient {
  readonly arm: ArmClient;

  constructor(private readonly azure: Pick<Azure, 'arm' | 'resourceGraph'>) {
    this.arm = azure.arm;
  }

  discoverClusters(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: CLUSTER_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  listClusters(subscriptionId: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${MANAGED_CLUSTER_TYPE}`;
    return this.arm.list(path, armApiVersion(MANAGED_CLUSTER_TYPE), context);
  }

  getCluster(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(MANAGED_CLUSTER_TYPE), context);
  }

  getNodePool(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(AGENT_POOL_TYPE), context);
  }

  /** Writes a node pool back as it was read, but for the change, and only if nobody has changed it since. */
  changeNodePool(
    id: ArmId,
    observed: { body: JsonObject; etag: string | null },
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    const body = changedBody(id, observed.body, change);
    const precondition = observed.etag === null ? {} : { ifMatch: observed.etag };
    return this.arm.put(id, armApiVersion(AGENT_POOL_TYPE), body, context, precondition);
  }

  createNodePool(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(AGENT_POOL_TYPE), body, context, { ifNoneMatch: '*' });
  }

  deleteNodePool(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(AGENT_POOL_TYPE), context);
  }

  createCluster(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(MANAGED_CLUSTER_TYPE), body, context, { ifNoneMatch: '*' });
  }

  /**
   * Writes a cluster and its pools back as they were read, but for the change, and only if nobody has changed them since.
   * Without a change it makes Azure try again what has failed.
   */
  changeCluster(
    id: ArmId,
    observed: { body: JsonObject; etag: string | null },
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    const body = changedBody(id, observed.body, (copy) => {
      for (const profile of rawObjects(copy, 'properties', 'agentPoolProfiles')) {
        for (const member of READ_ONLY_OF_PROFILES) Reflect.deleteProperty(profile, member);
      }
      change(copy);
    });
    const precondition = observed.etag === null ? {} : { ifMatch: observed.etag };
    return this.arm.put(id, armApiVersion(MANAGED_CLUSTER_TYPE), body, context, precondition);
  }

  deleteCluster(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(MANAGED_CLUSTER_TYPE), context);
  }

  switchCluster(id: ArmId, action: 'start' | 'stop', context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${id.toString()}/${action}`, armApiVersion(MANAGED_CLUSTER_TYPE), undefined, context);
  }

  /** Stops the latest operation on the cluster. */
  abortCluster(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${id.toString()}/abort`, armApiVersion(MANAGED_CLUSTER_TYPE), undefined, context);
  }

  /** What a cluster can be upgraded to. */
  getUpgradeProfile(cluster: ArmId, context: AzureCallContext): Promise<ArmReading> {
    const id = cluster.child('upgradeProfiles', 'default');
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  /** What a pool can be upgraded to, and its newest image. */
  getNodePoolUpgradeProfile(pool: ArmId, context: AzureCallContext): Promise<ArmReading> {
    const id = pool.child('upgradeProfiles', 'default');
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  /** Gives the nodes of a pool the newest image of their family. */
  upgradeNodeImage(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(
      `${id.toString()}/upgradeNodeImageVersion`,
      armApiVersion(AGENT_POOL_TYPE),
      undefined,
      context,
    );
  }

  /** What new clusters of a region can run. */
  getKubernetesVersions(subscriptionId: string, location: string, context: AzureCallContext): Promise<ArmReading> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/Microsoft.ContainerService/locations/${location}/kubernetesVersions`;
    return this.arm.get(path, armApiVersion('Microsoft.ContainerService/locations/kubernetesVersions'), context);
  }

  /** The resource provider in a subscription: what it offers where, and whether it is registered. */
  getProvider(subscriptionId: string, context: AzureCallContext): Promise<ArmReading> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/Microsoft.ContainerService`;
    return this.arm.get(path, armApiVersion('Microsoft.Resources/providers'), context);
  }

  getResourceGroup(subscriptionId: string, name: string, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(
      ArmId.resourceGroup(subscriptionId, name),
      armApiVersion('Microsoft.Resources/resourceGroups'),
      context,
    );
  }

  /** A virtual network with its subnets. */
  getNetwork(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion('Microsoft.Network/virtualNetworks'), context);
  }

  /** The sizes of machines in a location, and what of them the subscription may not have. */
  listMachineSizes(
    subscriptionId: string,
    location: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${SKU_TYPE}`;
    return this.arm.list(path, armApiVersion(SKU_TYPE), context, { $filter: `location eq '${location}'` });
  }

  /** The members of fleets that a cluster is said to be, in its own subscription. */
  discoverMemberships(cluster: ArmId, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    const query = `aksresources | where type =~ 'microsoft.containerservice/fleets/members' | where properties.clusterResourceId =~ '${kustoText(cluster.toString())}' | project id, name, type, resourceGroup, subscriptionId, properties`;
    return this.azure.resourceGraph.ask({ query, subscriptionIds: [cluster.subscriptionId ?? ''] }, context);
  }

  /** Stops the latest operation on the pool. */
  abortNodePool(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${id.toString()}/abort`, armApiVersion(AGENT_POOL_TYPE), undefined, context);
  }

  regionalCores(subscriptionId: string, location: string, context: AzureCallContext): Promise<RegionalCores> {
    return regionalCores(this.arm, subscriptionId, location, context);
  }
}

/** @throws ControlError INVALID_REQUEST: an id with a backslash cannot be one of Azure's. */
function kustoText(text: string): string {
  if (text.includes('\\')) throw new ControlError('INVALID_REQUEST', 'A resource id cannot hold a backslash.');
  return text.replaceAll("'", "\\'");
}
