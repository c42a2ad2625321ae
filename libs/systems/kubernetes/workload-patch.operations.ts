import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import { canonicalHash } from '#libs/kernel/canonical-json.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { Kube } from '#libs/kube/kube.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { replicasOf } from './workload.health.js';
import { workloadKind } from './workload.kind.js';
import {
  commonFindings,
  isHeld,
  judgeCommon,
  locate,
  missingOfRollout,
  runRollout,
  targetOf,
} from './workload.operations.js';

const LONGEST_PATCH = 64_000;
const PAUSE_SECONDS = 3;

const patchInput = z.strictObject({
  workload: resourceReference('The Deployment, StatefulSet or DaemonSet to change'),
  patch: z
    .string()
    .max(LONGEST_PATCH)
    .refine((text) => templatePatchOf(text) !== undefined, 'must be a JSON object that changes spec.template alone')
    .describe(
      'A JSON merge patch (RFC 7396), as text, of `spec.template`: what is null is taken away, lists are replaced as a whole. Such as `{"spec":{"template":{"spec":{"nodeSelector":{"type":"virtual-kubelet"}}}}}`.',
    ),
  mergeContainers: z
    .boolean()
    .default(false)
    .describe(
      'Whether the containers of the patch are merged, one by one, into those of the same names, in place of the whole list. What the patch does not name of them stays.',
    ),
  waitForAvailable: z
    .boolean()
    .default(true)
    .describe('Whether the operation ends only when all pods are replaced and available, not when it is asked for.'),
});
type PatchInput = z.output<typeof patchInput>;

const patchFindings = {
  ...commonFindings,
  NOTHING_TO_CHANGE: 'The template of the workload is so already.',
  PATCH_REFUSED: 'The cluster would refuse the change.',
  PODS_ARE_REPLACED: 'The pods of the workload are replaced, one after the other.',
} as const satisfies Record<string, string>;

/** Changes what pods a workload makes: their place, tolerations, images, secrets. */
export function patchWorkload(kube: Kube): OperationDefinition<typeof patchInput> {
  return {
    type: 'kubernetes.workload.patch',
    title: 'Patch the pod template of a workload',
    description:
      'Merges a patch into the pod template of a workload and waits until its pods are replaced, unless it is told not to. Leaves all else as it is.',
    permission: 'kubernetes/workloads/write',
    input: patchInput,
    references: { workload: [workloadKind.name] },
    timeoutSeconds: 3600,
    findings: patchFindings,
    target: (_input, references) => targetOf(references),
    preflight: (context) => preflightPatch(kube, context),
    async plan(context) {
      const located = await locate(kube, context);
      const object = await located.read();
      const before: Json = object === undefined ? null : memberAt(object, ['spec', 'template', 'spec']);
      const after: Json =
        object === undefined
          ? null
          : memberAt(merged(object, patchOf(context.input, object)), ['spec', 'template', 'spec']);
      const difference = same(before, after) ? [] : [{ path: '.spec.template.spec', before, after }];
      return { workload: located.id.canonical, difference };
    },
    steps: [
      {
        name: 'patch',
        description: 'Merges the patch into the template of the pods.',
        run: (context) => runPatch(kube, context),
      },
      {
        name: 'settle',
        description: 'Waits until all pods are replaced and available.',
        run: (context) => runRollout(kube, context),
      },
    ],
    verify: (context) => verifyPatch(kube, context),
  };
}

async function preflightPatch(kube: Kube, context: OperationContext<PatchInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(patchFindings, findings);
  const located = await locate(kube, context);
  const object = await located.read();
  if (object === undefined) {
    say('WORKLOAD_NOT_FOUND', 'error', { workload: located.id.canonical });
    return findings;
  }
  await judgeCommon(located, object, undefined, context, say);
  if (findings.some(({ severity }) => severity === 'error')) return findings;
  const patch = patchOf(context.input, object);
  if (isSo(object, patch)) {
    say('NOTHING_TO_CHANGE', 'info', { workload: located.id.canonical });
    return findings;
  }
  try {
    const { client, resource, id } = located;
    await client.patch(resource, id.namespace, id.name, { type: 'merge', patch }, { dryRun: true }, context);
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
    say('PATCH_REFUSED', 'error', { reason: error.externalCode ?? error.code, message: error.message });
    return findings;
  }
  const { desired } = replicasOf(object);
  say('PODS_ARE_REPLACED', 'warning', { replicas: desired ?? null });
  return findings;
}

