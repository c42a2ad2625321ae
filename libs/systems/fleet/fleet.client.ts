import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { changedBody } from '#libs/azure/raw-change.js';
import { regionalCores, type RegionalCores } from '#libs/azure/regional-cores.js';
import type { GraphOutcome, GraphPage } from '#libs/azure/resource-graph.client.js';
import { rawText } from '../contract/raw-reader.js';
import { FLEET_MEMBER_TYPE, FLEET_TYPE } from './fleet.kinds.js';

export const VIRTUAL_NETWORK_TYPE = 'Microsoft.Network/virtualNetworks';
const ROLE_ASSIGNMENT_TYPE = 'Microsoft.Authorization/roleAssignments';
const FLEET_QUERY =
  "resources | where type =~ 'microsoft.containerservice/fleets' | project id, name, type, location, resourceGroup, subscriptionId, identity, tags, properties";
const MAINTENANCE_TYPE = 'Microsoft.ContainerService/managedClusters/maintenanceConfigurations';
const CLUSTER_QUERY =
  "resources | where type =~ 'microsoft.containerservice/managedclusters' | project id, name, type, location, resourceGroup, subscriptionId, properties";
/** All that lies in fleets in one question: there are only so many in a while. */
const CHILD_QUERY =
  "aksresources | where type in~ ('microsoft.containerservice/fleets/members', 'microsoft.containerservice/fleets/updateruns', 'microsoft.containerservice/fleets/updatestrategies', 'microsoft.containerservice/fleets/autoupgradeprofiles') | project id, name, type, resourceGroup, subscriptionId, properties";

/** The parts of Azure that Fleet needs. */
export type FleetAzure = Pick<Azure, 'arm' | 'resourceGraph' | 'subscriptions' | 'credential' | 'endpoint'>;

/** Who Pilothouse is to Azure, as far as its own token tells. */
export interface OwnIdentity {
  principalId: string;
  principalType: 'User' | 'ServicePrincipal' | undefined;
}

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

  constructor(private readonly azure: FleetAzure) {
    this.arm = azure.arm;
  }

  discoverFleets(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: FLEET_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  /** Members, update runs, update strategies and auto-upgrade profiles. */
  discoverChildren(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: CHILD_QUERY, subscriptionIds: [subscriptionId] }, context);
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
    return this.listChildren(fleet, FLEET_MEMBER_TYPE, context);
  }

  /** Of one type below a fleet. */
  listChildren(fleet: ArmId, type: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${fleet.toString()}/${type.split('/').at(-1) ?? ''}`, armApiVersion(type), context);
  }

  /** A fleet, or what lies in one. */
  get(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  getFleet(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(FLEET_TYPE), context);
  }

  getMember(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(FLEET_MEMBER_TYPE), context);
  }

  /** A managed cluster, or a connected one. */
  getCluster(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(id.type), context);
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

  /** Of what lies in a fleet, whatever its type. */
  create(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(id.type), body, context, { ifNoneMatch: '*' });
  }

  change(
    id: ArmId,
    observed: Observed,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.#change(id, armApiVersion(id.type), observed, change, context);
  }

  delete(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(id.type), context);
  }

  act(id: ArmId, action: string, body: JsonObject | undefined, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${id.toString()}/${action}`, armApiVersion(id.type), body, context);
  }

  /** The clusters of a subscription, as the index has them. */
  discoverClusters(subscriptionId: string, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    return this.azure.resourceGraph.ask({ query: CLUSTER_QUERY, subscriptionIds: [subscriptionId] }, context);
  }

  /** What a cluster and its pools can be upgraded to. */
  getUpgradeProfile(cluster: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.get(cluster.child('upgradeProfiles', 'default'), context);
  }

  /** When a cluster may be upgraded. */
  listMaintenance(cluster: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${cluster.toString()}/maintenanceConfigurations`, armApiVersion(MAINTENANCE_TYPE), context);
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

  /** With its subnets and peerings. */
  getVirtualNetwork(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(VIRTUAL_NETWORK_TYPE), context);
  }

  /** Of one resource group. */
  listVirtualNetworks(
    subscriptionId: string,
    resourceGroup: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    const group = ArmId.resourceGroup(subscriptionId, resourceGroup).toString();
    return this.arm.list(`${group}/providers/${VIRTUAL_NETWORK_TYPE}`, armApiVersion(VIRTUAL_NETWORK_TYPE), context);
  }

  /** What a principal holds at the scope, above it and below it. */
  listRoleAssignments(
    scope: ArmId,
    principalId: string,
    context: AzureCallContext,
  ): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(
      `${scope.toString()}/providers/${ROLE_ASSIGNMENT_TYPE}`,
      armApiVersion(ROLE_ASSIGNMENT_TYPE),
      context,
      { $filter: `principalId eq '${principalId}'` },
    );
  }

  getRoleAssignment(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(ROLE_ASSIGNMENT_TYPE), context);
  }

  createRoleAssignment(id: ArmId, properties: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(ROLE_ASSIGNMENT_TYPE), { properties }, context);
  }

  /** What the identity of Pilothouse may do at the scope. */
  listPermissions(scope: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const type = 'Microsoft.Authorization/permissions';
    return this.arm.list(`${scope.toString()}/providers/${type}`, armApiVersion(type), context);
  }

  /** undefined where the token does not say: one that is no JWT, as a simulator takes it. @throws ControlError */
  async ownIdentity(context: AzureCallContext): Promise<OwnIdentity | undefined> {
    const token = await this.azure.credential.getToken(
      this.azure.endpoint.tokenScope,
      context.signal === undefined ? {} : { abortSignal: context.signal },
    );
    const claims = claimsOf(token?.token ?? '');
    const principalId = rawText(claims, 'oid');
    if (principalId === null || !isUuid(principalId)) return undefined;
    const kind = rawText(claims, 'idtyp');
    return { principalId, principalType: kind === 'app' ? 'ServicePrincipal' : kind === 'user' ? 'User' : undefined };
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

/** What a token says of its bearer. It is Azure that checks it; here it only answers who we are. */
function claimsOf(token: string): JsonObject | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return isJsonObject(claims) ? claims : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The inside of a Kusto string: an id may hold a quote, which would end it. */
function kustoText(text: string): string {
  if (text.includes('\\')) throw new ControlError('INVALID_REQUEST', 'A resource id cannot hold a backslash.');
  return text.replaceAll("'", "\\'");
}
