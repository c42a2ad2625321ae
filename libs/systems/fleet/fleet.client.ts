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
import { FLEET_MEMBER_TYPE, FLEET_TYPE, MANAGED_CLUSTER_TYPE } from './fleet.kinds.js';

const FLEET_QUERY =
  "resources | where type =~ 'microsoft.containerservice/fleets' | project id, name, type, location, resourceGroup, subscriptionId, identity, tags, properties";
const MEMBER_QUERY =
  "aksresources | where type =~ 'microsoft.containerservice/fleets/members' | project id, name, type, resourceGroup, subscriptionId, properties";

/** What was read of an object that is to be changed. */
export interface Observed {
  body: JsonObject;
  etag: string | null;
}

/**
 * The calls to Fleet Manager, without decisions. Raw on purpose: the generated client speaks an older API version, which
 * knows no member labels, and a write through it would lose them.
 */
export class FleetClient {
  readonly arm: ArmClient;

  constructor(private readonly azure: Pick<Azure, 'arm' | 'resourceGraph' | 'subscriptions'>) {
    this.arm = azure.arm;
  }

  discoverFleets(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: FLEET_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  discoverMembers(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: MEMBER_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  /** The members that a cluster is said to be, in any of the subscriptions. */
  discoverMembershipsOf(
    cluster: ArmId,
    subscriptionIds: readonly string[],
    context: AzureCallContext,
  ): AsyncGenerator<GraphPage, GraphOutcome, void> {
    const query = `aksresources | where type =~ 'microsoft.containerservice/fleets/members' | where properties.clusterResourceId =~ '${kustoText(cluster.toString())}' | project id, name, type, resourceGroup, subscriptionId, properties`;
    return this.azure.resourceGraph.ask({ query, subscriptionIds }, context);
  }

  listFleets(subscriptionId: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${FLEET_TYPE}`;
    return this.arm.list(path, armApiVersion(FLEET_TYPE), context);
  }

  listMembers(fleet: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${fleet.toString()}/members`, armApiVersion(FLEET_MEMBER_TYPE), context);
  }

  getFleet(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(FLEET_TYPE), context);
  }

  getMember(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(FLEET_MEMBER_TYPE), context);
  }

  getCluster(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(MANAGED_CLUSTER_TYPE), context);
  }

  createFleet(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(FLEET_TYPE), body, context, { ifNoneMatch: '*' });
  }

  /** Writes the fleet back as it was read, but for the change; also without one, which makes Azure try again. */
  changeFleet(
    id: ArmId,
    observed: Observed,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.#change(id, armApiVersion(FLEET_TYPE), observed, change, context);
  }

  deleteFleet(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(FLEET_TYPE), context);
  }

  createMember(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(FLEET_MEMBER_TYPE), body, context, { ifNoneMatch: '*' });
  }

  changeMember(
    id: ArmId,
    observed: Observed,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.#change(id, armApiVersion(FLEET_MEMBER_TYPE), observed, change, context);
  }

  deleteMember(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(FLEET_MEMBER_TYPE), context);
  }

  getResourceGroup(subscriptionId: string, resourceGroup: string, context: AzureCallContext): Promise<ArmReading> {
    const id = ArmId.resourceGroup(subscriptionId, resourceGroup);
    return this.arm.get(id, armApiVersion('Microsoft.Resources/resourceGroups'), context);
  }

  /** The registration of the resource provider and what it offers where. */
  getProvider(subscriptionId: string, context: AzureCallContext): Promise<ArmReading> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/Microsoft.ContainerService`;
    return this.arm.get(path, armApiVersion('Microsoft.Resources/providers'), context);
  }

  /** Lower-case subscription id -> tenant id, for the subscriptions that can be seen. */
  async tenants(context: AzureCallContext): Promise<ReadonlyMap<string, string | null>> {
    const subscriptions = await this.azure.subscriptions.list(context);
    return new Map(subscriptions.map((subscription) => [subscription.subscriptionId, subscription.tenantId]));
  }

  regionalCores(subscriptionId: string, location: string, context: AzureCallContext): Promise<RegionalCores> {
    return regionalCores(this.arm, subscriptionId, location, context);
  }

  #change(
    id: ArmId,
    apiVersion: string,
    observed: Observed,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    const body = changedBody(id, observed.body, change);
    return this.arm.put(id, apiVersion, body, context, observed.etag === null ? {} : { ifMatch: observed.etag });
  }
}

/** The inside of a Kusto string: an id may hold a quote, which would end it. */
function kustoText(text: string): string {
  if (text.includes('\\')) throw new ControlError('INVALID_REQUEST', 'A resource id cannot hold a backslash.');
  return text.replaceAll("'", "\\'");
}
