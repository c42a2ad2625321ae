import { type ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { containerGroupSize } from '../contract/container-group-size.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { rawNumber, rawObject, rawText } from '../contract/raw-reader.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';
import { connectorOf } from './aci-connector.js';
import { describeSubnet } from './network.kinds.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';

/** Above this part of what there is, the next burst will not fit. */
const NEARLY = 0.9;
const EARLY_NAME = /^virtual-kubelet-aci-connector-[a-z]+-([a-z0-9]+)$/;

export const quotaFindings = {
  QUOTA_EXHAUSTED: 'The subscription has used up its container groups in the region.',
  QUOTA_UNKNOWN: 'The quota of container groups could not be read.',
} as const satisfies Record<string, string>;

export const capacityFindings = {
  GROUP_QUOTA_SHORT: 'The quota of the region has fewer container groups left than pods are to come.',
  CORE_QUOTA_SHORT: 'The quota of the region has fewer cores left than the pods that are to come ask for.',
  QUOTA_NEARLY_USED: 'With these pods the quota of the region is nearly used up.',
  ADDRESSES_SHORT: 'The subnet of the virtual node has fewer free addresses than pods are to come.',
  ADDRESSES_NEARLY_USED: 'With these pods the subnet of the virtual node is nearly full.',
  POD_TOO_LARGE: 'A pod asks for more than one container group can have in the region.',
  CAPACITY_UNKNOWN: 'It could not be read how much the region or the subnet has left.',
} as const satisfies Record<string, string>;

/** The quotas of Container Instances that a pod counts against. */
type QuotaName = 'ContainerGroups' | 'StandardCores';

interface Usage {
  used: number;
  limit: number;
}

/** Whether there is any container group left at all, for whoever is about to need them. */
export async function judgeQuota(
  client: VirtualNodesClient,
  { subscriptionId, region }: { subscriptionId: string; region: string },
  context: AzureCallContext,
  say: FindingReporter<keyof typeof quotaFindings>,
): Promise<void> {
  const usages = await reading(() => usagesOf(client, subscriptionId, region, context));
  if (usages instanceof ControlError) {
    say('QUOTA_UNKNOWN', 'info', { region, code: usages.externalCode ?? usages.code });
    return;
  }
  const groups = usages.get('ContainerGroups');
  if (groups === undefined || groups.used < groups.limit) return;
  const remedy = 'Ask for a higher quota, or remove container groups.';
  say('QUOTA_EXHAUSTED', 'warning', { region, ...groups }, remedy);
}

/** Pods that are to come to a virtual node. */
export interface ComingPods {
  cluster: ArmId;
  node: JsonObject;
  podSpec: JsonObject;
  /** Those that are not there yet. */
  pods: number;
}

/** Whether Azure has room for the pods: in the quotas of the region, in one group of it, and in the subnet. */
export async function judgeCapacity(
  client: VirtualNodesClient,
  coming: ComingPods,
  context: AzureCallContext,
  say: FindingReporter<keyof typeof capacityFindings>,
): Promise<void> {
  const { cluster, node, podSpec, pods } = coming;
  // What is there has its room: a workload that is scaled down needs none.
  if (pods <= 0) return;
  const unknown = (what: string, { externalCode, code }: ControlError): void =>
    say('CAPACITY_UNKNOWN', 'info', { what, code: externalCode ?? code });
  const found = await reading(() => client.get(cluster, context));
  if (found instanceof ControlError) {
    unknown('cluster', found);
    return;
  }
  if (found.state === 'missing') return;
  const { nature } = virtualNatureOf(node);
  const isEarly = nature === 'virtual-kubelet';
  const subscriptionId = cluster.subscriptionId ?? '';
  const region = regionOf(node) ?? canonicalLocation(rawText(found.body, 'location') ?? '');
  const size = containerGroupSize(podSpec);

  const largest = await reading(() => largestGroups(client, { subscriptionId, region, isEarly }, context));
  if (largest instanceof ControlError) unknown('capabilities', largest);
  else if (largest.length > 0 && !largest.some((most) => fitsInto(size, most))) {
    const most = largest.map(({ cpuCores, memoryGb }) => `${cpuCores} cores and ${memoryGb} GB`).join(', or ');
    const remedy = `Let the pod ask for at most ${most}, or leave it on machines.`;
    const evidence = { region, pod: { ...size }, largest: largest.map((each) => ({ ...each })) };
    say('POD_TOO_LARGE', 'error', evidence, remedy);
  }

  const usages = await reading(() => usagesOf(client, subscriptionId, region, context));
  if (usages instanceof ControlError) unknown('usages', usages);
  else {
    judgeUsage('ContainerGroups', usages.get('ContainerGroups'), pods, region, say);
    judgeUsage('StandardCores', usages.get('StandardCores'), hundredths(pods * size.cpuCores), region, say);
  }

  // Only of the add-on does the cluster say which subnet its container groups are in.
  const subnet = nature === 'aci-connector-addon' ? connectorOf(found.body).subnet : undefined;
  if (subnet === undefined) return;
  const network = await reading(() => client.get(subnet, context));
  if (network instanceof ControlError) unknown('subnet', network);
  else if (network.state !== 'missing') judgeAddresses(subnet, rawObject(network.body, 'properties') ?? {}, pods, say);
}

/** Cores are counted in hundredths: a sum of them has no longer tail than they have. */
function hundredths(amount: number): number {
  return Math.round(amount * 100) / 100;
}

function judgeUsage(
  quota: QuotaName,
  usage: Usage | undefined,
  needed: number,
  region: string,
  say: FindingReporter<'GROUP_QUOTA_SHORT' | 'CORE_QUOTA_SHORT' | 'QUOTA_NEARLY_USED'>,
): void {
  if (usage === undefined) return;
  const evidence = { region, quota, ...usage, needed };
  const after = hundredths(usage.used + needed);
  if (after > usage.limit) {
    const code = quota === 'ContainerGroups' ? 'GROUP_QUOTA_SHORT' : 'CORE_QUOTA_SHORT';
    say(
      code,
      'error',
      evidence,
      'Ask for a higher quota in the region, ask for less, or remove container groups first.',
    );
  } else if (after > usage.limit * NEARLY) {
    say('QUOTA_NEARLY_USED', 'warning', evidence, 'Ask for a higher quota in the region in time.');
  }
}

function judgeAddresses(
  subnet: ArmId,
  properties: JsonObject,
  needed: number,
  say: FindingReporter<'ADDRESSES_SHORT' | 'ADDRESSES_NEARLY_USED'>,
): void {
  const { freeAddresses, usedAddresses } = describeSubnet(properties);
  if (freeAddresses === null) return;
  const evidence = { subnet: subnet.toString(), freeAddresses, usedAddresses, needed };
  if (needed > freeAddresses) {
    const remedy =
      'Use a larger subnet for the virtual nodes (virtualNodes.disable, then virtualNodes.enable with another one), or ask for fewer pods.';
    say('ADDRESSES_SHORT', 'error', evidence, remedy);
  } else if (usedAddresses + needed > (usedAddresses + freeAddresses) * NEARLY) {
    say('ADDRESSES_NEARLY_USED', 'warning', evidence, 'Plan a larger subnet for the virtual nodes in time.');
  }
}

/** The early connector says in the name of its node where its groups are; they need not be where the cluster is. */
function regionOf(node: JsonObject): string | undefined {
  return EARLY_NAME.exec(rawText(node, 'metadata', 'name') ?? '')?.[1];
}

async function usagesOf(
  client: VirtualNodesClient,
  subscriptionId: string,
  region: string,
  context: AzureCallContext,
): Promise<Map<string, Usage>> {
  const usages = new Map<string, Usage>();
  for await (const page of client.listUsages(subscriptionId, region, context)) {
    for (const item of page.items) {
      const [used, limit] = [rawNumber(item, 'currentValue'), rawNumber(item, 'limit')];
      const name = rawText(item, 'name', 'value');
      if (name !== null && used !== null && limit !== null) usages.set(name, { used, limit });
    }
  }
  return usages;
}

interface GroupSize {
  cpuCores: number;
  memoryGb: number;
}

function fitsInto(size: GroupSize, most: GroupSize): boolean {
  return size.cpuCores <= most.cpuCores && size.memoryGb <= most.memoryGb;
}

/**
 * The most that one Linux group without graphics processors can have. A region may offer several sizes, of which one has more
 * cores and another more memory; none where it does not say.
 */
async function largestGroups(
  client: VirtualNodesClient,
  { subscriptionId, region, isEarly }: { subscriptionId: string; region: string; isEarly: boolean },
  context: AzureCallContext,
): Promise<GroupSize[]> {
  const sizes: GroupSize[] = [];
  for await (const page of client.listCapabilities(subscriptionId, region, context)) {
    for (const item of page.items) {
      if (rawText(item, 'osType') !== 'Linux' || rawText(item, 'gpu') !== 'None') continue;
      if (rawText(item, 'ipAddressType') !== (isEarly ? 'Public' : 'Private')) continue;
      const cpuCores = rawNumber(item, 'capabilities', 'maxCpu');
      const memoryGb = rawNumber(item, 'capabilities', 'maxMemoryInGB');
      if (cpuCores === null || memoryGb === null) continue;
      const size = { cpuCores, memoryGb };
      if (!sizes.some((other) => fitsInto(size, other))) sizes.push(size);
    }
  }
  return sizes;
}

/** What Azure answers; its refusal as a value, since what is asked here is advice and no condition. */
async function reading<T>(read: () => Promise<T>): Promise<T | ControlError> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
}
