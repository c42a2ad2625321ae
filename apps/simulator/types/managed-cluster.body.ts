import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { canonicalHash } from '#libs/kernel/canonical-json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { deterministicSuffix, deterministicUuid } from '../deterministic-id.js';
import { objectAt, objectsAt, omit, pick, textAt } from '../json-merge.js';
import { valueAt } from '../json-path.js';
import type { WriteRequest } from '../resource-type.descriptor.js';
import { checkedAddons } from './aci-connector.addon.js';
import { unmarshalError } from './agent-pool.body.js';
import { aksError, missingParameter, propertyChangeNotAllowed } from './aks.errors.js';
import { DEFAULT_KUBERNETES_VERSION, minorOf, runningKubernetesVersion, upgradesFrom } from './kubernetes-version.js';

/** Azure cuts the names of node resource groups. */
const GROUP_NAME_LENGTH = 80;

/** Kept when a PUT leaves them out. Everything else that is left out is gone. */
const KEPT = [
  'powerState',
  'kubernetesVersion',
  'dnsPrefix',
  'fqdnSubdomain',
  'nodeResourceGroup',
  'enableRBAC',
  'supportPlan',
  'identityProfile',
  'servicePrincipalProfile',
];

const IMMUTABLE = [
  'properties.dnsPrefix',
  'properties.fqdnSubdomain',
  'properties.nodeResourceGroup',
  'properties.networkProfile.networkPlugin',
  'properties.networkProfile.serviceCidr',
  'properties.networkProfile.dnsServiceIP',
];

/** What the simulator itself relies on; anything else passes through as sent. */
const clusterSchema = z.looseObject({
  properties: z
    .looseObject({
      kubernetesVersion: z.string().optional(),
      dnsPrefix: z.string().optional(),
      fqdnSubdomain: z.string().optional(),
      nodeResourceGroup: z.string().optional(),
      disableLocalAccounts: z.boolean().optional(),
      agentPoolProfiles: z.array(z.looseObject({ name: z.string().optional() })).optional(),
      networkProfile: z.looseObject({}).optional(),
      aadProfile: z.looseObject({}).optional(),
      addonProfiles: z.record(z.string(), z.looseObject({ enabled: z.boolean() })).optional(),
    })
    .optional(),
  identity: z.looseObject({ type: z.string().optional() }).optional(),
  sku: z.looseObject({}).optional(),
});

/**
 * The cluster's own body after a PUT, its pools apart.
 * @throws ArmError when AKS would refuse.
 */
export function clusterBody({ id, requested, existing, world }: WriteRequest): JsonObject {
  const parsed = clusterSchema.safeParse(requested);
  if (!parsed.success) throw unmarshalError('managedCluster', parsed.error);
  const location = canonicalLocation(textAt(requested, 'location') ?? '');
  const sent = omit(objectAt(requested, 'properties'), ['agentPoolProfiles']);
  const before = existing === undefined ? {} : objectAt(existing.body, 'properties');
  const merged: JsonObject = { ...pick(before, KEPT), ...sent };
  requireParameters(requested, merged);

  const version = textAt(merged, 'kubernetesVersion') ?? DEFAULT_KUBERNETES_VERSION;
  const properties: JsonObject = {
    ...defaultsFor(id, location),
    ...merged,
    kubernetesVersion: version,
    currentKubernetesVersion: runningKubernetesVersion(version, id.name),
    networkProfile: networkProfile(id, requested, objectAt(before, 'networkProfile')),
  };
  if (properties.servicePrincipalProfile === undefined) properties.servicePrincipalProfile = { clientId: 'msi' };
  Object.assign(properties, checkedAddons(id, properties));
  if (properties.identityProfile === undefined) {
    properties.identityProfile = {
      kubeletidentity: kubeletIdentity(id, textAt(properties, 'nodeResourceGroup') ?? ''),
    };
  }
  const body: JsonObject = {
    sku: { name: 'Base', tier: 'Free' },
    kind: 'Base',
    ...(existing === undefined ? {} : pick(existing.body, ['sku', 'kind', 'identity'])),
    ...omit(requested, ['properties']),
    location,
    ...identityOf(id, requested, existing?.body, world.tenantId),
    properties,
  };
  if (existing !== undefined) refuseImmutableChanges(existing.body, body);
  return body;
}

/** `MC_{group}_{cluster}_{location}`, where the caller chose no name. */
export function nodeResourceGroup(id: ArmId, location: string): string {
  return `MC_${id.resourceGroup ?? ''}_${id.name}_${location}`.slice(0, GROUP_NAME_LENGTH);
}

function requireParameters(requested: JsonObject, properties: JsonObject): void {
  if (textAt(properties, 'dnsPrefix') === undefined && textAt(properties, 'fqdnSubdomain') === undefined) {
    throw missingParameter('dnsPrefix');
  }
  const identity = textAt(objectAt(requested, 'identity'), 'type') ?? 'None';
  if (identity === 'None' && properties.servicePrincipalProfile === undefined) {
    throw missingParameter('servicePrincipalProfile');
  }
}

function defaultsFor(id: ArmId, location: string): JsonObject {
  const group = nodeResourceGroup(id, location);
  return {
    powerState: { code: 'Running' },
    nodeResourceGroup: group,
    enableRBAC: true,
    supportPlan: 'KubernetesOfficial',
    disableLocalAccounts: false,
    maxAgentPools: 100,
    resourceUID: deterministicUuid(`uid|${id.canonical}`).replaceAll('-', '').slice(0, 24),
    securityProfile: {},
    storageProfile: {
      diskCSIDriver: { enabled: true },
      fileCSIDriver: { enabled: true },
      snapshotController: { enabled: true },
    },
    oidcIssuerProfile: {
      enabled: true,
      issuerURL: `https://${location}.oic.prod-aks.azure.com/${deterministicUuid('issuer')}/${deterministicUuid(`issuer|${id.canonical}`)}/`,
    },
    autoUpgradeProfile: { nodeOSUpgradeChannel: 'NodeImage' },
    metricsProfile: { costAnalysis: { enabled: false } },
    nodeProvisioningProfile: { mode: 'Manual', defaultNodePools: 'Auto' },
    bootstrapProfile: { artifactSource: 'Direct' },
    workloadAutoScalerProfile: {},
  };
}

