import type { ClusterControllerOptions } from './controller.options.js';
import { IpRange } from './ip-range.js';
import type { ClusterNode } from './kubernetes.types.js';

type Ranges = Pick<ClusterControllerOptions, 'podAddresses' | 'nodeAddresses'>;

/** Azure keeps the first four addresses of a subnet. */
const RESERVED = 4;

/**
 * Each node has a block of addresses: where nodes and pods share a subnet (Azure CNI) the node has the first of its
 * block and its pods the others, elsewhere (overlay) the pods have a block of their own range.
 */
function blockSize(range: IpRange): number {
  return range.size >= 65_536 ? 256 : Math.max(8, Math.min(32, Math.floor(range.size / 8)));
}

export function nodeAddress(slot: number, ranges: Ranges): string {
  const range = new IpRange(ranges.nodeAddresses);
  const shared = ranges.nodeAddresses === ranges.podAddresses;
  return range.at(shared ? slot * blockSize(range) + RESERVED : slot + RESERVED);
}

/** How many nodes the ranges have room for. */
export function nodeSlots(ranges: Ranges): number {
  const pods = new IpRange(ranges.podAddresses);
  return Math.floor(pods.size / blockSize(pods));
}

/** Which block is the node's. */
export function nodeSlot(node: ClusterNode, ranges: Ranges): number {
  const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const range = new IpRange(ranges.nodeAddresses);
  const index = address === undefined ? undefined : range.indexOf(address);
  // A node that somebody else made, with an address of its own, gets the last block.
  if (index === undefined) return nodeSlots(ranges) - 1;
  const shared = ranges.nodeAddresses === ranges.podAddresses;
  return shared ? Math.floor(index / blockSize(range)) : Math.max(0, index - RESERVED);
}

export function* podAddressBlock(slot: number, ranges: Ranges): Generator<string> {
  const range = new IpRange(ranges.podAddresses);
  const size = blockSize(range);
  const shared = ranges.nodeAddresses === ranges.podAddresses;
  for (let index = shared ? RESERVED + 1 : 1; index < size - 1; index++) yield range.at(slot * size + index);
}

/** `10.244.3.0/24`: the pods' block of a node in an overlay. */
export function podCidr(slot: number, ranges: Ranges): string {
  const range = new IpRange(ranges.podAddresses);
  const size = blockSize(range);
  return `${range.at(slot * size)}/${32 - Math.log2(size)}`;
}
