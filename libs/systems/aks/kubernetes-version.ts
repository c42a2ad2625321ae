import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { rawFlag, rawMember, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { AksClient } from './aks.client.js';

/** `1.34`, which stands for its newest patch, or `1.34.2`. */
export const kubernetesVersion = z
  .string()
  .max(20)
  .regex(/^\d{1,2}\.\d{1,3}(\.\d{1,3})?$/, 'must be a Kubernetes version such as 1.34 or 1.34.2');

export interface OfferedVersion {
  version: string;
  preview: boolean;
}

/** What is on offer, or why that cannot be told. */
export type VersionOffer = { state: 'known'; versions: OfferedVersion[] } | { state: 'unknown'; problem: ControlError };

/** Whether a full version is what was asked for, as a full version or as a minor one. */
export function isOfVersion(full: string | null, wanted: string): boolean {
  return full !== null && (full === wanted || full.startsWith(`${wanted}.`));
}

/** Below zero when the left one is older; a minor version is as new as any of its patches. */
export function compareVersions(left: string, right: string): number {
  const [leftParts, rightParts] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (let index = 0; index < Math.min(leftParts.length, rightParts.length); index++) {
    const difference = (leftParts[index] ?? 0) - (rightParts[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How many minor versions the left one is behind the right one. */
export function minorsBehind(left: string, right: string): number {
  return minorOf(right) - minorOf(left);
}

function minorOf(version: string): number {
  return Number(version.split('.')[1] ?? 0);
}

/** What new clusters of a region can run. Never throws for an answer of Azure: Azure has the last word. */
export async function versionsOfRegion(
  client: AksClient,
  subscriptionId: string,
  location: string,
  context: AzureCallContext,
): Promise<VersionOffer> {
  return offerOf(async () => {
    const reading = await client.getKubernetesVersions(subscriptionId, location, context);
    const minors = reading.state === 'missing' ? [] : rawObjects(reading.body, 'values');
    return minors.flatMap((minor) => {
      const preview = rawFlag(minor, 'isPreview') ?? false;
      return Object.keys(rawObject(minor, 'patchVersions') ?? {}).map((version) => ({ version, preview }));
    });
  });
}

/** What the control plane of a cluster can be upgraded to. Never throws for an answer of Azure. */
export async function upgradesOfCluster(
  client: AksClient,
  cluster: ArmId,
  context: AzureCallContext,
): Promise<VersionOffer> {
  return offerOf(async () => {
    const reading = await client.getUpgradeProfile(cluster, context);
    const plane =
      reading.state === 'missing' ? undefined : rawMember(reading.body, 'properties', 'controlPlaneProfile');
    return rawObjects(plane, 'upgrades').flatMap((upgrade) => {
      const version = rawText(upgrade, 'kubernetesVersion');
      return version === null ? [] : [{ version, preview: rawFlag(upgrade, 'isPreview') ?? false }];
    });
  });
}

async function offerOf(read: () => Promise<OfferedVersion[]>): Promise<VersionOffer> {
  try {
    return { state: 'known', versions: await read() };
  } catch (error) {
    if (error instanceof ControlError) return { state: 'unknown', problem: error };
    throw error;
  }
}

/** The version of an offer that is meant, the newest where several are; undefined where none is. */
export function meantVersion(offered: readonly OfferedVersion[], wanted: string): OfferedVersion | undefined {
  return offered
    .filter(({ version }) => isOfVersion(version, wanted))
    .sort((left, right) => compareVersions(right.version, left.version))[0];
}