/** The host names, known once the control plane is there. */
export function hostNames(id: ArmId, body: JsonObject): JsonObject {
  const properties = objectAt(body, 'properties');
  const prefix = textAt(properties, 'dnsPrefix') ?? textAt(properties, 'fqdnSubdomain') ?? id.name;
  const host = `${prefix}-${deterministicSuffix(id.canonical, 8)}`;
  const zone = `${textAt(body, 'location') ?? ''}.azmk8s.io`;
  return { fqdn: `${host}.hcp.${zone}`, azurePortalFQDN: `${host}.portal.hcp.${zone}` };
}

/** A request without a network profile gets what AKS gives by default today: Azure CNI in overlay mode. */
function networkProfile(id: ArmId, requested: JsonObject, before: JsonObject): JsonObject {
  const properties = objectAt(requested, 'properties');
  const sent = objectAt(properties, 'networkProfile');
  const pools = objectsAt(properties, 'agentPoolProfiles');
  const plugin = textAt(sent, 'networkPlugin') ?? textAt(before, 'networkPlugin') ?? 'azure';
  const bare = sent.networkPlugin === undefined && before.networkPlugin === undefined;
  const flat = pools.some((pool) => textAt(pool, 'vnetSubnetID') !== undefined);
  const mode =
    textAt(sent, 'networkPluginMode') ?? textAt(before, 'networkPluginMode') ?? (bare && !flat ? 'overlay' : undefined);
  const hasPodCidr = plugin === 'kubenet' || mode === 'overlay';
  const nodeGroup =
    textAt(properties, 'nodeResourceGroup') ??
    nodeResourceGroup(id, canonicalLocation(textAt(requested, 'location') ?? ''));
  return {
    networkPlugin: plugin,
    ...(mode === undefined ? {} : { networkPluginMode: mode }),
    networkPolicy: 'none',
    networkDataplane: 'azure',
    loadBalancerSku: 'standard',
    loadBalancerProfile: {
      managedOutboundIPs: { count: 1 },
      effectiveOutboundIPs: [{ id: outboundAddress(id, nodeGroup) }],
      backendPoolType: 'nodeIPConfiguration',
    },
    ...(hasPodCidr ? { podCidr: '10.244.0.0/16', podCidrs: ['10.244.0.0/16'] } : {}),
    serviceCidr: '10.0.0.0/16',
    dnsServiceIP: '10.0.0.10',
    outboundType: 'loadBalancer',
    serviceCidrs: [textAt(sent, 'serviceCidr') ?? '10.0.0.0/16'],
    ipFamilies: ['IPv4'],
    ...before,
    ...sent,
  };
}

function outboundAddress(id: ArmId, nodeGroup: string): string {
  const name = deterministicUuid(`outbound|${id.canonical}`);
  return `/subscriptions/${id.subscriptionId ?? ''}/resourceGroups/${nodeGroup}/providers/Microsoft.Network/publicIPAddresses/${name}`;
}

function kubeletIdentity(id: ArmId, nodeGroup: string): JsonObject {
  const name = `${id.name}-agentpool`;
  return {
    resourceId: `/subscriptions/${id.subscriptionId ?? ''}/resourcegroups/${nodeGroup}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`,
    clientId: deterministicUuid(`kubelet-client|${id.canonical}`),
    objectId: deterministicUuid(`kubelet-object|${id.canonical}`),
  };
}

function identityOf(id: ArmId, requested: JsonObject, existing: JsonObject | undefined, tenantId: string): JsonObject {
  const sent = { ...objectAt(existing, 'identity'), ...objectAt(requested, 'identity') };
  if (textAt(sent, 'type') !== 'SystemAssigned') return Object.keys(sent).length === 0 ? {} : { identity: sent };
  const principalId = textAt(sent, 'principalId') ?? deterministicUuid(`principal|${id.canonical}`);
  return { identity: { ...sent, principalId, tenantId } };
}

function refuseImmutableChanges(before: JsonObject, after: JsonObject): void {
  for (const path of IMMUTABLE) {
    const old = valueAt(before, path);
    if (old !== undefined && canonicalHash(old) !== canonicalHash(valueAt(after, path)))
      throw propertyChangeNotAllowed(path);
  }
  const oldVersion = textAt(objectAt(before, 'properties'), 'currentKubernetesVersion') ?? '';
  const newVersion = textAt(objectAt(after, 'properties'), 'currentKubernetesVersion') ?? '';
  if (minorOf(newVersion) < minorOf(oldVersion)) {
    const message = `Downgrading the cluster's kubernetes version from ${oldVersion} to ${newVersion} is not allowed.`;
    throw aksError(400, 'OperationNotAllowed', message, { target: 'properties.kubernetesVersion' });
  }
  if (minorOf(newVersion) - minorOf(oldVersion) > 1) {
    const upgrades = upgradesFrom(oldVersion).join(',');
    const message = `Upgrading Kubernetes version ${oldVersion} to ${newVersion} is not allowed. Available upgrades: [${upgrades}].`;
    throw aksError(400, 'OperationNotAllowed', message, { target: 'properties.kubernetesVersion' });
  }
}
