import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { differenceOf } from '#libs/kube/manifest/difference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawFlag, rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterObject } from './cluster-object.js';
import { referencedObject } from './kubernetes-reference.js';
import { nodeKind } from './node.kind.js';

const PERMISSION = 'kubernetes/nodes/write';
const TIMEOUT_SECONDS = 600;
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const UNSCHEDULABLE_TAINT = 'node.kubernetes.io/unschedulable';
/** The cluster sets and removes them by what it sees of the node. */
const CLUSTER_TAINTS = new Set([
  'node.kubernetes.io/disk-pressure',
  'node.kubernetes.io/memory-pressure',
  'node.kubernetes.io/network-unavailable',
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/pid-pressure',
  'node.kubernetes.io/unreachable',
  UNSCHEDULABLE_TAINT,
]);

const taintKey = z.string().max(317).regex(LABEL_KEY, 'must be a taint key, such as kind or example.com/kind');

const taintInput = z.strictObject({
  node: resourceReference('The node to taint'),
  key: taintKey.describe('The key of the taint.'),
  value: z
    .string()
    .regex(LABEL_VALUE, 'must be a taint value: up to 63 letters, digits, hyphens, dots and underscores')
    .optional()
    .describe('The value of the taint; empty where absent.'),
  effect: z
    .enum(EFFECTS)
    .describe('What becomes of pods that do not tolerate it; `NoExecute` also removes those that run already.'),
});

const commonFindings = {
  NODE_NOT_FOUND: 'The node is not there.',
  NODE_OF_POOL: 'The node belongs to a node pool: a node that takes its place will not have the change.',
  ACCESS_DENIED: 'The cluster does not allow this to the identity of Pilothouse.',
} as const satisfies Record<string, string>;

const taintFindings = {
  ...commonFindings,
  TAINT_OF_CLUSTER: 'The cluster itself sets and removes this taint.',
  TAINT_PRESENT: 'The node has the taint already.',
  TAINT_VALUE_CHANGES: 'The node has the taint with another value, which is replaced.',
  PODS_EVICTED: 'Pods on the node that do not tolerate the taint are removed.',
} as const satisfies Record<string, string>;

export function taintNode(kube: Kube): OperationDefinition<typeof taintInput> {
  return nodeOperation(kube, {
    type: 'kubernetes.node.taint',
    title: 'Taint a node',
    description: 'Keeps pods that do not tolerate it away from a node. Other taints of the node stay as they are.',
    step: 'taint',
    doing: 'Adds the taint to the node.',
    input: taintInput,
    findings: taintFindings,
    judge({ key, value, effect }, node, say) {
      judgeKey(key, say);
      const present = findTaint(node, key, effect);
      if (present !== undefined && (rawText(present, 'value') ?? '') === (value ?? '')) {
        say('TAINT_PRESENT', 'info', { taint: present });
      } else if (present !== undefined) say('TAINT_VALUE_CHANGES', 'warning', { taint: present });
      if (effect === 'NoExecute' && present === undefined) say('PODS_EVICTED', 'warning', { effect });
    },
    change({ key, value, effect }, node) {
      const present = findTaint(node, key, effect);
      if (present !== undefined && (rawText(present, 'value') ?? '') === (value ?? '')) return undefined;
      const taint = { key, ...(value === undefined ? {} : { value }), effect };
      const others = taintsOf(node).filter((other) => !isTaint(other, key, effect));
      return { spec: { taints: [...others, taint] } };
    },
    wish: ({ key, effect }) => `the taint ${key}:${effect}`,
    result: (node) => ({ taints: taintsOf(node) }),
  });
}

const untaintInput = z.strictObject({
  node: resourceReference('The node to remove the taint from'),
  key: taintKey.describe('The key of the taint.'),
  effect: z.enum(EFFECTS).optional().describe('The effect of the taint; every taint of the key where absent.'),
});

const untaintFindings = {
  ...commonFindings,
  TAINT_OF_CLUSTER: taintFindings.TAINT_OF_CLUSTER,
  TAINT_ABSENT: 'The node does not have the taint.',
} as const satisfies Record<string, string>;

