import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import type { DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import type { AksClient } from './aks.client.js';
import { clusterOf } from './aks.collector.js';
import { otherChangeOf, presentPool } from './cluster.reading.js';

/** The state of a pool whose nodes get another image. */
const UPGRADING = 'upgradingnodeimageversion';

/**
 * The newest image for the nodes of a pool, such as `AKSUbuntu-2204gen2containerd-202610.28.0`.
 * @throws ControlError where Azure does not tell it.
 */
export async function latestNodeImage(client: AksClient, pool: ArmId, context: AzureCallContext): Promise<string> {
  const reading = await client.getNodePoolUpgradeProfile(pool, context);
  const image = reading.state === 'missing' ? null : rawText(reading.body, 'properties', 'latestNodeImageVersion');
  if (image !== null) return image;
  throw new ControlError('AZURE_UNEXPECTED_ANSWER', `AKS does not tell the newest image for the pool ${pool.name}.`);
}

/** Whether an image is the other one, or a newer one of its family: they are named `{family}-{date}`. */
export function isAtImage(image: string | null, wanted: string): boolean {
  if (image === null) return false;
  const [running, other] = [partsOf(image), partsOf(wanted)];
  if (image === wanted) return true;
  if (running.family !== other.family) return false;
  const newer = other.date.findIndex((part, index) => (running.date[index] ?? 0) !== part);
  return newer >= 0 && (running.date[newer] ?? 0) > (other.date[newer] ?? 0);
}

function partsOf(image: string): { family: string; date: number[] } {
  const end = image.lastIndexOf('-');
  return {
    family: image.slice(0, Math.max(0, end)),
    date: image
      .slice(end + 1)
      .split('.')
      .map(Number),
  };
}

/** @throws ControlError AZURE_NOT_FOUND. */
export async function judgeNodeImage(
  client: AksClient,
  id: ArmId,
  image: string,
  reading: ArmReading,
  context: AzureCallContext,
): Promise<DesiredStateVerdict> {
  const { body } = presentPool(reading, id);
  const state = rawText(body, 'properties', 'provisioningState');
  const isThere = isAtImage(rawText(body, 'properties', 'nodeImageVersion'), image);
  switch (provisioningPhase(state)) {
    case 'moving':
      return isThere || state?.toLowerCase() === UPGRADING
        ? { verdict: 'underway', message: `The pool ${id.name} is on its way to ${image} (${state}).` }
        : { verdict: 'busy', message: `The pool ${id.name} is being changed by someone else (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Upgrading the image of ${id.name}`, body) };
    case 'succeeded':
    case 'unknown':
      break;
  }
  if (isThere) return { verdict: 'reached', message: `The nodes of the pool ${id.name} run ${image}.` };
  // AKS answers 409 while anything else of the cluster changes: looking first spares it the request.
  const other = await otherChangeOf(client, clusterOf(id), context);
  return other === undefined ? { verdict: 'different' } : { verdict: 'busy', message: other };
}
