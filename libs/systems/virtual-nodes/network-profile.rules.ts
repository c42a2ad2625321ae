import type { JsonObject } from '#libs/kernel/json.js';
import { rawObject, rawText, rawTexts } from '../contract/raw-reader.js';

export const NETWORK_PROFILE_FINDINGS = {
  NETWORK_PLUGIN_UNSUPPORTED: 'Virtual nodes need Azure CNI: this cluster has another network plug-in.',
  NETWORK_OVERLAY_UNSUPPORTED:
    'Virtual nodes need pods with addresses of the virtual network: this cluster has an overlay.',
  NETWORK_DUAL_STACK_UNSUPPORTED: 'Virtual nodes know IPv4 only.',
  AUTHORIZED_RANGES_SET:
    'The API server takes requests from certain addresses only, and that of the virtual node is not known beforehand.',
} as const satisfies Record<string, string>;

export interface NetworkFault {
  code: keyof typeof NETWORK_PROFILE_FINDINGS;
  evidence: JsonObject;
  remedy?: string;
}

/** What of the network of an AKS cluster keeps it from having virtual nodes: none of it can be mended by switching them on. */
export function networkFaults(cluster: JsonObject): NetworkFault[] {
  const faults: NetworkFault[] = [];
  const profile = rawObject(cluster, 'properties', 'networkProfile') ?? {};
  const remedy =
    'Make a new cluster with Azure CNI and pods in the subnet: the plug-in of a cluster cannot be changed to it.';
  const networkPlugin = rawText(profile, 'networkPlugin');
  const networkPluginMode = rawText(profile, 'networkPluginMode');
  if (networkPlugin?.toLowerCase() !== 'azure') {
    faults.push({ code: 'NETWORK_PLUGIN_UNSUPPORTED', evidence: { networkPlugin }, remedy });
  } else if (networkPluginMode?.toLowerCase() === 'overlay') {
    faults.push({ code: 'NETWORK_OVERLAY_UNSUPPORTED', evidence: { networkPluginMode }, remedy });
  }
  const ipFamilies = rawTexts(profile, 'ipFamilies');
  if (ipFamilies.some((family) => family !== 'IPv4')) {
    faults.push({ code: 'NETWORK_DUAL_STACK_UNSUPPORTED', evidence: { ipFamilies } });
  }
  const ranges = rawTexts(cluster, 'properties', 'apiServerAccessProfile', 'authorizedIPRanges');
  if (ranges.length > 0) {
    const instead = 'Use a private cluster, or lift the restriction.';
    faults.push({ code: 'AUTHORIZED_RANGES_SET', evidence: { ranges }, remedy: instead });
  }
  return faults;
}
