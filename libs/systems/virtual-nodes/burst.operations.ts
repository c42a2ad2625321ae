import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { ApiResource, KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { workloadOf } from '../contract/pod-workload.js';
import { providerRemedies } from '../contract/provider-remedy.js';
import { PROVIDER_REFUSALS, providerRefusal, type ProviderRefusal } from '../contract/provider-refusal.js';
import { rawInteger, rawObject, rawObjects, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { TILLER, TILLER_REMEDY, isTillerWithoutRights, tillerCodes } from '../contract/tiller.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';
import { capacityFindings, judgeCapacity } from './capacity.preflight.js';
import { listObjects, mergeInto, podsOn, pullSecretsIn, readObject, virtualNodesOf } from './cluster.reading.js';
import { covers, judgeLimits, judgePodSpec, judgePodSpecOfChart, podFindings, softened } from './pod.limits.js';
import { judgePullSecrets, pullSecretFindings } from './pull-secret.preflight.js';
import { isReady, taintsOf, virtualNodeIdOf } from './virtual-node.kind.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';

const MOST_PODS = 5000;
const PAUSE_SECONDS = 2;
/** Of the pods that were refused, those that a diagnosis offers to delete: more are for a second time. */
const MOST_DELETIONS = 50;

const burstInput = z.strictObject({
  workload: resourceReference('The Deployment or StatefulSet whose pods are to run on the virtual node'),
  replicas: z
    .int()
    .min(0)
    .max(MOST_PODS)
    .optional()
    .describe('The number of pods that it shall have; as many as it has where absent.'),
  virtualNode: z
    .string()
    .max(253)
    .optional()
    .describe('The name of the virtual node; the one that is ready where absent, that of the add-on first.'),
  waitForAvailable: z
    .boolean()
    .default(true)
    .describe('Whether the operation ends only when all pods are available, not when they are asked for.'),
});
type BurstInput = z.output<typeof burstInput>;

const burstFindings = {
  ...podFindings,
  ...pullSecretFindings,
  ...capacityFindings,
  WORKLOAD_NOT_FOUND: 'The workload is not there.',
  WORKLOAD_TYPE_UNSUPPORTED: 'A DaemonSet runs a pod on every machine, and none on a virtual node.',
  VIRTUAL_NODE_NOT_FOUND: 'The cluster has no virtual node, or none of this name.',
  VIRTUAL_NODE_NOT_READY: 'The virtual node is not ready, or takes no new pods.',
  SELECTOR_CONFLICT: 'The workload asks for nodes that the virtual node is not.',
  PUBLIC_ADDRESSES: 'The virtual node is that of the early connector: the pods will have public addresses.',
  ...tillerCodes,
  SHORT_SERVICE_NAMES:
    'The environment of the containers names services without their namespace, which may not be found from there.',
  ACCESS_DENIED: 'The cluster does not allow the change to the identity of Pilothouse.',
  PLACED_ALREADY: 'The workload asks for the virtual node already.',
} as const satisfies Record<string, string>;

type Say = FindingReporter<keyof typeof burstFindings>;

export function burstWorkload(parts: VirtualNodesParts): OperationDefinition<typeof burstInput> {
  return {
    type: 'virtualNodes.workload.burst',
    title: 'Let a workload run on the virtual node',
    description:
      'Adds the node selector and the tolerations to a workload that match the real virtual node of its cluster, and scales it. Refuses what Container Instances cannot run before anything is changed.',
    permission: 'virtualNodes/workloads/write',
    input: burstInput,
    references: { workload: ['Workload'] },
    timeoutSeconds: 3600,
    findings: burstFindings,
    target(_input, references) {
      const { canonical } = workloadIdOf(references);
      return { id: canonical, kind: 'Workload', lock: canonical };
    },
    preflight: (context) => preflightBurst(parts, context),
    steps: [
      {
        name: 'place',
        description: 'Adds the selector, the tolerations and the number of pods to the workload.',
        run: (context) => runPlace(parts, context),
      },
      {
        name: 'settle',
        description: 'Waits until all pods are available on the virtual node.',
        run: (context) => runSettle(parts, context),
      },
    ],
    verify: (context) => verifyBurst(parts, context),
  };
}

/** @throws ControlError INVALID_REQUEST */
function workloadIdOf(references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  const reference = references.workload;
  if (reference?.kind === 'Workload' && KubernetesId.isOne(reference.id)) return KubernetesId.parse(reference.id);
  throw new ControlError('INVALID_REQUEST', 'workload does not name a Workload.', {
    violations: [{ path: 'workload', message: 'must be the uid or the kubernetes:// id of a Workload' }],
  });
}

/** A workload where it is. */
interface Located {
  client: ClusterClient;
  resource: ApiResource;
  id: KubernetesId;
}

async function locate(parts: VirtualNodesParts, context: OperationContext<BurstInput>): Promise<Located> {
  const id = workloadIdOf(context.references);
  const client = await parts.kube.clusterOf(id.clusterUid);
  const resource = await client.findResource({ group: id.group, kind: id.kind }, context);
  if (resource !== undefined) return { client, resource, id };
  throw new ControlError('KUBERNETES_NOT_FOUND', `The cluster does not serve the kind ${id.kind}.`);
}

function read(
  { client, resource, id }: Located,
  context: OperationContext<BurstInput>,
): Promise<KubernetesObject | undefined> {
  return client.get(resource, id.namespace, id.name, context);
}

/** The node that is meant: by its name, or the first that can take pods, with that of the add-on before all others. */
async function chooseNode(
  { client }: Located,
  context: OperationContext<BurstInput>,
): Promise<KubernetesObject | undefined> {
  const { virtualNode } = context.input;
  const nodes = await virtualNodesOf(client, context);
  if (virtualNode !== undefined) return nodes.find(({ metadata }) => metadata.name === virtualNode);
  const rank = (node: KubernetesObject): number =>
    (takesPods(node) ? 0 : 2) + (virtualNatureOf(node).nature === 'aci-connector-addon' ? 0 : 1);
  return [...nodes].sort((left, right) => rank(left) - rank(right))[0];
}

function takesPods(node: KubernetesObject): boolean {
  return isReady(node) && rawObject(node, 'spec')?.unschedulable !== true;
}

async function preflightBurst(parts: VirtualNodesParts, context: OperationContext<BurstInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(burstFindings, findings);
  const located = await locate(parts, context);
  const { id, client, resource } = located;
  const workload = await read(located, context);
  if (workload === undefined) {
    say('WORKLOAD_NOT_FOUND', 'error', { workload: id.canonical });
    return findings;
  }
  if (id.kind === 'DaemonSet') {
    say('WORKLOAD_TYPE_UNSUPPORTED', 'error', { kind: id.kind });
    return findings;
  }
  const spec = podSpecOf(workload);
  const node = await chooseNode(located, context);
  if (node !== undefined && virtualNatureOf(node).nature === 'virtual-nodes') {
    judgePodSpecOfChart(spec, say);
    await judgePullSecrets(client, id, spec, context, softened(say));
  } else {
    judgePodSpec(spec, say);
    judgeLimits(id.canonical, spec, say);
    await judgePullSecrets(client, id, spec, context, say);
  }
  await judgeServiceNames(located, spec, context, say);
  if (node === undefined) {
    const remedy = 'Switch the virtual nodes on first (virtualNodes.enable).';
    say('VIRTUAL_NODE_NOT_FOUND', 'error', { virtualNode: context.input.virtualNode ?? null }, remedy);
  } else {
    judgeNode(node, spec, say);
    await judgeTiller(client, node, context, say);
    if (placement(spec, node) === undefined) say('PLACED_ALREADY', 'info', { virtualNode: node.metadata.name });
    await judgeRoom(parts, located, { workload, node }, context, say);
  }
  const question = { verb: 'patch', group: resource.group, resource: resource.plural, name: id.name };
  const access = await client.mayI(
    { ...question, ...(id.namespace === undefined ? {} : { namespace: id.namespace }) },
    context,
  );
  if (!access.allowed)
    say('ACCESS_DENIED', 'error', { ...question, reason: access.reason }, 'Give the identity a role that allows it.');
  return findings;
}

function judgeNode(node: KubernetesObject, spec: JsonObject, say: Say): void {
  const { name } = node.metadata;
  if (!takesPods(node)) say('VIRTUAL_NODE_NOT_READY', 'error', { virtualNode: name });
  if (virtualNatureOf(node).nature === 'virtual-kubelet') {
    const remedy = 'Use the virtual node of the add-on (virtualNodes.enable), whose pods are in a subnet.';
    say('PUBLIC_ADDRESSES', 'warning', { virtualNode: name }, remedy);
  }
  const labels = rawTextRecord(node, 'metadata', 'labels');
  const wrong = Object.entries(rawTextRecord(spec, 'nodeSelector')).filter(([key, value]) => labels[key] !== value);
  if (wrong.length > 0) {
    const remedy = 'Take these labels out of its node selector first.';
    say('SELECTOR_CONFLICT', 'error', { selector: Object.fromEntries(wrong), virtualNode: name }, remedy);
  }
}

/** The early connector can be neither mended nor taken away through a Tiller that may do nothing. */
async function judgeTiller(
  client: ClusterClient,
  node: JsonObject,
  context: OperationContext<BurstInput>,
  say: Say,
): Promise<void> {
  if (virtualNatureOf(node).nature !== 'virtual-kubelet') return;
  let tiller: KubernetesObject | undefined;
  try {
    tiller = await readObject(client, { group: 'apps', kind: 'Deployment' }, TILLER.namespace, TILLER.name, context);
  } catch (error) {
    // Without the right to see it, nothing can be said of it.
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    return;
  }
  if (tiller === undefined || !isTillerWithoutRights(tiller)) return;
  say('TILLER_WITHOUT_RIGHTS', 'warning', { ...TILLER, serviceAccount: 'default' }, TILLER_REMEDY);
}

/** Of what is in a cluster that is no AKS cluster nobody knows where its container groups are. */
async function judgeRoom(
  parts: VirtualNodesParts,
  { client, id }: Located,
  { workload, node }: { workload: KubernetesObject; node: KubernetesObject },
  context: OperationContext<BurstInput>,
  say: Say,
): Promise<void> {
  const known = await parts.clusters.find(id.clusterUid);
  const cluster = known?.kind === 'ManagedCluster' ? ArmId.tryParse(known.id) : undefined;
  if (cluster === undefined) return;
  const wanted = context.input.replicas ?? rawInteger(workload, 'spec', 'replicas') ?? 1;
  const pods = wanted - (await ownPods(client, id, node.metadata.name, context)).length;
  await judgeCapacity(parts.client, { cluster, node, podSpec: podSpecOf(workload), pods }, context, say);
}

/** The pods of the workload on a node, without those that are on their way out. */
async function ownPods(
  client: ClusterClient,
  id: KubernetesId,
  node: string,
  context: OperationContext<BurstInput>,
): Promise<KubernetesObject[]> {
  return (await podsOn(client, node, context)).filter(
    (pod) =>
      pod.metadata.namespace === id.namespace &&
      typeof pod.metadata.deletionTimestamp !== 'string' &&
      workloadOf(pod, id.clusterUid, id.namespace) === id.canonical,
  );
}

/** A heuristic: the value of a variable that is the very name of a service in the namespace. */
async function judgeServiceNames(
  { client, id }: Located,
  spec: JsonObject,
  context: OperationContext<BurstInput>,
  say: Say,
): Promise<void> {
  const values = rawObjects(spec, 'containers').flatMap((container) =>
    rawObjects(container, 'env').flatMap((variable) => rawText(variable, 'value') ?? []),
  );
  if (values.length === 0 || id.namespace === undefined) return;
  let services: KubernetesObject[];
  try {
    services = await listObjects(client, { group: '', kind: 'Service' }, { namespace: id.namespace }, context);
  } catch (error) {
    // Without the right to see services, nothing can be said of their names.
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    return;
  }
  const short = services
    .map(({ metadata }) => metadata.name)
    .filter((name) => values.some((value) => new RegExp(`(^|//|@)${name}(:\\d+)?(/|$)`).test(value)));
  if (short.length === 0) return;
  const remedy = `Write ${short[0]}.${id.namespace}.svc.cluster.local instead.`;
  say('SHORT_SERVICE_NAMES', 'warning', { services: short }, remedy);
}

function podSpecOf(workload: JsonObject): JsonObject {
  return rawObject(workload, 'spec', 'template', 'spec') ?? {};
}

/** What is to be merged into the pods' specification so that they go to the node; undefined where they do. Pure. */
export function placement(spec: JsonObject, node: JsonObject): JsonObject | undefined {
  const labels = rawTextRecord(node, 'metadata', 'labels');
  const present = rawTextRecord(spec, 'nodeSelector');
  const wanted = selectorOf(labels, rawText(node, 'metadata', 'name') ?? '');
  const missing = Object.entries(wanted).filter(([key, value]) => present[key] !== value);
  const tolerations = rawObjects(spec, 'tolerations');
  const added = taintsOf(node)
    .filter((taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((each) => covers(each, taint)))
    .map(({ key, effect }) => ({ key: key ?? '', operator: 'Exists', effect: effect ?? 'NoSchedule' }));
  if (missing.length + added.length === 0) return undefined;
  return {
    ...(missing.length === 0 ? {} : { nodeSelector: Object.fromEntries(missing) }),
    ...(added.length === 0 ? {} : { tolerations: [...tolerations, ...added] }),
  };
}

/** A node of another make may lack the labels that are known: its name tells it in any case. */
function selectorOf(labels: Readonly<Record<string, string>>, name: string): Record<string, string> {
  const { type, virtualization } = labels;
  if (virtualization === 'virtualnode2') return { virtualization };
  if (type === 'virtual-kubelet') return { type, 'kubernetes.io/os': labels['kubernetes.io/os'] ?? 'linux' };
  return { 'kubernetes.io/hostname': name };
}

async function runPlace(parts: VirtualNodesParts, context: StepContext<BurstInput>): Promise<StepOutcome> {
  const located = await locate(parts, context);
  const node = await chooseNode(located, context);
  if (node === undefined) throw new ControlError('KUBERNETES_NOT_FOUND', 'The virtual node is not there any more.');
  const { replicas } = context.input;
  const decide = (workload: KubernetesObject): JsonObject | undefined => {
    const spec = placement(podSpecOf(workload), node);
    const isScaled = replicas === undefined || rawInteger(workload, 'spec', 'replicas') === replicas;
    if (spec === undefined && isScaled) return undefined;
    return {
      spec: {
        ...(isScaled ? {} : { replicas }),
        ...(spec === undefined ? {} : { template: { spec } }),
      },
    };
  };
  const { client, resource, id } = located;
  const output = { virtualNode: node.metadata.name };
  switch (await mergeInto(client, resource, id.namespace, id.name, decide, context)) {
    case 'made':
      return { outcome: 'done', message: `${id.name} asks for ${node.metadata.name} now.`, output };
    case 'none':
      return { outcome: 'done', message: `${id.name} asked for ${node.metadata.name} already.`, output };
    case 'busy':
      return { outcome: 'blocked', message: `Others keep changing ${id.name}.`, retryAfterSeconds: 1 };
  }
}

const placed = z.object({ virtualNode: z.string() });

interface RefusedPod {
  pod: KubernetesObject;
  refusal: ProviderRefusal;
}

/** The pods of the workload on the virtual node, and how many of them are ready. */
async function standing(
  located: Located,
  context: OperationContext<BurstInput>,
): Promise<{
  workload: KubernetesObject;
  node: string;
  refused: RefusedPod[];
  ready: number;
  wanted: number;
  isDone: boolean;
}> {
  const { client, id } = located;
  const workload = await read(located, context);
  if (workload === undefined) throw new ControlError('KUBERNETES_NOT_FOUND', `${id.name} is not there any more.`);
  const node = placed.parse(context.outputs.place).virtualNode;
  const own = await ownPods(client, id, node, context);
  const wanted = rawInteger(workload, 'spec', 'replicas') ?? 1;
  const ready = own.filter(isPodReady).length;
  const { generation = 0 } = workload.metadata;
  const isTakenUp = (rawInteger(workload, 'status', 'observedGeneration') ?? 0) >= generation;
  const total = rawInteger(workload, 'status', 'replicas') ?? 0;
  const refused = own.flatMap((pod): RefusedPod[] => {
    const refusal = providerRefusal(pod);
    return refusal === undefined ? [] : [{ pod, refusal }];
  });
  return { workload, node, refused, ready, wanted, isDone: isTakenUp && ready === wanted && total === wanted };
}

function isPodReady(pod: JsonObject): boolean {
  return rawObjects(pod, 'status', 'conditions').some(({ type, status }) => type === 'Ready' && status === 'True');
}

async function runSettle(parts: VirtualNodesParts, context: StepContext<BurstInput>): Promise<StepOutcome> {
  if (!context.input.waitForAvailable) return { outcome: 'done', message: 'Nobody waits for the pods.' };
  const located = await locate(parts, context);
  const { node, refused, ready, wanted, isDone } = await standing(located, context);
  if (isDone) return { outcome: 'done', message: `${ready} pods run on ${node}.` };
  const [first, ...others] = refused;
  if (first !== undefined) throw await refusalOf(located, first, others, context);
  return { outcome: 'wait', message: `${ready} of ${wanted} pods run on ${node}.`, retryAfterSeconds: PAUSE_SECONDS };
}

/** What a pod was refused for, and how many others for the same. */
async function refusalOf(
  { client, id }: Located,
  { pod, refusal }: RefusedPod,
  others: readonly RefusedPod[],
  context: StepContext<BurstInput>,
): Promise<ControlError> {
  const { code, azureCode, said, facts } = refusal;
  const { metadata } = pod;
  const alike = others.filter((other) => other.refusal.code === code).map((other) => other.pod.metadata.name);
  const namespace = id.namespace ?? '';
  const [remedy] = providerRemedies(refusal, {
    cluster: id.clusterUid,
    namespace,
    pods: [metadata.name, ...alike].slice(0, MOST_DELETIONS),
    podSpec: rawObject(pod, 'spec') ?? {},
    workload: id.canonical,
    pullSecrets: code === 'PROVIDER_IMAGE_INACCESSIBLE' ? await pullSecretsIn(client, namespace, context) : undefined,
  });
  const words = said === '' ? 'Azure gives no reason.' : said;
  return new ControlError('VERIFICATION_FAILED', `${metadata.name}: ${words}`, {
    ...(azureCode === null || azureCode === '' ? {} : { externalCode: azureCode }),
    remedy: remedy.description,
    diagnosis: {
      code,
      cause: PROVIDER_REFUSALS[code],
      evidence: { pod: metadata.name, alike: alike.length, said, ...facts },
      operations: remedy.operations,
    },
  });
}

async function verifyBurst(parts: VirtualNodesParts, context: OperationContext<BurstInput>): Promise<Verification> {
  const located = await locate(parts, context);
  const { workload, node, ready, wanted, isDone } = await standing(located, context);
  const { replicas, waitForAvailable } = context.input;
  if (replicas !== undefined && wanted !== replicas) {
    return { verdict: 'missed', message: `Somebody else has scaled ${located.id.name} to ${wanted} meanwhile.` };
  }
  const chosen = (await virtualNodesOf(located.client, context)).find(({ metadata }) => metadata.name === node);
  if (chosen === undefined || placement(podSpecOf(workload), chosen) !== undefined) {
    return { verdict: 'missed', message: `${located.id.name} does not ask for ${node} any more.` };
  }
  if (waitForAvailable && !isDone) {
    return { verdict: 'pending', message: `${ready} of ${wanted} pods run there.`, retryAfterSeconds: PAUSE_SECONDS };
  }
  return {
    verdict: 'reached',
    result: {
      workload: located.id.canonical,
      virtualNode: virtualNodeIdOf(located.id.clusterUid, node).canonical,
      replicas: wanted,
      readyOnVirtualNode: ready,
    },
    observations: [],
    absent: [],
    opened: [located.id.clusterUid],
  };
}
