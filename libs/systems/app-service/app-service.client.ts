import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { whereRegistered } from '#libs/azure/discovery.js';
import { changedBody } from '#libs/azure/raw-change.js';
import type { GraphOutcome, GraphPage } from '#libs/azure/resource-graph.client.js';
import { HOST_NAME_BINDING_TYPE, WEB_APP_CONFIG_TYPE, WEB_APP_TYPE } from './app-service.kinds.js';

const COLUMNS =
  'id, name, type, location, resourceGroup, subscriptionId, kind, sku, identity, extendedLocation, tags, properties';

export type AppServiceAzure = Pick<Azure, 'arm' | 'resourceGraph' | 'endpoint'>;

/**
 * The calls to App Service and to Container Apps, without decisions. Raw on purpose: the generated clients send of an
 * extended location the name alone, without which ARM takes the request for one about something else, and drop what they
 * do not know.
 */
export class AppServiceClient {
  readonly arm: ArmClient;

  constructor(private readonly azure: AppServiceAzure) {
    this.arm = azure.arm;
  }

  /** A simulator goes on with what Azure itself has ended. */
  get isSimulated(): boolean {
    return this.azure.endpoint.isLoopback;
  }

  /** The objects of all these types in a subscription in one query, as Resource Graph knows them. */
  discover(
    types: readonly string[],
    subscriptionId: string,
    context: AzureCallContext,
  ): AsyncGenerator<GraphPage, GraphOutcome, void> {
    const listed = types.map((type) => `'${type.toLowerCase()}'`).join(', ');
    const query = `resources | where type in~ (${listed}) | project ${COLUMNS}`;
    return this.azure.resourceGraph.ask({ query, subscriptionIds: [subscriptionId] }, context);
  }

  list(type: string, subscriptionId: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.listIn(ArmId.subscription(subscriptionId), type, context);
  }

  /** Of any type that has an API version. */
  get(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  /** The configuration of a web app: its runtime and its number of instances. */
  getConfig(webApp: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(configOf(webApp, 'web'), armApiVersion(WEB_APP_CONFIG_TYPE), context);
  }

  listHostNameBindings(webApp: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${webApp.toString()}/hostNameBindings`, armApiVersion(HOST_NAME_BINDING_TYPE), context);
  }

  /** What lies in a subscription, in a resource group, or on a resource. */
  listIn(scope: ArmId, type: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return whereRegistered(this.arm.list(`${scope.toString()}/providers/${type}`, armApiVersion(type), context));
  }

  put(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(id.type), body, context);
  }

  /** Writes an object back as it was read, but for the change: with its extended location, which must not be left out. */
  change(
    id: ArmId,
    observed: { body: JsonObject },
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(id.type), changedBody(id, observed.body, change), context);
  }

  patch(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.patch(id, armApiVersion(id.type), body, context);
  }

  changeConfig(webApp: ArmId, properties: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.patch(configOf(webApp, 'web'), armApiVersion(WEB_APP_CONFIG_TYPE), { properties }, context);
  }

  /** The settings of a web app with their values: secrets are among them. */
  async readSettings(webApp: ArmId, context: AzureCallContext): Promise<Record<string, string>> {
    const path = `${configOf(webApp, 'appsettings').toString()}/list`;
    const { body } = await this.arm.post(path, armApiVersion(WEB_APP_CONFIG_TYPE), undefined, context);
    const properties = body?.properties;
    const entries = Object.entries(typeof properties === 'object' && properties !== null ? properties : {});
    return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  }

  /** Replaces all of them. */
  writeSettings(
    webApp: ArmId,
    settings: Readonly<Record<string, string>>,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    const id = configOf(webApp, 'appsettings');
    return this.arm.put(id, armApiVersion(WEB_APP_CONFIG_TYPE), { properties: { ...settings } }, context);
  }

  restart(webApp: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${webApp.toString()}/restart`, armApiVersion(WEB_APP_TYPE), undefined, context);
  }

  delete(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(id.type), context);
  }

  /** Azure takes the plan of the last web app away with it, unless it is told not to. */
  deleteWebApp(webApp: ArmId, deleteEmptyPlan: boolean, context: AzureCallContext): Promise<ArmWriteAnswer> {
    const query = { deleteEmptyServerFarm: String(deleteEmptyPlan) };
    return this.arm.delete(webApp, armApiVersion(WEB_APP_TYPE), context, { query });
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
}

function configOf(webApp: ArmId, name: 'web' | 'appsettings'): ArmId {
  return webApp.child('config', name);
}
