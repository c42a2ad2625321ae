import { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armIdOf } from '../contract/arm-observation.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { rawText, rawTexts } from '../contract/raw-reader.js';
import type { AppServiceClient } from './app-service.client.js';

export const EXTENSION_TYPE = 'Microsoft.KubernetesConfiguration/extensions';

/** The extension of a cluster that serves what is placed on custom locations of it. */
export interface ServingExtension {
  /** As Azure writes it. */
  type: string;
  /** What it is called where it is installed anew. */
  name: string;
  /** Its settings where it is installed anew, by the namespace that it is to serve. */
  settings(namespace: string): JsonObject;
}

export const APP_SERVICE_EXTENSION = 'Microsoft.Web.Appservice';
const CONTAINER_APPS_EXTENSION = 'Microsoft.App.Environment';

export const containerAppsExtension: ServingExtension = {
  type: CONTAINER_APPS_EXTENSION,
  name: 'container-apps',
  settings: () => ({}),
};

/** What the environment of App Service and its extension have to agree about. */
export interface EnvironmentSettings {
  name: string;
  staticIp: string;
  artifactStorageClass: string;
}

export function appServiceExtension(environment: EnvironmentSettings): ServingExtension {
  return {
    type: APP_SERVICE_EXTENSION,
    name: 'appservice-ext',
    settings: (namespace) => appServiceSettings(environment, namespace),
  };
}

/** The settings of the extension of App Service; the secret ones apart. */
export function appServiceSettings(environment: EnvironmentSettings, namespace: string): JsonObject {
  return {
    'Microsoft.CustomLocation.ServiceAccount': 'default',
    appsNamespace: namespace,
    // The environment of this name, and no other, is what the extension looks for.
    clusterName: environment.name,
    loadBalancerIp: environment.staticIp,
    'keda.enabled': 'true',
    'buildService.storageClassName': environment.artifactStorageClass,
    'buildService.storageAccessMode': 'ReadWriteOnce',
    customConfigMap: `${namespace}/kube-environment-config`,
  };
}

export function isOfType(extension: JsonObject, type: string): boolean {
  return rawText(extension, 'properties', 'extensionType')?.toLowerCase() === type.toLowerCase();
}

/** The namespace of the release of an extension; null where Azure does not tell. */
export function releaseNamespaceOf(extension: JsonObject): string | null {
  return rawText(extension, 'properties', 'scope', 'cluster', 'releaseNamespace');
}

/** A custom location, and the extension that serves what lies on it as far as there is one in the cluster. */
export interface ServedPlace {
  customLocation: ArmId;
  cluster: ArmId;
  namespace: string;
  serving: ServingExtension;
  installed: { id: ArmId; releaseNamespace: string | null; isBehind: boolean } | undefined;
}

/** undefined for a custom location that is gone. @throws ControlError */
export async function readServedPlace(
  client: AppServiceClient,
  customLocation: ArmId,
  serving: ServingExtension,
  context: Pick<OperationContext<unknown>, 'correlationId' | 'signal'>,
): Promise<ServedPlace | undefined> {
  const reading = await client.get(customLocation, context);
  if (reading.state === 'missing') return undefined;
  const cluster = ArmId.tryParse(rawText(reading.body, 'properties', 'hostResourceId') ?? '');
  const namespace = rawText(reading.body, 'properties', 'namespace');
  if (cluster === undefined || namespace === null) return undefined;
  const behind = new Set(rawTexts(reading.body, 'properties', 'clusterExtensionIds').map((id) => id.toLowerCase()));
  const candidates: JsonObject[] = [];
  for await (const page of client.listIn(cluster, EXTENSION_TYPE, context)) {
    candidates.push(...page.items.filter((body) => isOfType(body, serving.type)));
  }
  const body = candidates.find((candidate) => behind.has(armIdOf(candidate).canonical)) ?? candidates[0];
  const id = body === undefined ? undefined : armIdOf(body);
  return {
    customLocation,
    cluster,
    namespace,
    serving,
    installed:
      body === undefined || id === undefined
        ? undefined
        : { id, releaseNamespace: releaseNamespaceOf(body), isBehind: behind.has(id.canonical) },
  };
}

/**
 * What brings the extension to a custom location. One that serves another namespace stays there, since a cluster takes it
 * once: that namespace becomes a custom location of its own.
 */
export function bringExtension({
  customLocation,
  cluster,
  namespace,
  serving,
  installed,
}: ServedPlace): RemedyOperation[] {
  const location = (name: string, its: string, extension: ArmId): RemedyOperation => ({
    type: 'arc.customLocation.create',
    input: {
      cluster: cluster.toString(),
      name,
      resourceGroup: customLocation.resourceGroup ?? '',
      namespace: its,
      extension: extension.toString(),
    },
  });
  if (installed !== undefined && installed.releaseNamespace !== null && installed.releaseNamespace !== namespace) {
    return [location(installed.releaseNamespace, installed.releaseNamespace, installed.id)];
  }
  const name = installed?.id.name ?? serving.name;
  const settings = serving.settings(namespace);
  const install: RemedyOperation = {
    type: 'arc.extension.install',
    input: {
      cluster: cluster.toString(),
      name,
      extensionType: serving.type,
      releaseNamespace: namespace,
      ...(Object.keys(settings).length === 0 ? {} : { settings }),
    },
  };
  const behind = location(customLocation.name, namespace, cluster.resource(EXTENSION_TYPE, name));
  if (installed === undefined) return [install, behind];
  // One that is there and behind it has failed: the same again makes the agents go on with it.
  return installed.isBehind ? [install] : [behind];
}
