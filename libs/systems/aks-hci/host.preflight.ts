import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { armIdOf } from '../contract/arm-observation.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { rawText } from '../contract/raw-reader.js';
import type { AksHciClient } from './aks-hci.client.js';
import { instanceOf, isOfHost } from './aks-hci.kinds.js';
import {
  offeredVersions,
  offeredVmSizes,
  unreadiness,
  type OfferedVersion,
  type OfferedVmSize,
  type OsSku,
  type OsType,
} from './host.offer.js';
import { MOST_CLUSTERS_OF_HOST } from './host.limits.js';
import { networkFaults, type NETWORK_FINDINGS, type NetworkWish } from './network.rules.js';

export const VERSION_FINDINGS = {
  VERSION_NOT_SUPPORTED: 'The host does not know this version of Kubernetes.',
  VERSION_NOT_READY: 'The host knows this version and has not all of its images yet.',
  VERSIONS_NOT_LISTED: 'Azure has not asked the host yet which versions it has; that is done before anything is made.',
} as const satisfies Record<string, string>;

export const VM_SIZE_FINDINGS = {
  VM_SIZE_NOT_SUPPORTED: 'The host does not offer machines of this size.',
  VM_SIZES_NOT_LISTED: 'Azure has no list of the machines that the host offers: the sizes cannot be checked by now.',
} as const satisfies Record<string, string>;

export const HOST_FINDINGS = {
  HOST_CLUSTER_LIMIT: 'The host carries as many workload clusters as it can.',
  HOST_IP_IN_USE: 'The address of the control plane is that of another cluster of the host.',
} as const satisfies Record<string, string>;

/** What of the host an operating system needs. */
export interface NodeWish {
  osType: OsType;
  osSku: OsSku;
}

/** Undefined where Azure has not asked the host yet; of machines also where the host has told none. */
export interface KnownOffer {
  versions: OfferedVersion[] | undefined;
  vmSizes: OfferedVmSize[] | undefined;
}

export async function readOffer(
  client: AksHciClient,
  customLocation: ArmId,
  context: AzureCallContext,
): Promise<KnownOffer> {
  const [versions, vmSizes] = await Promise.all([
    client.getOffer(customLocation, 'kubernetesVersions', context),
    client.getOffer(customLocation, 'vmSizes', context),
  ]);
  return {
    versions: versions.state === 'missing' ? undefined : offeredVersions(versions.body),
    vmSizes: listedVmSizes(vmSizes),
  };
}

/** An empty list, as one that could not be got has, would forbid every size: it is taken for none. */
export function listedVmSizes(reading: ArmReading): OfferedVmSize[] | undefined {
  const sizes = reading.state === 'missing' ? [] : offeredVmSizes(reading.body);
  return sizes.length === 0 ? undefined : sizes;
}

export function judgeVersion(
  versions: readonly OfferedVersion[] | undefined,
  wanted: string,
  nodes: readonly NodeWish[],
  say: FindingReporter<keyof typeof VERSION_FINDINGS>,
): void {
  if (versions === undefined) {
    say('VERSIONS_NOT_LISTED', 'info', { kubernetesVersion: wanted });
    return;
  }
  const found = findVersion(versions, wanted);
  if (found === undefined) {
    const supported = versions.map(({ version }) => version);
    say(
      'VERSION_NOT_SUPPORTED',
      'error',
      { kubernetesVersion: wanted, supported },
      'Choose one of the supported ones.',
    );
    return;
  }
  for (const { osType, osSku } of nodes) {
    const lack = unreadiness(found, osType, osSku);
    if (lack !== undefined) {
      const evidence = { kubernetesVersion: wanted, osType, ...lack };
      say('VERSION_NOT_READY', 'error', evidence, 'Wait until the host has its images, or choose another version.');
      return;
    }
  }
}

export function findVersion(versions: readonly OfferedVersion[], wanted: string): OfferedVersion | undefined {
  return versions.find(({ version }) => version.toLowerCase() === wanted.toLowerCase());
}

export function judgeVmSizes(
  sizes: readonly OfferedVmSize[] | undefined,
  wanted: readonly string[],
  customLocation: ArmId,
  say: FindingReporter<keyof typeof VM_SIZE_FINDINGS>,
): void {
  if (sizes === undefined) {
    const input = { customLocation: customLocation.toString() };
    const remedy = 'Let Azure ask the host beforehand (hci.host.inspect).';
    say('VM_SIZES_NOT_LISTED', 'info', { vmSizes: [...wanted] }, remedy, [{ type: 'hci.host.inspect', input }]);
    return;
  }
  const known = new Set(sizes.map(({ name }) => name.toLowerCase()));
  for (const vmSize of new Set(wanted)) {
    if (known.has(vmSize.toLowerCase())) continue;
    const supported = sizes.map(({ name }) => name);
    say('VM_SIZE_NOT_SUPPORTED', 'error', { vmSize, supported }, 'Choose one of the supported sizes.');
  }
}

