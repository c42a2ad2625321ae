import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { ownerOf, workloadOf } from '../contract/pod-workload.js';
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
import { isReady, readySince, virtualNodeIdOf, virtualNodeKind } from './virtual-node.kind.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';

/** How many names a finding lists. */
const MOST_NAMED = 50;

/** A connector that is started anew is away for less; one that is away for longer will not end anything. Milliseconds. */
const LONGEST_RESTART_MS = 5 * 60_000;
const FORCE_REMEDY =
  'Mend the connector (the deployment aci-connector-linux in kube-system), or take the virtual node away by force.';

const disableInput = z.strictObject({
  cluster: resourceReference('The AKS cluster that is to lose its virtual node'),
  force: z
    .boolean()
    .default(false)
    .describe(
      'Whether its pods are taken out of the cluster at once, whatever disruption budgets say, and container groups whose pods are gone are deleted. For a virtual node whose connector is dead, which ends nothing any more.',
    ),
});
type DisableInput = z.output<typeof disableInput>;

const disableFindings = {
  ...clusterFindings,
  ADDON_OFF: 'The add-on is off already.',
  VIRTUAL_NODE_NOT_READY: 'The virtual node is not ready: its connector does not end the pods that run there.',
  PODS_WILL_STOP: 'Pods run on the virtual node, and will be stopped.',
  WORKLOADS_WILL_WAIT: 'Workloads ask for the virtual node: their new pods stay Pending until they are changed.',
  CONTAINER_GROUPS_LEFT:
    'Container groups are there whose pods are gone; they stay, and are paid for, until they are deleted.',
  CONTAINER_GROUPS_WILL_GO: 'By force, container groups whose pods are gone are deleted.',
  CLUSTER_UNREACHABLE:
    'The Kubernetes API of the cluster does not answer: what runs on the virtual node cannot be drained.',
} as const satisfies Record<string, string>;

