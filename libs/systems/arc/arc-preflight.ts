import { type ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import type { ArcParts } from './arc-parts.js';
import { CONNECTED_CLUSTER_TYPE } from './arc.types.js';

export const connectivityFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_NOT_CONNECTED: 'The agents of the cluster are not connected: Azure can do nothing in it.',
  CLUSTER_EXPIRED: 'The certificate of the agents has run out: the cluster has to be disconnected and connected anew.',
} as const satisfies Record<string, string>;

/** The connected cluster that an operation is about. @throws ControlError INVALID_REQUEST */
export function clusterIdOf(context: Pick<OperationContext<unknown>, 'references'>): ArmId {
  return referencedArmId(context.references, 'cluster', CONNECTED_CLUSTER_TYPE);
}

/** The cluster's raw properties with its location; undefined where Azure does not know it, which is said. */
export async function judgeConnectivity(
  parts: ArcParts,
  cluster: ArmId,
  severity: 'error' | 'warning',
  context: OperationContext<unknown>,
  say: FindingReporter<keyof typeof connectivityFindings>,
): Promise<{ location: string | null; properties: JsonObject } | undefined> {
  const reading = await parts.client.get(cluster, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: cluster.toString() });
    return undefined;
  }
  const properties = rawObject(reading.body, 'properties') ?? {};
  const connectivityStatus = rawText(properties, 'connectivityStatus');
  const lastConnectivityTime = rawText(properties, 'lastConnectivityTime');
  const evidence = { connectivityStatus, lastConnectivityTime };
  switch (connectivityStatus?.toLowerCase()) {
    case 'connected':
      break;
    case 'expired':
      say('CLUSTER_EXPIRED', severity, evidence, 'arc.cluster.disconnect, then arc.cluster.connect.');
      break;
    default:
      say(
        'CLUSTER_NOT_CONNECTED',
        severity,
        evidence,
        'See that the agents run and reach Azure (namespace azure-arc).',
      );
  }
  return { location: rawText(reading.body, 'location'), properties };
}

export const agentVersionFindings = {
  AGENTS_OUTDATED: 'The agents of the cluster are older than Azure wants them: what is newer may not work with them.',
} as const satisfies Record<string, string>;

/** @param properties of the connected cluster, raw */
export function judgeAgentVersion(
  properties: JsonObject,
  say: FindingReporter<keyof typeof agentVersionFindings>,
): void {
  const agentVersion = rawText(properties, 'agentVersion');
  const desiredAgentVersion = rawText(properties, 'arcAgentProfile', 'desiredAgentVersion');
  if (agentVersion === null || desiredAgentVersion === null) return;
  if (compareVersions(agentVersion, desiredAgentVersion) >= 0) return;
  const agentAutoUpgrade = rawText(properties, 'arcAgentProfile', 'agentAutoUpgrade');
  const remedy = 'Upgrade the agents from a machine that reaches the cluster: `az connectedk8s upgrade`.';
  say('AGENTS_OUTDATED', 'warning', { agentVersion, desiredAgentVersion, agentAutoUpgrade }, remedy);
}

/** Of versions such as `1.31.3`: negative where the left one is older. */
function compareVersions(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}

export const providerFindings = {
  SUBSCRIPTION_NOT_FOUND: 'The subscription does not exist, or the identity of Pilothouse cannot see it.',
  PROVIDER_NOT_REGISTERED: 'A resource provider of Azure Arc is not registered in the subscription.',
  LOCATION_NOT_SUPPORTED: 'This is not offered in the region.',
  API_VERSION_RETIRED: 'Azure no longer offers the API version that Pilothouse speaks.',
} as const satisfies Record<string, string>;

/** Whether the subscription can have objects of a type in a region. @returns whether it is worth looking further. */
export async function judgeProvider(
  parts: ArcParts,
  subscriptionId: string,
  type: string,
  location: string | undefined,
  context: OperationContext<unknown>,
  say: FindingReporter<keyof typeof providerFindings>,
): Promise<boolean> {
  const [namespace = '', ...rest] = type.split('/');
  let provider: ArmReading;
  try {
    provider = await parts.client.getProvider(subscriptionId, namespace, context);
  } catch (error) {
    if (!(error instanceof ControlError) || error.externalCode !== 'SubscriptionNotFound') throw error;
    say('SUBSCRIPTION_NOT_FOUND', 'error', { subscriptionId }, error.remedy);
    return false;
  }
  const manifest = provider.state === 'found' ? provider.body : {};
  const registrationState = rawText(manifest, 'registrationState');
  if (registrationState?.toLowerCase() !== 'registered') {
    const operations = [registerProvider(subscriptionId, namespace)];
    const evidence = { namespace, registrationState };
    say('PROVIDER_NOT_REGISTERED', 'error', evidence, registrationRemedy(namespace), operations);
    return false;
  }
  const offered = rawObjects(manifest, 'resourceTypes').find(
    (candidate) => rawText(candidate, 'resourceType')?.toLowerCase() === rest.join('/').toLowerCase(),
  );
  const locations = rawTexts(offered, 'locations').map(canonicalLocation);
  if (location !== undefined && locations.length > 0 && !locations.includes(canonicalLocation(location))) {
    say('LOCATION_NOT_SUPPORTED', 'error', { location, supported: locations }, 'Choose one of the supported regions.');
  }
  const versions = rawTexts(offered, 'apiVersions');
  const version = armApiVersion(type);
  if (versions.length > 0 && !versions.includes(version)) {
    say('API_VERSION_RETIRED', 'error', { apiVersion: version, supported: versions }, 'Update Pilothouse.');
  }
  return true;
}