async function runPatch(kube: Kube, context: StepContext<PatchInput>): Promise<StepOutcome> {
  const located = await locate(kube, context);
  const made = await located.change((object) => {
    const patch = patchOf(context.input, object);
    return isSo(object, patch) ? undefined : patch;
  });
  switch (made.change) {
    case 'made':
      return { outcome: 'done', message: 'The template of the pods is changed.' };
    case 'none':
      return { outcome: 'done', message: 'The template of the pods is so.' };
    case 'busy':
      return {
        outcome: 'blocked',
        message: 'Others keep changing the workload faster.',
        retryAfterSeconds: PAUSE_SECONDS,
      };
  }
}

async function verifyPatch(kube: Kube, context: OperationContext<PatchInput>): Promise<Verification> {
  const located = await locate(kube, context);
  const object = await located.read();
  if (object === undefined) return { verdict: 'missed', message: `${located.id.name} is not there any more.` };
  if (!isSo(object, patchOf(context.input, object))) {
    return { verdict: 'missed', message: `Somebody else has put the template of ${located.id.name} back.` };
  }
  const held = await isHeld(located, object, context);
  const missing = held || !context.input.waitForAvailable ? null : missingOfRollout(object);
  if (missing !== null) return { verdict: 'pending', message: missing, retryAfterSeconds: PAUSE_SECONDS };
  const { available } = replicasOf(object);
  const result = {
    workload: located.id.canonical,
    resourceVersion: rawText(object, 'metadata', 'resourceVersion'),
    availableReplicas: available,
    heldOnHub: held,
  };
  return { verdict: 'reached', result, observations: [], absent: [] };
}

/** What is to be merged into the object as it is. */
function patchOf(input: PatchInput, object: JsonObject): JsonObject {
  const patch = templatePatchOf(input.patch);
  if (patch === undefined) throw new ControlError('INVALID_REQUEST', 'The patch does not change spec.template alone.');
  return input.mergeContainers ? withWholeContainers(patch, object) : patch;
}

/** The patch with the whole lists of containers in it, as a merge patch needs them. */
function withWholeContainers(patch: JsonObject, object: JsonObject): JsonObject {
  const podSpec = rawObject(patch, 'spec', 'template', 'spec');
  if (podSpec === null) return patch;
  const lists = Object.fromEntries(
    ['containers', 'initContainers']
      .filter((member) => Array.isArray(podSpec[member]))
      .map((member) => [
        member,
        mergedByName(rawObjects(object, 'spec', 'template', 'spec', member), rawObjects(podSpec, member)),
      ]),
  );
  return merged(patch, { spec: { template: { spec: lists } } });
}

/** One of a name that is not there comes last. */
function mergedByName(present: readonly JsonObject[], changes: readonly JsonObject[]): JsonObject[] {
  const names = present.map((each) => rawText(each, 'name'));
  return [
    ...present.map((each, index) =>
      changes
        .filter((change) => rawText(change, 'name') === names[index])
        .reduce((container, change) => merged(container, change), each),
    ),
    ...changes.filter((change) => !names.includes(rawText(change, 'name'))),
  ];
}

/** The patch, where it is one of `spec.template` and of nothing else. */
function templatePatchOf(text: string): JsonObject | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (Error.isError(error) && error.name === 'SyntaxError') return undefined;
    throw error;
  }
  const spec = onlyMember(parsed, 'spec');
  const template = onlyMember(spec, 'template');
  return isJsonObject(parsed) && isJsonObject(template) ? parsed : undefined;
}

function onlyMember(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.keys(value).length === 1 ? value[name] : undefined;
}

/** Whether merging the patch would change nothing. */
function isSo(object: JsonObject, patch: JsonObject): boolean {
  return same(merged(object, patch), object);
}

function same(left: Json, right: Json): boolean {
  return canonicalHash(left) === canonicalHash(right);
}

/** RFC 7396. */
function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const present = result[name];
    if (value === null) Reflect.deleteProperty(result, name);
    else if (isJsonObject(value)) {
      const inner = merged(isJsonObject(present) ? present : {}, value);
      // An object that would only lose members does not come into being by that.
      if (present !== undefined || Object.keys(inner).length > 0) result[name] = inner;
    } else result[name] = value;
  }
  return result;
}

function memberAt(object: JsonObject, path: readonly string[]): Json {
  let current: Json | undefined = object;
  for (const name of path) current = isJsonObject(current) ? current[name] : undefined;
  return current ?? null;
}
