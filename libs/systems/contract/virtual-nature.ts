import type { JsonObject } from '#libs/kernel/json.js';
import { rawObjects, rawText, rawTextRecord } from './raw-reader.js';

export const VIRTUAL_NODE_NATURES = ['none', 'aci-connector-addon', 'virtual-kubelet', 'virtual-nodes'] as const;

export interface VirtualNature {
  /**
   * `none` for a machine; `aci-connector-addon` for the virtual node of the AKS add-on; `virtual-nodes` for those of the
   * Helm chart "virtual nodes on Azure Container Instances"; `virtual-kubelet` for the connector of before, and any other.
   */
  nature: (typeof VIRTUAL_NODE_NATURES)[number];
  /** By what it was recognised; null for `none`. */
  recognizedBy: string | null;
}

const EARLY_TAINT = 'azure.com/aci';
const PROVIDER_TAINT = 'virtual-kubelet.io/provider';
const EARLY_NAME = 'virtual-kubelet-aci-connector-';
const ADDON_NAME = 'virtual-node-aci-';

/** What kind of virtual node a node is. The add-on and the newer chart share their taint, so labels and names come first. */
export function virtualNatureOf(node: JsonObject): VirtualNature {
  const labels = rawTextRecord(node, 'metadata', 'labels');
  const name = rawText(node, 'metadata', 'name') ?? '';
  const taints = rawObjects(node, 'spec', 'taints').map((taint) => rawText(taint, 'key'));
  if (labels.virtualization === 'virtualnode2') {
    return { nature: 'virtual-nodes', recognizedBy: 'the label virtualization=virtualnode2' };
  }
  if (name.startsWith(EARLY_NAME)) return { nature: 'virtual-kubelet', recognizedBy: `the name ${name}` };
  if (taints.includes(EARLY_TAINT)) return { nature: 'virtual-kubelet', recognizedBy: `the taint ${EARLY_TAINT}` };
  const sign = virtualSign(labels, taints);
  if (sign === undefined) return { nature: 'none', recognizedBy: null };
  if (name.startsWith(ADDON_NAME))
    return { nature: 'aci-connector-addon', recognizedBy: `${sign} and the name ${name}` };
  return { nature: 'virtual-kubelet', recognizedBy: sign };
}

function virtualSign(labels: Readonly<Record<string, string>>, taints: readonly (string | null)[]): string | undefined {
  if (labels.type === 'virtual-kubelet') return 'the label type=virtual-kubelet';
  if (taints.includes(PROVIDER_TAINT)) return `the taint ${PROVIDER_TAINT}`;
  return undefined;
}
