import { type ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { isRehearsal, noteReading } from '#libs/kernel/rehearsal.js';

/** What Azure tells and does not take back: the requests of these types refuse or ignore it. Dotted paths. */
const READ_ONLY_OF_ALL = ['systemData'];
const READ_ONLY: Readonly<Record<string, readonly string[]>> = {
  'microsoft.containerservice/managedclusters/agentpools': [
    'properties.provisioningState',
    'properties.currentOrchestratorVersion',
    'properties.eTag',
    'properties.status',
  ],
  'microsoft.containerservice/managedclusters': [
    'eTag',
    'properties.provisioningState',
    'properties.powerState',
    'properties.currentKubernetesVersion',
    'properties.fqdn',
    'properties.privateFQDN',
    'properties.azurePortalFQDN',
    'properties.maxAgentPools',
    'properties.resourceUID',
    'properties.status',
    'properties.oidcIssuerProfile.issuerURL',
    'properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs',
    'properties.networkProfile.natGatewayProfile.effectiveOutboundIPs',
    'identity.principalId',
    'identity.tenantId',
    // Answers write it in another case than requests have to.
    'type',
  ],
  'microsoft.containerservice/fleets': [
    'eTag',
    'properties.provisioningState',
    'properties.status',
    'properties.hubProfile.fqdn',
    'properties.hubProfile.kubernetesVersion',
    'properties.hubProfile.portalFqdn',
    'identity.principalId',
    'identity.tenantId',
  ],
  'microsoft.hybridcontainerservice/provisionedclusterinstances': ['properties.provisioningState', 'properties.status'],
  'microsoft.hybridcontainerservice/provisionedclusterinstances/agentpools': [
    'properties.provisioningState',
    'properties.status',
    'properties.kubernetesVersion',
  ],
  'microsoft.kubernetes/connectedclusters': [
    'identity.principalId',
    'identity.tenantId',
    ...[
      'provisioningState',
      'connectivityStatus',
      'kubernetesVersion',
      'totalNodeCount',
      'totalCoreCount',
      'agentVersion',
      'offering',
      'lastConnectivityTime',
      'managedIdentityCertificateExpirationTime',
      'miscellaneousProperties',
      'oidcIssuerProfile.issuerUrl',
    ].map((name) => `properties.${name}`),
  ],
  'microsoft.extendedlocation/customlocations': [
    'identity.principalId',
    'identity.tenantId',
    'properties.provisioningState',
  ],
  'microsoft.containerservice/fleets/members': ['eTag', 'properties.provisioningState', 'properties.status'],
  'microsoft.web/kubeenvironments': [
    'properties.provisioningState',
    'properties.defaultDomain',
    'properties.deploymentErrors',
  ],
  'microsoft.web/serverfarms': [
    'properties.provisioningState',
    'properties.geoRegion',
    'properties.maximumNumberOfWorkers',
    'properties.numberOfSites',
    'properties.numberOfWorkers',
    'properties.resourceGroup',
    'properties.status',
    'properties.subscription',
  ],
  'microsoft.web/sites': [
    'identity.principalId',
    'identity.tenantId',
    ...[
      'availabilityState',
      'defaultHostName',
      'enabledHostNames',
      'hostNames',
      'inProgressOperationId',
      'isDefaultContainer',
      'lastModifiedTimeUtc',
      'maxNumberOfWorkers',
      'outboundIpAddresses',
      'possibleOutboundIpAddresses',
      'repositorySiteName',
      'resourceGroup',
      'sku',
      'slotSwapStatus',
      'state',
      'suspendedTill',
      'targetSwapSlot',
      'trafficManagerHostNames',
      'usageState',
    ].map((name) => `properties.${name}`),
  ],
  'microsoft.network/virtualnetworks/subnets': [
    'etag',
    'properties.provisioningState',
    'properties.ipConfigurations',
    'properties.ipConfigurationProfiles',
    'properties.serviceAssociationLinks',
    'properties.resourceNavigationLinks',
    'properties.privateEndpoints',
    'properties.purpose',
  ],
  'microsoft.app/connectedenvironments': [
    'properties.provisioningState',
    'properties.defaultDomain',
    'properties.deploymentErrors',
  ],
};

/**
 * The body that changes an existing object: a copy of what was read, with what is read-only taken out and the change made.
 * Everything that we do not know stays as it was, so that a field newer than Pilothouse survives.
 */
export function changedBody(id: ArmId, observed: JsonObject, change: (body: JsonObject) => void): JsonObject {
  const body = structuredClone(observed);
  for (const path of [...READ_ONLY_OF_ALL, ...(READ_ONLY[id.canonicalType] ?? [])]) remove(body, path.split('.'));
  // A rehearsal compares with what can be written at all.
  if (isRehearsal()) noteReading(id.toString(), structuredClone(body));
  change(body);
  return body;
}

/** The object at `name` inside `body`, made where it is absent. */
export function memberObject(body: JsonObject, name: string): JsonObject {
  const member: Json | undefined = body[name];
  if (isJsonObject(member)) return member;
  const made: JsonObject = {};
  body[name] = made;
  return made;
}

function remove(object: JsonObject, path: readonly string[]): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    Reflect.deleteProperty(object, name);
    return;
  }
  const member = object[name];
  if (isJsonObject(member)) remove(member, rest);
}