export function untaintNode(kube: Kube): OperationDefinition<typeof untaintInput> {
  return nodeOperation(kube, {
    type: 'kubernetes.node.untaint',
    title: 'Remove a taint from a node',
    description: 'Removes a taint from a node. Its other taints stay as they are.',
    step: 'untaint',
    doing: 'Removes the taint from the node.',
    input: untaintInput,
    findings: untaintFindings,
    judge({ key, effect }, node, say) {
      judgeKey(key, say);
      if (findTaint(node, key, effect) === undefined) say('TAINT_ABSENT', 'info', { key, effect: effect ?? null });
    },
    change({ key, effect }, node) {
      if (findTaint(node, key, effect) === undefined) return undefined;
      return { spec: { taints: taintsOf(node).filter((taint) => !isTaint(taint, key, effect)) } };
    },
    wish: ({ key, effect }) => `no taint ${key}${effect === undefined ? '' : `:${effect}`}`,
    result: (node) => ({ taints: taintsOf(node) }),
  });
}

const cordonInput = z.strictObject({ node: resourceReference('The node to cordon') });

const cordonFindings = {
  ...commonFindings,
  NODE_CORDONED: 'The node is cordoned already.',
} as const satisfies Record<string, string>;

export function cordonNode(kube: Kube): OperationDefinition<typeof cordonInput> {
  return nodeOperation(kube, {
    type: 'kubernetes.node.cordon',
    title: 'Cordon a node',
    description: 'Keeps new pods away from a node. Those that run on it stay.',
    step: 'cordon',
    doing: 'Marks the node as unschedulable.',
    input: cordonInput,
    findings: cordonFindings,
    judge(_input, node, say) {
      if (isCordoned(node)) say('NODE_CORDONED', 'info', { unschedulable: true });
    },
    change: (_input, node) => (isCordoned(node) ? undefined : { spec: { unschedulable: true } }),
    wish: () => 'the mark that keeps new pods away',
    result: (node) => ({ unschedulable: isCordoned(node) }),
  });
}

const uncordonInput = z.strictObject({ node: resourceReference('The node to uncordon') });

const uncordonFindings = {
  ...commonFindings,
  NODE_NOT_CORDONED: 'The node is not cordoned.',
} as const satisfies Record<string, string>;

export function uncordonNode(kube: Kube): OperationDefinition<typeof uncordonInput> {
  return nodeOperation(kube, {
    type: 'kubernetes.node.uncordon',
    title: 'Uncordon a node',
    description: 'Lets new pods come to a node again.',
    step: 'uncordon',
    doing: 'Takes the mark away that keeps new pods off the node.',
    input: uncordonInput,
    findings: uncordonFindings,
    judge(_input, node, say) {
      if (!isCordoned(node)) say('NODE_NOT_CORDONED', 'info', { unschedulable: false });
    },
    change: (_input, node) => (isCordoned(node) ? { spec: { unschedulable: false } } : undefined),
    wish: () => 'no mark that keeps new pods away',
    result: (node) => ({ unschedulable: isCordoned(node) }),
  });
}

/** What one change of a node is: all of them look, decide and write in the same way. */
interface NodeChange<Input extends z.ZodObject, Code extends string> {
  type: string;
  title: string;
  description: string;
  step: string;
  /** What the step does, in a sentence. */
  doing: string;
  input: Input;
  findings: Readonly<Record<Code, string>>;
  judge(input: z.output<Input>, node: KubernetesObject, say: FindingReporter<Code>): void;
  /** What to merge into the node; undefined where it is as wanted. Pure. */
  change(input: z.output<Input>, node: KubernetesObject): JsonObject | undefined;
  /** What the node is to have, in words. */
  wish(input: z.output<Input>): string;
  result(node: KubernetesObject): JsonObject;
}

function nodeOperation<Input extends z.ZodObject, Code extends string>(
  kube: Kube,
  wanted: NodeChange<Input, Code | keyof typeof commonFindings>,
): OperationDefinition<Input> {
  const { type, title, description, input, findings } = wanted;
  return {
    type,
    title,
    description,
    permission: PERMISSION,
    input,
    references: { node: [nodeKind.name] },
    timeoutSeconds: TIMEOUT_SECONDS,
    findings,
    target(_input, references) {
      const { canonical } = nodeIdOf(references);
      return { id: canonical, kind: nodeKind.name, lock: canonical };
    },
    preflight: (context) => preflightNode(kube, wanted, context),
    plan: (context) => planNode(kube, wanted, context),
    steps: [{ name: wanted.step, description: wanted.doing, run: (context) => runNode(kube, wanted, context) }],
    verify: (context) => verifyNode(kube, wanted, context),
  };
}

