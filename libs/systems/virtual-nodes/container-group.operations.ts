import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
} from '../contract/operation-definition.js';
import { rawText, rawTextRecord } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { containerGroupKind, servedPodOf, type PodState, type ServedPod } from './container-group.kind.js';
import { ServedPodsReader } from './served-pods.reader.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';
import { CONTAINER_GROUP_TYPE } from './virtual-nodes.types.js';

const deleteInput = z.strictObject({ containerGroup: resourceReference('The container group to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  CONTAINER_GROUP_GONE: 'The container group is gone already.',
  POD_PRESENT: 'Its pod is there, and is ended by its cluster: without its group it would only fail.',
  POD_UNKNOWN: 'It could not be asked whether its pod is there: one that is fails without its group.',
  SERVES_NO_POD: 'The container group serves no pod: what runs in it ends, and nobody starts it anew.',
} as const satisfies Record<string, string>;

export function deleteContainerGroup(parts: VirtualNodesParts): OperationDefinition<typeof deleteInput> {
  return {
    type: 'azure.containerGroup.delete',
    title: 'Delete a container group',
    description:
      'Deletes a container group of Azure Container Instances and waits until it is gone: one that is left over from a virtual node, or that serves no pod. Refused while its pod is there.',
    permission: 'azure/containerGroups/delete',
    input: deleteInput,
    references: { containerGroup: [containerGroupKind.name] },
    timeoutSeconds: 1800,
    findings: deleteFindings,
    target(_input, references) {
      const id = groupIdOf(references);
      return { id: id.toString(), kind: containerGroupKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightDelete(parts, context),
    steps: [
      {
        name: 'delete',
        description: 'Asks Azure to delete the container group and waits until it is gone.',
        run: (context) => runDelete(parts, context),
      },
    ],
    async verify(context) {
      const id = groupIdOf(context.references);
      const reading = await parts.client.get(id, context);
      return verifyRemoval(whatOf(id), reading, context.target, parts.client.arm.pollIntervalSeconds);
    },
  };
}

/** @throws ControlError INVALID_REQUEST */
function groupIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'containerGroup', CONTAINER_GROUP_TYPE);
}

function whatOf({ name }: ArmId): string {
  return `The container group ${name}`;
}

/** The pod that a group was made for, and whether its cluster still has it. */
interface PodLook {
  pod: ServedPod | undefined;
  cluster: ArmId | undefined;
  state: PodState;
}

async function lookAtPod(
  { client, kube }: VirtualNodesParts,
  id: ArmId,
  body: JsonObject,
  context: OperationContext<DeleteInput>,
): Promise<PodLook> {
  const pod = servedPodOf(rawTextRecord(body, 'tags'));
  if (pod === undefined) return { pod, cluster: undefined, state: 'None' };
  const reader = new ServedPodsReader(client, kube, context);
  const cluster = await reader.clusterOf(id);
  return { pod, cluster, state: cluster === undefined ? 'Unknown' : await reader.lookUp(cluster, pod) };
}

async function preflightDelete(parts: VirtualNodesParts, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = groupIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('CONTAINER_GROUP_GONE', 'info', { containerGroup: id.toString() });
    return findings;
  }
  const look = await lookAtPod(parts, id, reading.body, context);
  const evidence = {
    cluster: look.cluster?.toString() ?? null,
    pod: look.pod === undefined ? null : `${look.pod.namespace}/${look.pod.name}`,
    state: rawText(reading.body, 'properties', 'instanceView', 'state'),
  };
  switch (look.state) {
    case 'Present':
      say('POD_PRESENT', 'error', evidence, 'Delete the pod, or scale its workload down.', podDeletion(look));
      break;
    case 'Unknown':
      say('POD_UNKNOWN', 'warning', evidence, 'Look into the cluster that the pod was of before.');
      break;
    case 'None':
      say('SERVES_NO_POD', 'warning', evidence);
      break;
    case 'Gone':
      break;
  }
  return findings;
}

function podDeletion({ pod, cluster }: PodLook): RemedyOperation[] {
  if (pod === undefined || cluster === undefined) return [];
  const { namespace, name } = pod;
  const input = { cluster: cluster.toString(), apiVersion: 'v1', kind: 'Pod', namespace, name };
  return [{ type: 'kubernetes.object.delete', input }];
}

function runDelete(parts: VirtualNodesParts, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = groupIdOf(context.references);
  return reachDesiredState(
    parts.client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting the container group ${id.name}.`,
      read: () => parts.client.get(id, context),
      judge: (reading) => judgeDelete(parts, id, reading, context),
      write: () => parts.client.deleteGroup(id, context),
    },
    context,
  );
}

/** @throws ControlError CONFLICT where a pod is there again that the group is of. */
async function judgeDelete(
  parts: VirtualNodesParts,
  id: ArmId,
  reading: ArmReading,
  context: StepContext<DeleteInput>,
): Promise<DesiredStateVerdict> {
  const verdict = judgeRemoval(whatOf(id), reading, failedOperationError);
  if (reading.state === 'missing' || verdict.verdict === 'reached' || verdict.verdict === 'underway') return verdict;
  const { pod, state } = await lookAtPod(parts, id, reading.body, context);
  if (state === 'Present') {
    throw new ControlError('CONFLICT', `The pod ${pod?.namespace ?? ''}/${pod?.name ?? ''} of the group is there.`, {
      remedy: 'Delete the pod, or scale its workload down.',
    });
  }
  return verdict;
}
