import type { JsonObject } from '#libs/kernel/json.js';
import { rawInteger, rawMember, rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { contains, ipv4Of, ipv4RangeOf, overlap, type Ipv4Range } from '#libs/kernel/ipv4.js';

export const NETWORK_FINDINGS = {
  NETWORK_NOT_FOUND: 'Azure does not know the logical network.',
  NETWORK_NOT_STATIC:
    'The logical network hands out addresses dynamically; clusters need one of the static IP allocation method.',
  NETWORK_WITHOUT_DNS: 'The logical network has no DNS server, which clusters need.',
  NETWORK_ELSEWHERE: 'The logical network belongs to another custom location.',
  ADDRESSES_SHORT: 'The logical network has fewer free addresses than the machines need, with one more for upgrades.',
  HOST_IP_INVALID: 'The address of the control plane is not an IPv4 address.',
  HOST_IP_OUTSIDE_NETWORK: 'The address of the control plane is not in the address prefix of the logical network.',
  HOST_IP_INSIDE_POOL:
    'The address of the control plane is inside an address pool of the logical network, which may give it to another machine.',
  POD_RANGE_OVERLAPS: 'The address range of the pods overlaps that of the logical network.',
} as const satisfies Record<string, string>;

export interface NetworkFault {
  code: keyof typeof NETWORK_FINDINGS;
  evidence: JsonObject;
}

export interface NetworkWish {
  /** Canonical id of the custom location. */
  customLocation: string;
  hostIp: string | undefined;
  podCidr: string;
  /** Machines that need an address: control plane, load balancer and nodes, and one more while they are upgraded. */
  addresses: number;
}

interface Subnet {
  prefix: string | null;
  range: Ipv4Range | undefined;
  method: string | null;
  pools: { start: string | null; end: string | null; available: number | null }[];
}

/** What of a logical network (`Microsoft.AzureStackHCI/logicalNetworks`) does not suit a cluster. */
export function networkFaults(network: JsonObject, wish: NetworkWish): NetworkFault[] {
  const faults: NetworkFault[] = [];
  const location = rawText(network, 'extendedLocation', 'name');
  if (location !== null && location.toLowerCase() !== wish.customLocation) {
    faults.push({ code: 'NETWORK_ELSEWHERE', evidence: { customLocation: location } });
  }
  const dns = rawTexts(network, 'properties', 'dhcpOptions', 'dnsServers');
  if (dns.length === 0) faults.push({ code: 'NETWORK_WITHOUT_DNS', evidence: { dnsServers: dns } });
  const subnets = rawObjects(network, 'properties', 'subnets').map(subnetOf);
  const dynamic = subnets.find(({ method }) => method?.toLowerCase() !== 'static');
  if (dynamic !== undefined)
    faults.push({ code: 'NETWORK_NOT_STATIC', evidence: { ipAllocationMethod: dynamic.method } });
  faults.push(...addressFaults(subnets, wish.addresses), ...podFaults(subnets, wish.podCidr));
  if (wish.hostIp !== undefined) faults.push(...hostFaults(subnets, wish.hostIp));
  return faults;
}

/** Free addresses, as far as the pools tell; null where none does. */
export function freeAddresses(network: JsonObject): number | null {
  return freeOf(rawObjects(network, 'properties', 'subnets').map(subnetOf));
}

function freeOf(subnets: readonly Subnet[]): number | null {
  const told = subnets.flatMap(({ pools }) => pools.map(({ available }) => available)).filter((each) => each !== null);
  return told.length === 0 ? null : told.reduce((sum, each) => sum + each, 0);
}

function subnetOf(subnet: JsonObject): Subnet {
  const properties = rawObject(subnet, 'properties') ?? {};
  const prefix = rawText(properties, 'addressPrefix');
  return {
    prefix,
    range: prefix === null ? undefined : ipv4RangeOf(prefix),
    method: rawText(properties, 'ipAllocationMethod'),
    pools: rawObjects(properties, 'ipPools').map((pool) => ({
      start: rawText(pool, 'start'),
      end: rawText(pool, 'end'),
      available: countOf(pool),
    })),
  };
}

/** Azure writes the numbers of a pool as text. */
function countOf(pool: JsonObject): number | null {
  const available = rawMember(pool, 'info', 'available');
  if (typeof available === 'string' && /^\d+$/.test(available)) return Number(available);
  return rawInteger(pool, 'info', 'available');
}

function addressFaults(subnets: readonly Subnet[], needed: number): NetworkFault[] {
  const available = freeOf(subnets);
  if (available === null || available >= needed) return [];
  return [{ code: 'ADDRESSES_SHORT', evidence: { available, needed } }];
}

function podFaults(subnets: readonly Subnet[], podCidr: string): NetworkFault[] {
  const pods = ipv4RangeOf(podCidr);
  const hit = pods === undefined ? undefined : subnets.find(({ range }) => range !== undefined && overlap(range, pods));
  return hit === undefined ? [] : [{ code: 'POD_RANGE_OVERLAPS', evidence: { podCidr, addressPrefix: hit.prefix } }];
}

function hostFaults(subnets: readonly Subnet[], hostIp: string): NetworkFault[] {
  const address = ipv4Of(hostIp);
  if (address === undefined) return [{ code: 'HOST_IP_INVALID', evidence: { hostIp } }];
  const known = subnets.filter(({ range }) => range !== undefined);
  const home = known.find(({ range }) => range !== undefined && contains(range, address));
  if (known.length > 0 && home === undefined) {
    const addressPrefixes = known.map(({ prefix }) => prefix);
    return [{ code: 'HOST_IP_OUTSIDE_NETWORK', evidence: { hostIp, addressPrefixes } }];
  }
  for (const { start, end } of subnets.flatMap(({ pools }) => pools)) {
    const [first, last] = [ipv4Of(start ?? ''), ipv4Of(end ?? '')];
    if (first !== undefined && last !== undefined && contains({ first, last }, address)) {
      return [{ code: 'HOST_IP_INSIDE_POOL', evidence: { hostIp, start, end } }];
    }
  }
  return [];
}
