import { ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { deterministicUuid } from '../deterministic-id.js';
import { objectAt, omit, textAt } from '../json-merge.js';
import type { PlannedWrite } from '../resource-type.descriptor.js';
import { aksError, invalidParameter } from './aks.errors.js';

/** Clients write its name in several casings. */
const ADDON = 'aciConnectorLinux';
const CONTRIBUTOR = 'b24988ac-6180-42a0-ab88-20f7382dd24c';

/** The virtual nodes add-on of a cluster's body: what the cluster is asked to run; undefined while it is off. */
export function aciConnectorOf(body: JsonObject): { subnetName: string | undefined; identity: JsonObject } | undefined {
  const profile = addonOf(objectAt(body, 'properties'));
  if (profile?.enabled !== true) return undefined;
  return { subnetName: textAt(objectAt(profile, 'config'), 'SubnetName'), identity: objectAt(profile, 'identity') };
}

/** The object id of whoever the connector acts as: the add-on's own identity, or the cluster's service principal. */
export function connectorPrincipal(body: JsonObject): string | undefined {
  const own = textAt(aciConnectorOf(body)?.identity ?? {}, 'objectId');
  if (own !== undefined) return own;
  const clientId = textAt(objectAt(objectAt(body, 'properties'), 'servicePrincipalProfile'), 'clientId');
  return clientId === undefined || clientId === 'msi' ? undefined : servicePrincipalOf(clientId);
}

/** The object id that the directory has for an application. */
export function servicePrincipalOf(clientId: string): string {
  return deterministicUuid(`service-principal|${clientId.toLowerCase()}`);
}

/**
 * The add-ons of a cluster as AKS keeps them: the virtual nodes add-on gets an identity of its own where the cluster has a
 * managed one.
 * @throws ArmError where the network of the cluster cannot carry it.
 */
export function checkedAddons(id: ArmId, properties: JsonObject): JsonObject {
  const profiles = properties.addonProfiles;
  if (!isJsonObject(profiles)) return {};
  const [name, profile] = Object.entries(profiles).find(([key]) => isAddon(key)) ?? [];
  if (name === undefined || !isJsonObject(profile)) return { addonProfiles: profiles };
  const others = omit(profiles, [name]);
  if (profile.enabled !== true) return { addonProfiles: { ...others, [ADDON]: { enabled: false, config: null } } };
  const network = objectAt(properties, 'networkProfile');
  if (network.networkPlugin !== 'azure' || network.networkPluginMode === 'overlay') {
    throw aksError(
      400,
      'UnsupportedNetworkPluginModeWithNetworkPlugin',
      `The addon ${ADDON} is not supported with network plugin '${textAt(network, 'networkPlugin') ?? ''}' and network plugin mode '${textAt(network, 'networkPluginMode') ?? ''}'.`,
    );
  }
  if (textAt(objectAt(profile, 'config'), 'SubnetName') === undefined) {
    throw invalidParameter(`addonProfiles.${ADDON}.config`, 'SubnetName is required.');
  }
  const isManaged = textAt(objectAt(properties, 'servicePrincipalProfile'), 'clientId') === 'msi';
  const identity = isManaged ? { identity: addonIdentity(id, textAt(properties, 'nodeResourceGroup') ?? '') } : {};
  return { addonProfiles: { ...others, [ADDON]: { ...omit(profile, ['identity']), ...identity } } };
}

function addonOf(properties: JsonObject): JsonObject | undefined {
  const entry = Object.entries(objectAt(properties, 'addonProfiles')).find(([key]) => isAddon(key));
  return isJsonObject(entry?.[1]) ? entry[1] : undefined;
}

function isAddon(name: string): boolean {
  return name.toLowerCase() === ADDON.toLowerCase();
}

function addonIdentity(id: ArmId, nodeGroup: string): JsonObject {
  const name = `aciconnectorlinux-${id.name}`;
  return {
    resourceId: `/subscriptions/${id.subscriptionId ?? ''}/resourcegroups/${nodeGroup}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`,
    clientId: deterministicUuid(`aci-connector-client|${id.canonical}`),
    objectId: deterministicUuid(`aci-connector-object|${id.canonical}`),
  };
}

/** What AKS lets the new identity of the add-on do in the node resource group. */
export function addonRights(id: ArmId, after: JsonObject, before: JsonObject | undefined): PlannedWrite[] {
  const principalId = textAt(aciConnectorOf(after)?.identity ?? {}, 'objectId');
  if (principalId === undefined || (before !== undefined && aciConnectorOf(before) !== undefined)) return [];
  const subscriptionId = id.subscriptionId ?? '';
  const group = ArmId.resourceGroup(subscriptionId, textAt(objectAt(after, 'properties'), 'nodeResourceGroup') ?? '');
  const name = deterministicUuid(`aci-connector-rights|${id.canonical}`);
  const properties = {
    roleDefinitionId: `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${CONTRIBUTOR}`,
    principalId,
    principalType: 'ServicePrincipal',
  };
  return [{ id: group.resource('Microsoft.Authorization/roleAssignments', name), body: { properties }, state: '' }];
}
