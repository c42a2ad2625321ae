import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { changedBody } from '#libs/azure/raw-change.js';
import { regionalCores, type RegionalCores } from '#libs/azure/regional-cores.js';
import type { GraphOutcome, GraphPage } from '#libs/azure/resource-graph.client.js';
import { AGENT_POOL_TYPE, MANAGED_CLUSTER_TYPE } from './aks.kinds.js';

const CLUSTER_QUERY =
  "resources | where type =~ 'microsoft.containerservice/managedclusters' | project id, name, type, location, resourceGroup, subscriptionId, kind, sku, identity, extendedLocation, tags, properties";

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

  /** Stops the latest operation on the pool. */
  abortNodePool(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${id.toString()}/abort`, armApiVersion(AGENT_POOL_TYPE), undefined, context);
  }

  regionalCores(subscriptionId: string, location: string, context: AzureCallContext): Promise<RegionalCores> {
    return regionalCores(this.arm, subscriptionId, location, context);
  }
}
