import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { changedBody } from '#libs/azure/raw-change.js';
import type { GraphOutcome, GraphPage } from '#libs/azure/resource-graph.client.js';
import {
  CONNECTED_CLUSTER_TYPE,
  CUSTOM_LOCATION_TYPE,
  EXTENSION_CATALOG_TYPE,
  EXTENSION_TYPE,
  FLUX_CONFIGURATION_TYPE,
} from './arc.types.js';

/** The parts of Azure that Arc needs. */
export type ArcAzure = Pick<Azure, 'arm' | 'resourceGraph'>;

const COLUMNS = 'project id, name, type, location, resourceGroup, subscriptionId, kind, identity, tags, properties';
const TRACKED_QUERY = `resources | where type in~ ('microsoft.kubernetes/connectedclusters', 'microsoft.extendedlocation/customlocations') | ${COLUMNS}`;
const CHILDREN_QUERY = `kubernetesconfigurationresources | where type in~ ('microsoft.kubernetesconfiguration/extensions', 'microsoft.kubernetesconfiguration/fluxconfigurations') | project id, name, type, resourceGroup, subscriptionId, identity, properties`;
/** What stands on a custom location, whatever it is. */
const PLACED_QUERY = 'resources | where extendedLocation.name =~ ';

/**
 * The calls to the providers of Azure Arc, without decisions. Raw on purpose: the generated clients speak versions of years
 * ago, and one of them puts values of its own into every write of an extension.
 */
export class ArcClient {
  readonly arm: ArmClient;

  constructor(private readonly azure: ArcAzure) {
    this.arm = azure.arm;
  }

  discoverTracked(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: TRACKED_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  discoverChildren(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: CHILDREN_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  /** The resources on a custom location, as far as the index knows them by now. */
  discoverPlaced(location: ArmId, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    const query = `${PLACED_QUERY}'${location.toString().replaceAll("'", "\\'")}' | project id, name, type`;
    return this.azure.resourceGraph.ask({ query, subscriptionIds: [location.subscriptionId ?? ''] }, context);
  }

  /** Of a tracked type, in a subscription. */
  listOfSubscription(
    type: string,
    subscriptionId: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${type}`;
    return this.arm.list(path, armApiVersion(type), context);
  }

  /** The extensions or Flux configurations of a cluster. */
  listOfCluster(type: string, cluster: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${cluster.toString()}/providers/${type}`, armApiVersion(type), context);
  }

  /** Any object of Arc, by its type. */
  get(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  create(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(id.type), body, context);
  }

  /** Writes an object back as it was read, but for the change. These providers know no preconditions. */
  change(
    id: ArmId,
    observed: JsonObject,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(id.type), changedBody(id, observed, change), context);
  }

  /** Merges: the only way to change an extension and keep its secrets. */
  patch(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.patch(id, armApiVersion(id.type), body, context);
  }

  delete(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(id.type), context);
  }

  /** Takes an extension out of Azure without asking the cluster, where it may go on. */
  forget(extension: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(extension, armApiVersion(EXTENSION_TYPE), context, { query: { forceDelete: 'true' } });
  }

  /** The types that a custom location offers. */
  listEnabledTypes(location: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${location.toString()}/enabledResourceTypes`, armApiVersion(CUSTOM_LOCATION_TYPE), context);
  }

  /** The versions of an extension type that a region has for connected clusters. */
  listExtensionVersions(
    place: { subscriptionId: string; location: string },
    extensionType: string,
    releaseTrain: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    const [provider = '', collection = ''] = EXTENSION_CATALOG_TYPE.split('/');
    const scope = `${ArmId.subscription(place.subscriptionId).toString()}/providers/${provider}/locations/${place.location}`;
    const query = { clusterType: 'connectedClusters', releaseTrain };
    const path = `${scope}/${collection}/${extensionType}/versions`;
    return this.arm.list(path, armApiVersion(EXTENSION_CATALOG_TYPE), context, query);
  }

  getResourceGroup(subscriptionId: string, resourceGroup: string, context: AzureCallContext): Promise<ArmReading> {
    const id = ArmId.resourceGroup(subscriptionId, resourceGroup);
    return this.arm.get(id, armApiVersion('Microsoft.Resources/resourceGroups'), context);
  }

  /** The registration of a resource provider and what it offers where. */
  getProvider(subscriptionId: string, namespace: string, context: AzureCallContext): Promise<ArmReading> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${namespace}`;
    return this.arm.get(path, armApiVersion('Microsoft.Resources/providers'), context);
  }
}

/** The types of which one list of a subscription gives all; and those that each cluster has to be asked for. */
export const TRACKED_TYPES: readonly string[] = [CONNECTED_CLUSTER_TYPE, CUSTOM_LOCATION_TYPE];
export const CHILD_TYPES: readonly string[] = [EXTENSION_TYPE, FLUX_CONFIGURATION_TYPE];
