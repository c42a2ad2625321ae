import type { JsonObject } from '#libs/kernel/json.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { describeManagedCluster, type ManagedClusterProperties } from './aks.kinds.js';
import { partsOf } from './cluster.reading.js';

/** What every change of a cluster that is there looks at first. */
export const clusterFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_FAILED: 'The last operation on the cluster has failed; this one may fail for the same reason.',
  CLUSTER_BUSY: 'Another operation runs on the cluster; this one waits until it has ended.',
  HUB_CLUSTER_READ_ONLY: 'The cluster is the hub of a fleet: Azure denies changes to it.',
} as const satisfies Record<string, string>;

export const stoppedFindings = {
  CLUSTER_STOPPED: 'The cluster is stopped; it has to be started first.',
} as const satisfies Record<string, string>;

export const virtualNodeFindings = {
  VIRTUAL_NODES_ENABLED:
    'Virtual nodes are switched on: what runs on them ends, and a virtual node that is not ready holds such an operation up.',
} as const satisfies Record<string, string>;

/** @returns the cluster in the terms of its kind. */
export function judgeCluster(
  body: JsonObject,
  say: FindingReporter<keyof typeof clusterFindings>,
): ManagedClusterProperties {
  const properties = rawObject(body, 'properties') ?? {};
  const cluster = describeManagedCluster(properties);
  const state = rawText(properties, 'provisioningState');
  if (cluster.isFleetHub) {
    const evidence = { nodeResourceGroup: cluster.nodeResourceGroup };
    say('HUB_CLUSTER_READ_ONLY', 'error', evidence, 'Change the fleet instead.');
  }
  if (provisioningPhase(state) === 'failed') {
    say('CLUSTER_FAILED', 'warning', { provisioningState: state, error: cluster.lastOperationError });
  }
  const moving = partsOf(body).filter((part) => provisioningPhase(part.provisioningState) === 'moving');
  if (moving.length > 0) {
    const states = Object.fromEntries(moving.map(({ name, provisioningState }) => [name, provisioningState]));
    say('CLUSTER_BUSY', 'warning', { states });
  }
  return cluster;
}

export function judgeStopped(
  cluster: ManagedClusterProperties,
  id: string,
  say: FindingReporter<keyof typeof stoppedFindings>,
): void {
  if (cluster.powerState !== 'Stopped') return;
  say('CLUSTER_STOPPED', 'error', { powerState: cluster.powerState }, 'Start the cluster first.', [
    { type: 'aks.cluster.start', input: { cluster: id } },
  ]);
}

export function judgeVirtualNodes(
  cluster: ManagedClusterProperties,
  id: string,
  say: FindingReporter<keyof typeof virtualNodeFindings>,
): void {
  const addon = cluster.addons.find(({ name }) => name.toLowerCase() === 'aciconnectorlinux');
  if (addon?.enabled !== true) return;
  const remedy = 'Drain and disable the virtual nodes first, unless what runs there may end.';
  say('VIRTUAL_NODES_ENABLED', 'warning', { addon: addon.name }, remedy, [
    { type: 'virtualNodes.disable', input: { cluster: id } },
  ]);
}