async function preflightNode<Input extends z.ZodObject, Code extends string>(
  kube: Kube,
  wanted: NodeChange<Input, Code | keyof typeof commonFindings>,
  context: OperationContext<z.output<Input>>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(wanted.findings, findings);
  const located = await locate(kube, context);
  const node = await located.read();
  if (node === undefined) {
    say('NODE_NOT_FOUND', 'error', { node: located.id.canonical });
    return findings;
  }
  wanted.judge(context.input, node, say);
  const { pool } = nodeKind.describe(node);
  if (typeof pool === 'string') say('NODE_OF_POOL', 'info', { nodePool: pool });
  const access = await located.allows('patch');
  if (!access.allowed) say('ACCESS_DENIED', 'error', access.evidence, 'Give the identity a role that allows it.');
  return findings;
}

async function planNode<Input extends z.ZodObject, Code extends string>(
  kube: Kube,
  wanted: NodeChange<Input, Code>,
  context: OperationContext<z.output<Input>>,
): Promise<Json> {
  const located = await locate(kube, context);
  const node = await located.read();
  const change = node === undefined ? undefined : wanted.change(context.input, node);
  const spec = (object: JsonObject | undefined): JsonObject => ({ spec: object?.spec ?? {} });
  const after = { spec: { ...asObject(node?.spec), ...asObject(change?.spec) } };
  const difference = change === undefined ? [] : differenceOf(spec(node), after);
  return { node: located.id.canonical, difference: difference.map((each) => ({ ...each })) };
}

async function runNode<Input extends z.ZodObject, Code extends string>(
  kube: Kube,
  wanted: NodeChange<Input, Code>,
  context: StepContext<z.output<Input>>,
): Promise<StepOutcome> {
  const located = await locate(kube, context);
  const { name } = located.id;
  const outcome = await located.change((node) => wanted.change(context.input, node));
  switch (outcome.change) {
    case 'made':
      return { outcome: 'done', message: `The node ${name} has now ${wanted.wish(context.input)}.` };
    case 'none':
      return { outcome: 'done', message: `The node ${name} had ${wanted.wish(context.input)} already.` };
    case 'busy':
      return { outcome: 'blocked', message: `Others keep changing the node ${name}.`, retryAfterSeconds: 1 };
  }
}

async function verifyNode<Input extends z.ZodObject, Code extends string>(
  kube: Kube,
  wanted: NodeChange<Input, Code>,
  context: OperationContext<z.output<Input>>,
): Promise<Verification> {
  const { id, node } = await readNode(kube, context);
  if (node === undefined) return { verdict: 'missed', message: `The node ${id.name} is not there any more.` };
  if (wanted.change(context.input, node) !== undefined) {
    return { verdict: 'missed', message: `The node ${id.name} has not ${wanted.wish(context.input)}.` };
  }
  return { verdict: 'reached', result: { node: id.canonical, ...wanted.result(node) }, observations: [], absent: [] };
}

async function readNode(kube: Kube, context: OperationContext<unknown>) {
  const located = await locate(kube, context);
  return { id: located.id, node: await located.read() };
}

function locate(kube: Kube, context: OperationContext<unknown>): Promise<ClusterObject> {
  return ClusterObject.locate(kube, nodeIdOf(context.references), context);
}

function nodeIdOf(references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  return referencedObject(references, 'node', nodeKind.name);
}

function judgeKey(key: string, say: FindingReporter<'TAINT_OF_CLUSTER'>): void {
  if (!CLUSTER_TAINTS.has(key)) return;
  const remedy =
    key === UNSCHEDULABLE_TAINT ? 'Use kubernetes.node.cordon and kubernetes.node.uncordon.' : 'Mend the node instead.';
  say('TAINT_OF_CLUSTER', 'error', { key }, remedy);
}

function taintsOf(node: KubernetesObject): JsonObject[] {
  return rawObjects(node, 'spec', 'taints');
}

/** A taint is told from others by key and effect; of a key, the first where no effect is said. */
function findTaint(node: KubernetesObject, key: string, effect: string | undefined): JsonObject | undefined {
  return taintsOf(node).find((taint) => isTaint(taint, key, effect));
}

function isTaint(taint: JsonObject, key: string, effect: string | undefined): boolean {
  return rawText(taint, 'key') === key && (effect === undefined || rawText(taint, 'effect') === effect);
}

function isCordoned(node: KubernetesObject): boolean {
  return rawFlag(node, 'spec', 'unschedulable') === true;
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
