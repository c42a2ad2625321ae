import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { workloadOf } from '../contract/pod-workload.js';
import { rawFlag, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { ADDON_NODE, connectorOf } from './aci-connector.js';
import {
  clusterFindings,
  judgeCluster,
  kubernetesOf,
  mergeInto,
  NODE,
  outOfReach,
  POD,
  podsOn,
  readObject,
} from './cluster.reading.js';
import { servedPodOf } from './container-group.kind.js';
import { clusterIdOf } from './enable.input.js';
import { readCluster, runAddonState } from './enable.operations.js';
import { virtualNodeIdOf, virtualNodeKind } from './virtual-node.kind.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';

/** How many names a finding lists. */
const MOST_NAMED = 50;

const disableInput = z.strictObject({
  cluster: resourceReference('The AKS cluster that is to lose its virtual node'),
});
type DisableInput = z.output<typeof disableInput>;

const disableFindings = {
  ...clusterFindings,
  ADDON_OFF: 'The add-on is off already.',
  PODS_WILL_STOP: 'Pods run on the virtual node, and will be stopped.',
  WORKLOADS_WILL_WAIT: 'Workloads ask for the virtual node: their new pods stay Pending until they are changed.',
  CONTAINER_GROUPS_LEFT:
    'Container groups are there whose pods are gone; they stay, and are paid for, until they are deleted.',
  CLUSTER_UNREACHABLE:
    'The Kubernetes API of the cluster does not answer: what runs on the virtual node cannot be drained.',
} as const satisfies Record<string, string>;

export function disableVirtualNodes(parts: VirtualNodesParts): OperationDefinition<typeof disableInput> {
  return {
    type: 'virtualNodes.disable',
    title: 'Take the virtual node of a cluster away',
    description:
      'Stops what runs on the virtual node of the add-on, waits until its container groups are gone, and switches the add-on off. Its subnet and its role stay. Workloads that may run elsewhere are started there by their controllers.',
    permission: 'virtualNodes/write',
    input: disableInput,
    references: { cluster: ['ManagedCluster'] },
    timeoutSeconds: 3600,
    findings: disableFindings,
    target(_input, references) {
      const id = clusterIdOf(references);
      return { id: id.toString(), kind: 'ManagedCluster', lock: id.canonical };
    },
    preflight: (context) => preflightDisable(parts, context),
    steps: [
      {
        name: 'cordon',
        description: 'Keeps new pods away from the virtual node.',
        run: (context) => runCordon(parts, context),
      },
      {
        name: 'drain',
        description: 'Deletes the pods on the virtual node and waits until their container groups are gone.',
        run: (context) => runDrain(parts, context),
      },
      {
        name: 'switch-off',
        description: 'Switches the add-on off and waits for AKS.',
        run: (context) =>
          runAddonState(parts, context, clusterIdOf(context.references), {
            working: 'Azure is switching the virtual nodes off.',
            isReached: ({ enabled }) => !enabled,
            done: 'The add-on is off.',
            addon: { enabled: false },
          }),
      },
      {
        name: 'await-removal',
        description: 'Waits until the node is gone.',
        run: (context) => runRemoval(parts, context),
      },
    ],
    verify: (context) => verifyDisable(parts, context),
  };
}

async function preflightDisable(parts: VirtualNodesParts, context: OperationContext<DisableInput>): Promise<Finding[]> {
  const cluster = clusterIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(disableFindings, findings);
  const reading = await parts.client.get(cluster, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: cluster.toString() });
    return findings;
  }
  judgeCluster(reading.body, say);
  if (!connectorOf(reading.body).enabled) {
    say('ADDON_OFF', 'info', {});
    return findings;
  }
  const served = new Set<string>();
  try {
    const client = kubernetesOf(parts, cluster);
    const pods = await podsOn(client, ADDON_NODE, context);
    for (const { metadata } of pods) served.add(metadata.uid ?? '');
    const names = pods.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`);
    if (names.length > 0) say('PODS_WILL_STOP', 'warning', { count: names.length, pods: names.slice(0, MOST_NAMED) });
    const pinned = pods.filter((pod) => rawText(pod, 'spec', 'nodeSelector', 'type') === 'virtual-kubelet');
    const workloads = pinned.flatMap((pod) => workloadOf(pod, cluster.uid, pod.metadata.namespace) ?? []);
    const unique = [...new Set(workloads)];
    if (unique.length > 0) {
      const remedy = 'Take the selector type=virtual-kubelet out of their templates, or scale them to zero.';
      say('WORKLOADS_WILL_WAIT', 'warning', { workloads: unique.slice(0, MOST_NAMED) }, remedy);
    }
  } catch (error) {
    const problem = outOfReach(error);
    say(
      'CLUSTER_UNREACHABLE',
      'error',
      { code: problem.code },
      'Let the cluster run, and give Pilothouse access to it.',
    );
    return findings;
  }
  const groups = await groupsOf(parts, reading.body, cluster, context);
  const left = groups.filter((group) => !served.has(servedPodOf(rawTextRecord(group, 'tags'))?.uid ?? ''));
  if (left.length > 0) {
    const names = left.flatMap((group) => rawText(group, 'name') ?? []);
    say('CONTAINER_GROUPS_LEFT', 'warning', { containerGroups: names.slice(0, MOST_NAMED) }, 'Delete them in Azure.');
  }
  return findings;
}

/** The container groups that were made for pods of the add-on's node. */
async function groupsOf(
  parts: VirtualNodesParts,
  cluster: JsonObject,
  { subscriptionId = '' }: ArmId,
  context: OperationContext<unknown>,
): Promise<JsonObject[]> {
  const group = rawText(cluster, 'properties', 'nodeResourceGroup');
  if (group === null) return [];
  const groups: JsonObject[] = [];
  for await (const page of parts.client.listGroupsIn(ArmId.resourceGroup(subscriptionId, group), context)) {
    groups.push(...page.items.filter((item) => servedPodOf(rawTextRecord(item, 'tags'))?.node === ADDON_NODE));
  }
  return groups;
}

async function runCordon(parts: VirtualNodesParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  const client = kubernetesOf(parts, clusterIdOf(context.references));
  const resource = await client.findResource(NODE, context);
  if (resource === undefined || (await readObject(client, NODE, undefined, ADDON_NODE, context)) === undefined) {
    return { outcome: 'done', message: 'There is no virtual node.' };
  }
  const wanted = (node: JsonObject): JsonObject | undefined =>
    rawFlag(node, 'spec', 'unschedulable') === true ? undefined : { spec: { unschedulable: true } };
  const change = await mergeInto(client, resource, undefined, ADDON_NODE, wanted, context);
  if (change === 'busy') {
    return { outcome: 'blocked', message: 'Others keep changing the virtual node.', retryAfterSeconds: 1 };
  }
  return { outcome: 'done', message: 'No new pods come to the virtual node.' };
}

async function runDrain(parts: VirtualNodesParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context.references);
  const client = kubernetesOf(parts, cluster);
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  const pods = await podsOn(client, ADDON_NODE, context);
  const resource = await client.findResource(POD, context);
  for (const { metadata } of pods) {
    if (resource === undefined || typeof metadata.deletionTimestamp === 'string') continue;
    const precondition = metadata.uid === undefined ? {} : { uid: metadata.uid };
    await client.delete(resource, metadata.namespace, metadata.name, precondition, context);
  }
  if (pods.length > 0) {
    return { outcome: 'wait', message: `${pods.length} pods are on their way out.`, retryAfterSeconds };
  }
  const body = await readCluster(parts, cluster, context);
  const groups = await groupsOf(parts, body, cluster, context);
  const going = groups.filter((group) => rawText(group, 'properties', 'provisioningState') === 'Deleting');
  if (going.length > 0) {
    return { outcome: 'wait', message: `${going.length} container groups are on their way out.`, retryAfterSeconds };
  }
  return { outcome: 'done', message: 'Nothing runs on the virtual node any more.', output: { left: groups.length } };
}

async function runRemoval(parts: VirtualNodesParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  const client = kubernetesOf(parts, clusterIdOf(context.references));
  const node = await readObject(client, NODE, undefined, ADDON_NODE, context);
  if (node === undefined) return { outcome: 'done', message: 'The virtual node is gone.' };
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  return { outcome: 'wait', message: 'The virtual node is still there.', retryAfterSeconds };
}

async function verifyDisable(parts: VirtualNodesParts, context: OperationContext<DisableInput>): Promise<Verification> {
  const cluster = clusterIdOf(context.references);
  const body = await readCluster(parts, cluster, context);
  if (connectorOf(body).enabled) {
    return { verdict: 'missed', message: 'Somebody has switched the add-on on again.' };
  }
  const node = await readObject(kubernetesOf(parts, cluster), NODE, undefined, ADDON_NODE, context);
  if (node !== undefined) throw new ControlError('VERIFICATION_FAILED', 'The virtual node is there again.');
  const groups = await groupsOf(parts, body, cluster, context);
  const id = virtualNodeIdOf(cluster.uid, ADDON_NODE);
  return {
    verdict: 'reached',
    result: { cluster: cluster.toString(), containerGroupsLeft: groups.flatMap((group) => rawText(group, 'id') ?? []) },
    observations: [],
    absent: [{ uid: id.uid, id: id.canonical, kind: virtualNodeKind.name }],
    opened: [cluster.uid],
  };
}