/** The workload clusters of a host by their names: those of the subscription that Azure made in its custom location. */
export async function clustersOfHost(
  client: AksHciClient,
  subscriptionId: string,
  customLocation: ArmId,
  context: AzureCallContext,
): Promise<{ id: ArmId; instance: JsonObject }[]> {
  const found: { id: ArmId; instance: JsonObject }[] = [];
  for await (const { items } of client.listConnectedClusters(subscriptionId, context)) {
    for (const item of items) {
      if (!isOfHost(item)) continue;
      const id = armIdOf(item);
      const reading = await client.getInstance(instanceOf(id), context);
      const location = reading.state === 'missing' ? null : rawText(reading.body, 'extendedLocation', 'name');
      if (reading.state === 'found' && location?.toLowerCase() === customLocation.canonical) {
        found.push({ id, instance: reading.body });
      }
    }
  }
  return found;
}

/** What the other clusters of the host leave for one that is new. */
export async function judgeNeighbours(
  client: AksHciClient,
  cluster: ArmId,
  wish: { customLocation: ArmId; hostIp: string | undefined },
  context: AzureCallContext,
  say: FindingReporter<keyof typeof HOST_FINDINGS>,
): Promise<void> {
  const clusters = await clustersOfHost(client, cluster.subscriptionId ?? '', wish.customLocation, context);
  const others = clusters.filter(({ id }) => !id.equals(cluster));
  if (others.length >= MOST_CLUSTERS_OF_HOST) {
    const evidence = { clusters: others.length, limit: MOST_CLUSTERS_OF_HOST };
    say('HOST_CLUSTER_LIMIT', 'error', evidence, 'Delete a cluster of the host, or use another host.');
  }
  const holder = others.find(
    ({ instance }) => wish.hostIp !== undefined && controlPlaneAddress(instance) === wish.hostIp,
  );
  if (holder !== undefined) {
    const evidence = { hostIp: wish.hostIp ?? null, cluster: holder.id.toString() };
    say('HOST_IP_IN_USE', 'error', evidence, 'Choose another address, or let Azure take one.');
  }
}

function controlPlaneAddress(instance: JsonObject): string | null {
  return rawText(instance, 'properties', 'controlPlane', 'controlPlaneEndpoint', 'hostIP');
}

export async function judgeNetwork(
  client: AksHciClient,
  network: string,
  wish: NetworkWish,
  context: AzureCallContext,
  say: FindingReporter<keyof typeof NETWORK_FINDINGS>,
): Promise<void> {
  const reading = await client.getLogicalNetwork(ArmId.parse(network), context);
  if (reading.state === 'missing') {
    say('NETWORK_NOT_FOUND', 'error', { logicalNetwork: network });
    return;
  }
  for (const { code, evidence } of networkFaults(reading.body, wish)) {
    // What is free is counted late, and nodes may come and go until the machines are made.
    say(code, code === 'ADDRESSES_SHORT' ? 'warning' : 'error', evidence, remedyOf(code));
  }
}

function remedyOf(code: keyof typeof NETWORK_FINDINGS): string | undefined {
  switch (code) {
    case 'NETWORK_NOT_STATIC':
      return 'Create a new or use an existing logical network of the static IP allocation method.';
    case 'NETWORK_WITHOUT_DNS':
      return 'Use a logical network with a DNS server.';
    case 'ADDRESSES_SHORT':
      return 'Extend the address pool of the logical network, or ask for fewer nodes.';
    case 'HOST_IP_INVALID':
    case 'HOST_IP_OUTSIDE_NETWORK':
    case 'HOST_IP_INSIDE_POOL':
      return 'Choose an address inside the address prefix of the logical network and outside its address pools.';
    case 'POD_RANGE_OVERLAPS':
      return 'Choose another podCidr.';
    case 'NETWORK_ELSEWHERE':
    case 'NETWORK_NOT_FOUND':
      return undefined;
  }
}

/** @throws ControlError when a size that was asked for turns out to be unknown. */
export function requireVmSizes(
  sizes: readonly OfferedVmSize[],
  wanted: readonly string[],
  customLocation: ArmId,
): void {
  judgeVmSizes(sizes, wanted, customLocation, (code, _severity, evidence, remedy) => {
    throw refusal(code, VM_SIZE_FINDINGS[code], evidence, remedy);
  });
}

function refusal(code: string, message: string, evidence: JsonObject, remedy: string | undefined): ControlError {
  return new ControlError('PREFLIGHT_FAILED', `${message} ${JSON.stringify(evidence)}`, {
    externalCode: code,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** @throws ControlError when the version that was asked for turns out to be unknown, or not ready. */
export function requireVersion(versions: readonly OfferedVersion[], wanted: string, nodes: readonly NodeWish[]): void {
  judgeVersion(versions, wanted, nodes, (code, _severity, evidence, remedy) => {
    throw refusal(code, VERSION_FINDINGS[code], evidence, remedy);
  });
}
