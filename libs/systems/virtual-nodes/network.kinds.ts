import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { freePrefix, parseAddressRange, usableAddresses } from '#libs/azure/subnet-space.js';
import { armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import { boundedSum, rawFlag, rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { ACI_DELEGATION, SUBNET_TYPE, VIRTUAL_NETWORK_TYPE } from './virtual-nodes.types.js';

const networkPeering = z
  .object({
    name: z.string().nullable().describe('The name of the peering.'),
    remoteNetworkId: z.string().nullable().describe('The ARM id of the network at the other end.'),
    state: z.string().nullable().describe('`Connected` where both ends have a peering, otherwise such as `Initiated`.'),
    allowsForwardedTraffic: z.boolean().describe('Whether traffic may come through that began elsewhere.'),
  })
  .meta({ id: 'NetworkPeering', description: 'A connection of a virtual network to another one.' });

const virtualNetworkProperties = z.object({
  addressPrefixes: z.array(z.string()).describe('The address ranges of the network.'),
  dnsServers: z.array(z.string()).describe('The name servers of the network; none where Azure answers itself.'),
  subnetCount: z.int().describe('The number of subnets.'),
  peerings: z.array(networkPeering).describe('The connections to other networks.'),
});

export const virtualNetworkKind: KindDefinition<typeof virtualNetworkProperties> = {
  name: 'VirtualNetwork',
  description: 'A virtual network of Azure, as far as clusters and container groups use it.',
  armType: VIRTUAL_NETWORK_TYPE,
  properties: virtualNetworkProperties,
  describe: (raw) => ({
    addressPrefixes: rawTexts(raw, 'addressSpace', 'addressPrefixes'),
    dnsServers: rawTexts(raw, 'dhcpOptions', 'dnsServers'),
    subnetCount: rawObjects(raw, 'subnets').length,
    peerings: rawObjects(raw, 'virtualNetworkPeerings').map((peering) => ({
      name: rawText(peering, 'name'),
      remoteNetworkId: rawText(peering, 'properties', 'remoteVirtualNetwork', 'id'),
      state: rawText(peering, 'properties', 'peeringState'),
      allowsForwardedTraffic: rawFlag(peering, 'properties', 'allowForwardedTraffic') ?? false,
    })),
  }),
  relations: [
    {
      name: 'subnets',
      description: 'The subnets of the network.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'Subnet',
      cardinality: 'many',
    },
  ],
};

const subnetProperties = z.object({
  addressPrefixes: z.array(z.string()).describe('The address ranges of the subnet.'),
  delegations: z
    .array(z.string())
    .describe('The services that it is given to, such as `Microsoft.ContainerInstance/containerGroups`.'),
  usedAddresses: z.int().describe('The number of addresses that are in use.'),
  freeAddresses: z
    .int()
    .nullable()
    .describe('The number of IPv4 addresses that are left, without the five that Azure keeps; null for other ranges.'),
  routeTableId: z.string().nullable().describe('The ARM id of its route table.'),
  networkSecurityGroupId: z.string().nullable().describe('The ARM id of its network security group.'),
  natGatewayId: z.string().nullable().describe('The ARM id of its NAT gateway.'),
});

export type SubnetProperties = z.output<typeof subnetProperties>;

export const subnetKind: KindDefinition<typeof subnetProperties> = {
  name: 'Subnet',
  description: 'A part of a virtual network.',
  armType: SUBNET_TYPE,
  properties: subnetProperties,
  describe: describeSubnet,
  relations: [
    {
      name: 'network',
      description: 'The network that the subnet is a part of.',
      type: 'owns',
      direction: 'incoming',
      kind: 'VirtualNetwork',
      cardinality: 'one',
    },
  ],
};

export function prefixesOf(raw: JsonObject): string[] {
  const one = rawText(raw, 'addressPrefix');
  const several = rawTexts(raw, 'addressPrefixes');
  return one === null ? several : [...new Set([one, ...several])];
}

export function describeSubnet(raw: JsonObject): SubnetProperties {
  const prefixes = prefixesOf(raw);
  const used = rawObjects(raw, 'ipConfigurations').length;
  const ranges = prefixes.map(parseAddressRange).filter((range) => range !== undefined);
  return {
    addressPrefixes: prefixes,
    delegations: rawObjects(raw, 'delegations').flatMap((delegation) => {
      const service = rawText(delegation, 'properties', 'serviceName');
      return service === null ? [] : [service];
    }),
    usedAddresses: used,
    freeAddresses: ranges.length === 0 ? null : Math.max(0, boundedSum(ranges.map(usableAddresses)) - used),
    routeTableId: rawText(raw, 'routeTable', 'id'),
    networkSecurityGroupId: rawText(raw, 'networkSecurityGroup', 'id'),
    natGatewayId: rawText(raw, 'natGateway', 'id'),
  };
}

/**
 * A virtual network and its subnets, which come inside the answer for the network.
 * @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is.
 */
export function observeVirtualNetwork(body: JsonObject, reading: Reading): Observation[] {
  const id = armIdOf(body);
  const network = armObservation(body, {
    ...reading,
    kind: virtualNetworkKind.name,
    health: provisioningHealth(rawText(body, 'properties', 'provisioningState'), null, null),
    relations: [],
  });
  const subnets = rawObjects(rawObject(body, 'properties') ?? {}, 'subnets').flatMap((subnet) => {
    const name = rawText(subnet, 'name');
    return name === null ? [] : [observeSubnet(id, name, subnet, network.location, reading)];
  });
  return [network, ...subnets];
}

function observeSubnet(
  network: ArmId,
  name: string,
  body: JsonObject,
  location: string | null,
  reading: Reading,
): Observation {
  const id = network.child('subnets', name);
  const properties = rawObject(body, 'properties') ?? {};
  return armObservation(
    { id: id.toString(), properties },
    {
      ...reading,
      kind: subnetKind.name,
      health: provisioningHealth(rawText(properties, 'provisioningState'), null, null),
      relations: [{ type: 'owns', from: network.canonical, to: id.canonical }],
      location,
      tags: {},
    },
  );
}

/** What a subnet is called that nobody has given a name to. */
const NEW_SUBNET = 'virtual-nodes';
/** Room for 251 pods. */
const NEW_SUBNET_BITS = 24;

/** With fewer free addresses a burst ends before it has begun. */
export const LEAST_ADDRESSES = 8;

/**
 * What a cluster uses addresses for that no subnet shows: its services, and pods with addresses of their own. What has one of
 * them in the network is not reached from the cluster.
 */
export function rangesOfCluster(cluster: JsonObject): { name: 'services' | 'pods'; prefixes: string[] }[] {
  const profile = rawObject(cluster, 'properties', 'networkProfile') ?? {};
  const both = (one: string, several: string): string[] => [
    ...new Set([rawText(profile, one) ?? [], rawTexts(profile, several)].flat()),
  ];
  return [
    { name: 'services', prefixes: both('serviceCidr', 'serviceCidrs') },
    { name: 'pods', prefixes: both('podCidr', 'podCidrs') },
  ];
}

/**
 * A subnet of the network of a cluster that its container groups can be in: one that is delegated to them and has addresses
 * left, or a new one where there is room.
 */
export function roomForSubnet(
  network: JsonObject,
  cluster: JsonObject,
): { subnetName: string; subnetPrefix?: string } | undefined {
  const subnets = rawObjects(network, 'properties', 'subnets').map((subnet) => ({
    name: rawText(subnet, 'name') ?? '',
    properties: rawObject(subnet, 'properties') ?? {},
  }));
  const delegated = subnets.find(({ properties }) => {
    const { delegations, freeAddresses } = describeSubnet(properties);
    const isDelegated = delegations.some((service) => service.toLowerCase() === ACI_DELEGATION.toLowerCase());
    return isDelegated && (freeAddresses === null || freeAddresses >= LEAST_ADDRESSES);
  });
  if (delegated !== undefined) return { subnetName: delegated.name };
  const space = rawTexts(network, 'properties', 'addressSpace', 'addressPrefixes');
  const taken = subnets.map(({ properties }) => ({ prefixes: prefixesOf(properties) }));
  const subnetPrefix = freePrefix(NEW_SUBNET_BITS, space, [...taken, ...rangesOfCluster(cluster)]);
  if (subnetPrefix === undefined) return undefined;
  const names = new Set(subnets.map(({ name }) => name.toLowerCase()));
  let subnetName = NEW_SUBNET;
  for (let number = 2; names.has(subnetName); number++) subnetName = `${NEW_SUBNET}-${number}`;
  return { subnetName, subnetPrefix };
}