export function disableVirtualNodes(parts: VirtualNodesParts): OperationDefinition<typeof disableInput> {
  return {
    type: 'virtualNodes.disable',
    title: 'Take the virtual node of a cluster away',
    description:
      'Stops what runs on the virtual node of the add-on as far as disruption budgets allow, waits until its container groups are gone, and switches the add-on off. Its subnet and its role stay. Workloads that may run elsewhere are started there by their controllers. A virtual node that is not ready is emptied by force only.',
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
        description:
          'Evicts the pods from the virtual node and waits until their container groups are gone; by force, deletes both. Pods of DaemonSets go with the node.',
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
        description: 'Waits until the node is gone; by force, removes it.',
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
  judgeCluster(reading.body, cluster, say);
  if (!connectorOf(reading.body).enabled) {
    say('ADDON_OFF', 'info', {});
    return findings;
  }
  const { force } = context.input;
  const served = new Set<string>();
  try {
    const client = kubernetesOf(parts, cluster);
    const node = await readObject(client, NODE, undefined, ADDON_NODE, context);
    const pods = await podsOn(client, ADDON_NODE, context);
    for (const { metadata } of pods) served.add(metadata.uid ?? '');
    if (node !== undefined && !isReady(node)) {
      const evidence = { node: ADDON_NODE, since: readySince(node)?.toISOString() ?? null };
      const severity = !force && isDead(node) && !pods.every(goesWithNode) ? 'error' : 'warning';
      say('VIRTUAL_NODE_NOT_READY', severity, evidence, FORCE_REMEDY, [byForce(cluster)]);
    }
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
    const evidence = { count: names.length, containerGroups: names.slice(0, MOST_NAMED) };
    if (force) say('CONTAINER_GROUPS_WILL_GO', 'warning', evidence);
    else
      say('CONTAINER_GROUPS_LEFT', 'warning', evidence, 'Delete them.', left.slice(0, MOST_NAMED).flatMap(deletionOf));
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
  const cluster = clusterIdOf(context.references);
  const client = kubernetesOf(parts, cluster);
  const resource = await client.findResource(NODE, context);
  const node = await readObject(client, NODE, undefined, ADDON_NODE, context);
  if (resource === undefined || node === undefined) return { outcome: 'done', message: 'There is no virtual node.' };
  // Before it is cordoned: a node that cannot be emptied is left as it is.
  if (!context.input.force && isDead(node)) {
    const pods = (await podsOn(client, ADDON_NODE, context)).filter((pod) => !goesWithNode(pod));
    if (pods.length > 0) throw deadError(node, pods, cluster, FORCE_REMEDY);
  }
  const wanted = (node: JsonObject): JsonObject | undefined =>
    rawFlag(node, 'spec', 'unschedulable') === true ? undefined : { spec: { unschedulable: true } };
  const change = await mergeInto(client, resource, undefined, ADDON_NODE, wanted, context);
  if (change === 'busy') {
    return { outcome: 'blocked', message: 'Others keep changing the virtual node.', retryAfterSeconds: 1 };
  }
  return { outcome: 'done', message: 'No new pods come to the virtual node.' };
}

function deletionOf(group: JsonObject): RemedyOperation[] {
  const containerGroup = rawText(group, 'id');
  return containerGroup === null ? [] : [{ type: 'azure.containerGroup.delete', input: { containerGroup } }];
}

function byForce(cluster: ArmId): RemedyOperation {
  return { type: 'virtualNodes.disable', input: { cluster: cluster.toString(), force: true } };
}

/** Whether its connector is away for longer than it takes to start one anew. One whose node says no time may come back. */
function isDead(node: KubernetesObject): boolean {
  const since = readySince(node);
  return !isReady(node) && since !== undefined && Date.now() - since.getTime() >= LONGEST_RESTART_MS;
}

function deadError(
  node: KubernetesObject,
  pods: readonly KubernetesObject[],
  cluster: ArmId,
  remedy: string,
): ControlError {
  const cause = `The node ${ADDON_NODE} is not ready: its connector does not end the ${pods.length} pods there.`;
  return new ControlError('CONFLICT', cause, {
    remedy,
    diagnosis: {
      code: 'VIRTUAL_NODE_NOT_READY',
      cause,
      evidence: { node: ADDON_NODE, since: readySince(node)?.toISOString() ?? null, pods: pods.length },
      operations: [byForce(cluster)],
    },
  });
}

/** A DaemonSet makes its pod anew for as long as there is the node, cordoned or not. */
function goesWithNode(pod: KubernetesObject): boolean {
  return rawText(ownerOf(pod), 'kind') === 'DaemonSet';
}

async function runDrain(parts: VirtualNodesParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context.references);
  const client = kubernetesOf(parts, cluster);
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  const placed = await podsOn(client, ADDON_NODE, context);
  const pods = placed.filter((pod) => !goesWithNode(pod));
  if (pods.length > 0) {
    const kept = context.input.force
      ? await removePods(client, pods, context)
      : await evictPods(client, pods, cluster, context);
    const message = [`${pods.length} pods are on their way out.`, ...kept].join(' ');
    return { outcome: 'wait', message, retryAfterSeconds };
  }
  const groups = await groupsOf(parts, await readCluster(parts, cluster, context), cluster, context);
  const going = groups.filter((group) => rawText(group, 'properties', 'provisioningState') === 'Deleting');
  const served = new Set(placed.map(({ metadata }) => metadata.uid));
  const left = groups.filter(
    (group) => !going.includes(group) && !served.has(servedPodOf(rawTextRecord(group, 'tags'))?.uid),
  );
  if (context.input.force) {
    for (const group of left) await parts.client.deleteGroup(ArmId.parse(rawText(group, 'id') ?? ''), context);
    going.push(...left);
  }
  if (going.length > 0) {
    return { outcome: 'wait', message: `${going.length} container groups are on their way out.`, retryAfterSeconds };
  }
  return { outcome: 'done', message: 'Nothing runs on the virtual node any more.', output: { left: left.length } };
}

/** Nobody is asked, and nobody waited for. */
async function removePods(
  client: ClusterClient,
  pods: readonly KubernetesObject[],
  context: StepContext<DisableInput>,
): Promise<string[]> {
  const resource = await client.findResource(POD, context);
  if (resource === undefined) return [];
  for (const pod of pods) {
    const { metadata } = pod;
    const options = { ...uidOf(pod), gracePeriodSeconds: 0 };
    await client.delete(resource, metadata.namespace, metadata.name, options, context);
  }
  return [];
}

/** @returns what keeps pods there for now, in sentences @throws ControlError CONFLICT where nobody will end them */
async function evictPods(
  client: ClusterClient,
  pods: readonly KubernetesObject[],
  cluster: ArmId,
  context: StepContext<DisableInput>,
): Promise<string[]> {
  const node = await readObject(client, NODE, undefined, ADDON_NODE, context);
  if (node !== undefined && !isReady(node)) {
    if (isDead(node)) {
      const uncordon = 'The virtual node stays cordoned until then (kubernetes.node.uncordon).';
      throw deadError(node, pods, cluster, `${FORCE_REMEDY} ${uncordon}`);
    }
    return [`The node ${ADDON_NODE} is not ready: its connector has to come back to end them.`];
  }
  const resource = await client.findResource(POD, context);
  const refused: string[] = [];
  for (const pod of pods) {
    const { metadata } = pod;
    if (resource === undefined || typeof metadata.deletionTimestamp === 'string') continue;
    const outcome = await client.evict(resource, metadata.namespace, metadata.name, uidOf(pod), context);
    if (outcome.eviction === 'refused') refused.push(`${metadata.namespace ?? ''}/${metadata.name}`);
  }
  const [first] = refused;
  if (first === undefined) return [];
  const others = refused.length === 1 ? '' : ` and ${refused.length - 1} others`;
  return [`Disruption budgets keep ${first}${others} there for now; they are asked again.`];
}

async function runRemoval(parts: VirtualNodesParts, context: StepContext<DisableInput>): Promise<StepOutcome> {
  const client = kubernetesOf(parts, clusterIdOf(context.references));
  const node = await readObject(client, NODE, undefined, ADDON_NODE, context);
  if (node === undefined) return { outcome: 'done', message: 'The virtual node is gone.' };
  const resource = await client.findResource(NODE, context);
  if (context.input.force && resource !== undefined && !isReady(node)) {
    // A connector that is dead does not take its node along.
    await client.delete(resource, undefined, ADDON_NODE, uidOf(node), context);
  }
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  return { outcome: 'wait', message: 'The virtual node is still there.', retryAfterSeconds };
}

/** What makes a deletion one of the very object that was looked at. */
function uidOf({ metadata }: KubernetesObject): { uid?: string } {
  return metadata.uid === undefined ? {} : { uid: metadata.uid };
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
