import { ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { rawFlag, rawMember, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';

/** Clients write its name in several casings. */
export const ADDON = 'aciConnectorLinux';
/** The name of the node that the add-on makes. */
export const ADDON_NODE = 'virtual-node-aci-linux';
/** What AKS writes in the place of a client id where the cluster has a managed identity. */
const MANAGED = 'msi';

/** The virtual nodes add-on of a cluster, as ARM tells it. */
export interface AciConnector {
  enabled: boolean;
  subnetName: string | null;
  /** The virtual network of the nodes: the connector looks for its subnet nowhere else. */
  network: ArmId | undefined;
  subnet: ArmId | undefined;
  identity: 'managed' | 'service-principal';
  /** Of the add-on's own identity; null while it is off, and where the cluster has a service principal. */
  identityObjectId: string | null;
  /** Of the service principal, where the cluster has one. */
  clientId: string | null;
}

export function connectorOf(cluster: JsonObject): AciConnector {
  const properties = rawObject(cluster, 'properties') ?? {};
  const profile = rawMember(properties, 'addonProfiles', ADDON);
  const subnetName = rawText(profile, 'config', 'SubnetName');
  const network = networkOf(properties);
  const enabled = rawFlag(profile, 'enabled') ?? false;
  const clientId = rawText(properties, 'servicePrincipalProfile', 'clientId');
  const isManaged = clientId === null || clientId.toLowerCase() === MANAGED;
  return {
    enabled,
    subnetName,
    network,
    subnet: network === undefined || subnetName === null || !enabled ? undefined : network.child('subnets', subnetName),
    identity: isManaged ? 'managed' : 'service-principal',
    identityObjectId: rawText(profile, 'identity', 'objectId'),
    clientId: isManaged ? null : clientId,
  };
}

/** Writes the add-on into a cluster's properties, under the name that it has there. */
export function setConnector(properties: JsonObject, addon: JsonObject): void {
  const profiles = isJsonObject(properties.addonProfiles) ? properties.addonProfiles : {};
  const name = Object.keys(profiles).find((key) => key.toLowerCase() === ADDON.toLowerCase()) ?? ADDON;
  properties.addonProfiles = { ...profiles, [name]: addon };
}

function networkOf(properties: JsonObject): ArmId | undefined {
  for (const pool of rawObjects(properties, 'agentPoolProfiles')) {
    const network = ArmId.tryParse(rawText(pool, 'vnetSubnetID') ?? '')?.parent;
    if (network !== undefined) return network;
  }
  return undefined;
}
