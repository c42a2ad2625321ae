import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { type KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { isFleetHub, isHeldOnHub } from '#libs/kube/manifest/fleet-hub.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawInteger, rawObject, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterObject } from './cluster-object.js';
import { conditionsOf, findCondition, isDeleting, wordsOf } from './condition.properties.js';
import { referencedObject } from './kubernetes-reference.js';
import { podHealth } from './pod.health.js';
import { replicasOf, rolloutOf } from './workload.health.js';
import { workloadKind } from './workload.kind.js';

const MOST_REPLICAS = 10_000;
const PAUSE_SECONDS = 3;
/** Enough pods to find out why others like them do not run. */
const MOST_LOOKED_AT = 100;
const SCALE_STEP = 'scale';
const MARK_STEP = 'mark';
const NOT_WAITED_FOR = 'It was not to be waited for.';
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

const scaleInput = z.strictObject({
  workload: resourceReference('The Deployment or StatefulSet to scale'),
  replicas: z.int().min(0).max(MOST_REPLICAS).describe('The number of pods that the workload shall have.'),
  waitForAvailable: z
    .boolean()
    .default(true)
    .describe('Whether the operation ends only when so many pods are available, not when the number is set.'),
});
type ScaleInput = z.output<typeof scaleInput>;

/** What every change of a workload looks at first. */
export const commonFindings = {
  WORKLOAD_NOT_FOUND: 'The workload is not there.',
  WORKLOAD_DELETING: 'The workload is being deleted.',
  HELD_ON_HUB:
    'The hub only holds the workload: the members run what is placed on them, and nothing is waited for here.',
  ACCESS_DENIED: 'The cluster does not allow this to the identity of Pilothouse.',
} as const satisfies Record<string, string>;

const scaleFindings = {
  ...commonFindings,
  NOT_SCALABLE: 'The number of pods of a DaemonSet follows from the nodes: it cannot be set.',
  AUTOSCALED: 'An autoscaler decides the number of pods of this workload, and may set it back.',
  AUTOSCALING_UNKNOWN: 'It could not be read whether an autoscaler decides the number of pods.',
  ALREADY_AT_COUNT: 'The workload wants this number of pods already.',
} as const satisfies Record<string, string>;

export function scaleWorkload(kube: Kube): OperationDefinition<typeof scaleInput> {
  return {
    type: 'kubernetes.workload.scale',
    title: 'Scale a workload',
    description: 'Sets the number of pods of a Deployment or StatefulSet, and waits until they are available.',
    permission: 'kubernetes/workloads/write',
    input: scaleInput,
    references: { workload: [workloadKind.name] },
    timeoutSeconds: 3600,
    findings: scaleFindings,
    target: (_input, references) => targetOf(references),
    preflight: (context) => preflightScale(kube, context),
    async plan(context) {
      const object = await (await locate(kube, context)).read();
      const before = object === undefined ? null : rawInteger(object, 'spec', 'replicas');
      return planOf(context, '.spec.replicas', before, context.input.replicas);
    },
    steps: [
      {
        name: SCALE_STEP,
        description: 'Sets the number of pods.',
        run: (context) => runScale(kube, context),
      },
      {
        name: 'settle',
        description: 'Waits until so many pods are available.',
        run: (context) => runSettle(kube, context),
      },
    ],
    verify: (context) => verifyScale(kube, context),
  };
}

async function preflightScale(kube: Kube, context: OperationContext<ScaleInput>): Promise<Finding[]> {
  const { replicas } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(scaleFindings, findings);
  const located = await locate(kube, context);
  if (!located.resource.subresources.includes('scale')) {
    say('NOT_SCALABLE', 'error', { kind: located.id.kind });
    return findings;
  }
  const object = await located.read();
  if (object === undefined) {
    say('WORKLOAD_NOT_FOUND', 'error', { workload: located.id.canonical });
    return findings;
  }
  await judgeCommon(located, object, 'scale', context, say);
  await judgeAutoscaling(located, context, say);
  if (rawInteger(object, 'spec', 'replicas') === replicas) say('ALREADY_AT_COUNT', 'info', { replicas });
  return findings;
}

export async function judgeCommon(
  located: ClusterObject,
  object: KubernetesObject,
  subresource: string | undefined,
  call: KubeCall,
  say: FindingReporter<keyof typeof commonFindings>,
): Promise<void> {
  if (isDeleting(object)) {
    say('WORKLOAD_DELETING', 'error', { deletionTimestamp: rawText(object, 'metadata', 'deletionTimestamp') });
  }
  if (await isHeld(located, object, call)) {
    const remedy = 'The change reaches the members by the placement; look at the workload there.';
    say('HELD_ON_HUB', 'warning', { workload: located.id.canonical }, remedy);
  }
  const access = await located.allows('patch', subresource);
  if (!access.allowed) say('ACCESS_DENIED', 'error', access.evidence, 'Give the identity a role that allows it.');
}

async function judgeAutoscaling(
  located: ClusterObject,
  call: KubeCall,
  say: FindingReporter<keyof typeof scaleFindings>,
): Promise<void> {
  const { client, id } = located;
  const type = { group: 'autoscaling', kind: 'HorizontalPodAutoscaler' };
  const resource = await client.findResource(type, call);
  if (resource === undefined || id.namespace === undefined) return;
  try {
    for await (const page of client.list(resource, { namespace: id.namespace }, call)) {
      for (const scaler of page.items) {
        const scaled = rawObject(scaler, 'spec', 'scaleTargetRef');
        if (rawText(scaled, 'kind') !== id.kind || rawText(scaled, 'name') !== id.name) continue;
        const [minimum, maximum] = [
          rawInteger(scaler, 'spec', 'minReplicas'),
          rawInteger(scaler, 'spec', 'maxReplicas'),
        ];
        const remedy = 'Change the limits of the autoscaler instead.';
        say('AUTOSCALED', 'warning', { autoscaler: scaler.metadata.name, minimum, maximum }, remedy);
        return;
      }
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    say('AUTOSCALING_UNKNOWN', 'info', { code: error.code });
  }
}

async function runScale(kube: Kube, context: StepContext<ScaleInput>): Promise<StepOutcome> {
  const { replicas } = context.input;
  const located = await locate(kube, context);
  const object = await located.readPresent();
  if (rawInteger(object, 'spec', 'replicas') !== replicas) await located.merge({ spec: { replicas } }, 'scale');
  return { outcome: 'done', message: `${located.id.name} wants ${replicas} pods.` };
}

async function runSettle(kube: Kube, context: StepContext<ScaleInput>): Promise<StepOutcome> {
  const { replicas, waitForAvailable } = context.input;
  if (!waitForAvailable) return { outcome: 'done', message: NOT_WAITED_FOR };
  const located = await locate(kube, context);
  const object = await located.readPresent();
  expectReplicas(object, replicas, located.id);
  if (await isHeld(located, object, context)) return { outcome: 'done', message: commonFindings.HELD_ON_HUB };
  if (hasReplicas(object, replicas)) return { outcome: 'done', message: `${replicas} pods are available.` };
  return waitFor(await whatIsMissing(located, object, replicas, context));
}

/** @throws ControlError CONFLICT where somebody else has set another number meanwhile. */
function expectReplicas(object: KubernetesObject, replicas: number, id: KubernetesId): void {
  const wanted = rawInteger(object, 'spec', 'replicas');
  if (wanted === replicas) return;
  throw new ControlError('CONFLICT', `Somebody else has scaled ${id.name} to ${wanted} meanwhile.`, {
    remedy: 'Look for an autoscaler, or for another tool that keeps the number.',
  });
}

function hasReplicas(object: KubernetesObject, replicas: number): boolean {
  const { current, available } = replicasOf(object);
  return isTakenUp(object) && current === replicas && available === replicas;
}

/** Whether the controller speaks of the present specification. */
function isTakenUp(object: KubernetesObject): boolean {
  const { generation = 0 } = object.metadata;
  return (rawInteger(object, 'status', 'observedGeneration') ?? 0) >= generation;
}

async function verifyScale(kube: Kube, context: OperationContext<ScaleInput>): Promise<Verification> {
  const { replicas, waitForAvailable } = context.input;
  const located = await locate(kube, context);
  const object = await located.read();
  if (object === undefined) return { verdict: 'missed', message: `${located.id.name} is not there any more.` };
  const wanted = rawInteger(object, 'spec', 'replicas');
  if (wanted !== replicas) {
    return { verdict: 'missed', message: `${located.id.name} wants ${wanted} pods; ${replicas} were asked for.` };
  }
  const held = await isHeld(located, object, context);
  if (waitForAvailable && !held && !hasReplicas(object, replicas)) {
    const message = await whatIsMissing(located, object, replicas, context);
    return { verdict: 'pending', message, retryAfterSeconds: PAUSE_SECONDS };
  }
  const { available } = replicasOf(object);
  const result = { workload: located.id.canonical, replicas, availableReplicas: available, heldOnHub: held };
  return { verdict: 'reached', result, observations: [], absent: [] };
}

const restartInput = z.strictObject({
  workload: resourceReference('The Deployment, StatefulSet or DaemonSet to restart'),
  waitForAvailable: z
    .boolean()
    .default(true)
    .describe('Whether the operation ends only when all pods are replaced and available, not when it is asked for.'),
});
type RestartInput = z.output<typeof restartInput>;

const restartFindings = {
  ...commonFindings,
  ROLLOUT_PAUSED: 'The rollouts of the workload are paused: its pods would not be replaced.',
  REPLACED_ON_DELETE_ONLY: 'The workload replaces its pods only when they are deleted (OnDelete).',
  NOTHING_RUNS: 'The workload is scaled to zero: there is nothing to restart.',
} as const satisfies Record<string, string>;

/** When the restart was asked for: fixed, so that the step that is run again does not restart again. */
const markOutput = z.object({ restartedAt: z.iso.datetime() });

export function restartWorkload(kube: Kube): OperationDefinition<typeof restartInput> {
  return {
    type: 'kubernetes.workload.restart',
    title: 'Restart a workload',
    description:
      'Replaces the pods of a workload one after the other, as its rollouts do, and waits until they run unless it is told not to.',
    permission: 'kubernetes/workloads/write',
    input: restartInput,
    references: { workload: [workloadKind.name] },
    timeoutSeconds: 3600,
    findings: restartFindings,
    target: (_input, references) => targetOf(references),
    preflight: (context) => preflightRestart(kube, context),
    async plan(context) {
      const object = await (await locate(kube, context)).read();
      const before = object === undefined ? null : restartedAtOf(object);
      return planOf(
        context,
        `.spec.template.metadata.annotations["${RESTARTED_AT}"]`,
        before,
        'the time of the restart',
      );
    },
    steps: [
      {
        name: MARK_STEP,
        description: 'Fixes the time of the restart, so that there is only one.',
        run: () => {
          const restartedAt = new Date().toISOString();
          return Promise.resolve({
            outcome: 'done',
            message: `The restart of ${restartedAt}.`,
            output: { restartedAt },
          });
        },
      },
      {
        name: 'restart',
        description: 'Puts the time into the template of the pods.',
        run: (context) => runRestart(kube, context),
      },
      {
        name: 'settle',
        description: 'Waits until all pods are replaced and available.',
        run: (context) => runRollout(kube, context),
      },
    ],
    verify: (context) => verifyRestart(kube, context),
  };
}

async function preflightRestart(kube: Kube, context: OperationContext<RestartInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(restartFindings, findings);
  const located = await locate(kube, context);
  const object = await located.read();
  if (object === undefined) {
    say('WORKLOAD_NOT_FOUND', 'error', { workload: located.id.canonical });
    return findings;
  }
  await judgeCommon(located, object, undefined, context, say);
  const { paused, strategy } = workloadKind.describe(object);
  if (paused) say('ROLLOUT_PAUSED', 'error', { paused: true }, 'Let its rollouts go on first (spec.paused).');
  if (strategy === 'OnDelete') {
    say(
      'REPLACED_ON_DELETE_ONLY',
      'error',
      { strategy },
      'Delete its pods (kubernetes.object.delete), or change the strategy.',
    );
  }
  if (rawInteger(object, 'spec', 'replicas') === 0) say('NOTHING_RUNS', 'info', { replicas: 0 });
  return findings;
}

async function runRestart(kube: Kube, context: StepContext<RestartInput>): Promise<StepOutcome> {
  const { restartedAt } = markOutput.parse(context.outputs[MARK_STEP]);
  const located = await locate(kube, context);
  const object = await located.readPresent();
  if (!isRestarted(object, restartedAt)) {
    await located.merge({ spec: { template: { metadata: { annotations: { [RESTARTED_AT]: restartedAt } } } } });
  }
  return { outcome: 'done', message: 'The template of the pods is changed.' };
}

/** A later restart by somebody else replaces the pods that this one is to replace too. */
function isRestarted(object: KubernetesObject, restartedAt: string): boolean {
  return Date.parse(restartedAtOf(object) ?? '') >= Date.parse(restartedAt);
}

function restartedAtOf(object: JsonObject): string | null {
  return rawText(object, 'spec', 'template', 'metadata', 'annotations', RESTARTED_AT);
}

export async function runRollout(
  kube: Kube,
  context: StepContext<{ waitForAvailable: boolean }>,
): Promise<StepOutcome> {
  if (!context.input.waitForAvailable) return { outcome: 'done', message: NOT_WAITED_FOR };
  const located = await locate(kube, context);
  const object = await located.readPresent();
  if (await isHeld(located, object, context)) return { outcome: 'done', message: commonFindings.HELD_ON_HUB };
  const missing = missingOfRollout(object);
  if (missing === null) return { outcome: 'done', message: 'All pods are replaced and available.' };
  const progress = findCondition(conditionsOf(object), 'Progressing');
  if (isTakenUp(object) && progress?.status === 'False' && progress.reason === 'ProgressDeadlineExceeded') {
    const why = await whyPodsDoNotRun(located, object, context);
    throw new ControlError('VERIFICATION_FAILED', [wordsOf(progress), why].filter(Boolean).join(' '), {
      externalCode: 'ProgressDeadlineExceeded',
      remedy: 'The old pods go on as far as the strategy allows. Mend what keeps the new ones from running.',
    });
  }
  const why = await whyPodsDoNotRun(located, object, context);
  return waitFor([missing, why].filter(Boolean).join(' '));
}

/** What is still to be done until every pod is new and available; null when nothing is. */
export function missingOfRollout(object: KubernetesObject): string | null {
  if (!isTakenUp(object)) return 'Its controller has not taken up the change yet.';
  const rollout = rolloutOf(object);
  const { desired, available } = replicasOf(object);
  if (rollout.state !== 'Complete') return rollout.reason ?? 'The rollout goes on.';
  return available < (desired ?? 0) ? `${available} of ${desired} pods are available.` : null;
}

async function verifyRestart(kube: Kube, context: OperationContext<RestartInput>): Promise<Verification> {
  const { restartedAt } = markOutput.parse(context.outputs[MARK_STEP]);
  const located = await locate(kube, context);
  const object = await located.read();
  if (object === undefined) return { verdict: 'missed', message: `${located.id.name} is not there any more.` };
  if (!isRestarted(object, restartedAt)) {
    return { verdict: 'missed', message: `Somebody else has put the template of ${located.id.name} back.` };
  }
  const held = await isHeld(located, object, context);
  const missing = held || !context.input.waitForAvailable ? null : missingOfRollout(object);
  if (missing !== null) return { verdict: 'pending', message: missing, retryAfterSeconds: PAUSE_SECONDS };
  const { available } = replicasOf(object);
  const result = { workload: located.id.canonical, restartedAt, availableReplicas: available, heldOnHub: held };
  return { verdict: 'reached', result, observations: [], absent: [] };
}

export async function isHeld(located: ClusterObject, object: KubernetesObject, call: KubeCall): Promise<boolean> {
  const isHub = await isFleetHub(located.client, call);
  return isHub && isHeldOnHub(object, located.id.namespace ?? '');
}

async function whatIsMissing(
  located: ClusterObject,
  object: KubernetesObject,
  replicas: number,
  call: KubeCall,
): Promise<string> {
  if (!isTakenUp(object)) return 'Its controller has not taken up the change yet.';
  const { current, available } = replicasOf(object);
  const counts =
    current > replicas ? `${current - replicas} pods are to go.` : `${available} of ${replicas} pods are available.`;
  const why = current > replicas ? undefined : await whyPodsDoNotRun(located, object, call);
  return [counts, why].filter(Boolean).join(' ');
}

/** What keeps pods from being made (a quota), or one of them from running (no place, no image); undefined where nothing says so. */
async function whyPodsDoNotRun(
  { client, id }: ClusterObject,
  object: KubernetesObject,
  call: KubeCall,
): Promise<string | undefined> {
  const failure = findCondition(conditionsOf(object), 'ReplicaFailure');
  if (failure?.status === 'True') return wordsOf(failure) ?? undefined;
  const { selector, selectorExpressions } = workloadKind.describe(object);
  const labelSelector = [...Object.entries(selector).map(([key, value]) => `${key}=${value}`), ...selectorExpressions];
  const resource = await client.findResource({ group: '', kind: 'Pod' }, call);
  if (resource === undefined || labelSelector.length === 0 || id.namespace === undefined) return undefined;
  const options = { namespace: id.namespace, labelSelector: labelSelector.join(','), limit: MOST_LOOKED_AT };
  try {
    for await (const { items } of client.list(resource, options, call)) {
      const troubled = items.find((pod) => podHealth(pod).state === 'Degraded');
      return troubled === undefined ? undefined : `${troubled.metadata.name}: ${podHealth(troubled).reason}`;
    }
  } catch (error) {
    // Without the right to see pods, it is only the reason that stays unknown.
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
  }
  return undefined;
}

function waitFor(message: string): StepOutcome {
  return { outcome: 'wait', message, retryAfterSeconds: PAUSE_SECONDS };
}

function planOf(context: Pick<OperationContext<unknown>, 'references'>, path: string, before: Json, after: Json): Json {
  const id = workloadIdOf(context.references);
  const difference = before === after ? [] : [{ path, before, after }];
  return { workload: id.canonical, difference };
}

export function locate(
  kube: Kube,
  context: Pick<OperationContext<unknown>, 'references'> & KubeCall,
): Promise<ClusterObject> {
  return ClusterObject.locate(kube, workloadIdOf(context.references), context);
}

export function targetOf(references: Readonly<Record<string, ResourceTarget>>) {
  const { canonical } = workloadIdOf(references);
  return { id: canonical, kind: workloadKind.name, lock: canonical };
}

function workloadIdOf(references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  return referencedObject(references, 'workload', workloadKind.name);
}
