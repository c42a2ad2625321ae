import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { armIdOf } from '../contract/arm-observation.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import {
  FLEET_AUTO_UPGRADE_PROFILE_TYPE,
  fleetAutoUpgradeProfileKind,
  observeFleetAutoUpgradeProfile,
} from './auto-upgrade-profile.kind.js';
import type { FleetClient } from './fleet.client.js';
import { FLEET_TYPE } from './fleet.kinds.js';
import { missingRun, reachedRun } from './update-run.follow.js';
import { FLEET_UPDATE_RUN_TYPE, updateRunOf } from './update-run.kind.js';
import { fleetChildName, refuseViolations, requireSameFleet } from './update-strategy.input.js';
import { FLEET_UPDATE_STRATEGY_TYPE } from './update-strategy.kind.js';

const applyInput = z.strictObject({
  fleet: resourceReference('The fleet of the profile'),
  name: fleetChildName.describe('The name of the profile: 1 to 50 lower-case letters, digits and hyphens.'),
  channel: z
    .enum(['Stable', 'Rapid', 'NodeImage', 'TargetKubernetesVersion'])
    .describe(
      'What is followed: the newest Kubernetes version, the minor version before it, node images, or the patches of one minor version.',
    ),
  targetKubernetesVersion: z
    .string()
    .regex(/^\d+\.\d+$/, 'must be a minor version such as `1.33`')
    .optional()
    .describe('The minor version of the channel `TargetKubernetesVersion`, such as `1.33`; for this channel only.'),
  longTermSupport: z
    .boolean()
    .optional()
    .describe('Whether a minor version with long-term support only is followed; for `TargetKubernetesVersion` only.'),
  nodeImageSelection: z.enum(['Latest', 'Consistent']).optional().describe('How node images are chosen.'),
  strategy: resourceReference('The update strategy that its update runs follow; one by one where absent').optional(),
  disabled: z.boolean().optional().describe('Whether the profile is switched off; it is on where absent.'),
});
type ApplyInput = z.output<typeof applyInput>;

const applyFindings = {
  FLEET_NOT_FOUND: 'Azure does not know the fleet.',
  STRATEGY_NOT_FOUND: 'Azure does not know the update strategy.',
  PROFILE_EXISTS: 'The profile is there already as it was asked for.',
  PROFILE_CHANGES: 'The profile is there and is changed.',
  LAST_TRIGGER_FAILED: 'The last time that the profile should have made an update run, it could not.',
  STARTS_BY_ITSELF:
    'Its update runs start by themselves whenever a version comes out, which may be days or weeks from now.',
} as const satisfies Record<string, string>;

export function applyAutoUpgradeProfile(client: FleetClient): OperationDefinition<typeof applyInput> {
  return {
    type: 'fleet.autoUpgradeProfile.apply',
    title: 'Create or change an auto-upgrade profile',
    description:
      'Lets Fleet Manager update the members of a fleet by itself whenever new versions come out, or changes how.',
    permission: 'fleets/autoUpgradeProfiles/write',
    input: applyInput,
    references: { fleet: ['Fleet'], strategy: ['FleetUpdateStrategy'] },
    timeoutSeconds: 3600,
    findings: applyFindings,
    target(input, references) {
      refuseContradictions(input, references);
      const id = newProfileId(input, references);
      return { id: id.toString(), kind: fleetAutoUpgradeProfileKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightApply(client, context),
    steps: [
      {
        name: 'apply',
        description: 'Asks Fleet Manager for the profile.',
        run: (context) => runApply(client, context),
      },
    ],
    async verify(context) {
      const id = newProfileId(context.input, context.references);
      const reading = await client.get(id, context);
      if (reading.state === 'missing') return { verdict: 'missed', message: `The profile ${id.name} is not there.` };
      const verdict = judgeApply(context, reading);
      if (verdict.verdict === 'underway') {
        return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
      }
      if (verdict.verdict !== 'reached') {
        return { verdict: 'missed', message: `The profile ${id.name} is not as it was asked for.` };
      }
      const { observedAt } = reading;
      return {
        verdict: 'reached',
        result: { profile: id.toString(), uid: id.uid, name: id.name },
        observations: [observeFleetAutoUpgradeProfile(reading.body, { observedAt, source: 'OPERATION' })],
        absent: [],
      };
    },
  };
}

function refuseContradictions(input: ApplyInput, references: Readonly<Record<string, ResourceTarget>>): void {
  const violations: Violation[] = [];
  const followsMinor = input.channel === 'TargetKubernetesVersion';
  if (followsMinor !== (input.targetKubernetesVersion !== undefined)) {
    const message = 'is needed for the channel TargetKubernetesVersion, and for no other';
    violations.push({ path: 'targetKubernetesVersion', message });
  }
  if (!followsMinor && input.longTermSupport === true) {
    violations.push({ path: 'longTermSupport', message: 'is for the channel TargetKubernetesVersion only' });
  }
  refuseViolations(violations);
  const fleet = referencedArmId(references, 'fleet', FLEET_TYPE);
  const strategy = strategyIdOf(input, references);
  if (strategy !== undefined) requireSameFleet('strategy', strategy, fleet);
}

async function preflightApply(client: FleetClient, context: OperationContext<ApplyInput>): Promise<Finding[]> {
  const { input, references } = context;
  const fleet = referencedArmId(references, 'fleet', FLEET_TYPE);
  const findings: Finding[] = [];
  const say = findingReporter(applyFindings, findings);
  if ((await client.getFleet(fleet, context)).state === 'missing') {
    say('FLEET_NOT_FOUND', 'error', { fleet: fleet.toString() });
    return findings;
  }
  const strategy = strategyIdOf(input, references);
  if (strategy !== undefined && (await client.get(strategy, context)).state === 'missing') {
    say('STRATEGY_NOT_FOUND', 'error', { strategy: strategy.toString() });
  }
  const id = newProfileId(input, references);
  const existing = await client.get(id, context);
  if (existing.state === 'found') {
    const profile = fleetAutoUpgradeProfileKind.describe(rawObject(existing.body, 'properties') ?? {});
    say(isAsWanted(existing.body, context) ? 'PROFILE_EXISTS' : 'PROFILE_CHANGES', 'info', { profile: id.toString() });
    if (profile.lastTriggerError !== null && profile.lastTriggerStatus === 'Failed') {
      say('LAST_TRIGGER_FAILED', 'warning', { error: profile.lastTriggerError });
    }
  }
  if (input.disabled !== true) say('STARTS_BY_ITSELF', 'info', { channel: input.channel });
  return findings;
}

function runApply(client: FleetClient, context: StepContext<ApplyInput>): Promise<StepOutcome> {
  const id = newProfileId(context.input, context.references);
  const properties = profileProperties(context);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Fleet Manager is recording the auto-upgrade profile ${id.name}.`,
      read: () => client.get(id, context),
      judge: (reading) => judgeApply(context, reading),
      write: (reading) =>
        reading.state === 'missing'
          ? client.create(id, { properties }, context)
          : client.change(id, reading, (body) => replaced(memberObject(body, 'properties'), properties), context),
    },
    context,
  );
}

/** What was not asked for is taken away; what we do not know of stays. */
function replaced(present: JsonObject, wanted: JsonObject): void {
  const ours = [
    'channel',
    'targetKubernetesVersion',
    'longTermSupport',
    'nodeImageSelection',
    'updateStrategyId',
    'disabled',
  ];
  for (const name of ours) {
    const value = wanted[name];
    if (value === undefined) Reflect.deleteProperty(present, name);
    else present[name] = value;
  }
}

function judgeApply(context: OperationContext<ApplyInput>, reading: ArmReading): DesiredStateVerdict {
  const { name } = newProfileId(context.input, context.references);
  if (reading.state === 'missing') return { verdict: 'different' };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  const isSame = isAsWanted(reading.body, context);
  switch (provisioningPhase(state)) {
    case 'moving':
      return isSame
        ? { verdict: 'underway', message: `The profile ${name} is ${state}.` }
        : { verdict: 'busy', message: `The profile ${name} is being changed by someone else (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Recording ${name}`, reading.body) };
    case 'succeeded':
    case 'unknown':
      return isSame ? { verdict: 'reached', message: `The profile ${name} is there.` } : { verdict: 'different' };
  }
}

function isAsWanted(body: JsonObject, { input, references }: OperationContext<ApplyInput>): boolean {
  const profile = fleetAutoUpgradeProfileKind.describe(rawObject(body, 'properties') ?? {});
  return (
    profile.channel === input.channel &&
    (profile.targetKubernetesVersion ?? undefined) === input.targetKubernetesVersion &&
    profile.longTermSupport === (input.longTermSupport ?? false) &&
    profile.disabled === (input.disabled ?? false) &&
    (input.nodeImageSelection === undefined || profile.nodeImageSelection === input.nodeImageSelection) &&
    (profile.updateStrategyId ?? undefined)?.toLowerCase() === strategyIdOf(input, references)?.canonical
  );
}

function profileProperties({ input, references }: OperationContext<ApplyInput>): JsonObject {
  const strategy = strategyIdOf(input, references);
  return {
    channel: input.channel,
    ...(input.targetKubernetesVersion === undefined ? {} : { targetKubernetesVersion: input.targetKubernetesVersion }),
    ...(input.longTermSupport === undefined ? {} : { longTermSupport: input.longTermSupport }),
    ...(input.nodeImageSelection === undefined ? {} : { nodeImageSelection: { type: input.nodeImageSelection } }),
    ...(strategy === undefined ? {} : { updateStrategyId: strategy.toString() }),
    disabled: input.disabled ?? false,
  };
}

function newProfileId(input: ApplyInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'fleet', FLEET_TYPE).child('autoUpgradeProfiles', input.name);
}

function strategyIdOf(input: ApplyInput, references: Readonly<Record<string, ResourceTarget>>): ArmId | undefined {
  return input.strategy === undefined ? undefined : referencedArmId(references, 'strategy', FLEET_UPDATE_STRATEGY_TYPE);
}

const deleteInput = z.strictObject({ profile: resourceReference('The auto-upgrade profile to delete') });

const deleteFindings = {
  PROFILE_NOT_FOUND: 'The profile is gone already.',
} as const satisfies Record<string, string>;

export function deleteAutoUpgradeProfile(client: FleetClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'fleet.autoUpgradeProfile.delete',
    title: 'Delete an auto-upgrade profile',
    description: 'Deletes an auto-upgrade profile. Update runs that it has made stay, and go on.',
    permission: 'fleets/autoUpgradeProfiles/delete',
    input: deleteInput,
    references: { profile: [fleetAutoUpgradeProfileKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target: (_input, references) => profileTarget(references),
    async preflight(context) {
      const id = profileIdOf(context.references);
      const findings: Finding[] = [];
      const say = findingReporter(deleteFindings, findings);
      if ((await client.get(id, context)).state === 'missing')
        say('PROFILE_NOT_FOUND', 'info', { profile: id.toString() });
      return findings;
    },
    steps: [
      {
        name: 'delete',
        description: 'Asks Fleet Manager to delete the profile and waits until it is gone.',
        run(context) {
          const id = profileIdOf(context.references);
          const wanted = {
            working: `Fleet Manager is deleting the auto-upgrade profile ${id.name}.`,
            read: () => client.get(id, context),
            judge: (reading: ArmReading) => judgeRemoval(`The profile ${id.name}`, reading, failedOperationError),
            write: () => client.delete(id, context),
          };
          return reachDesiredState(client.arm, context.resumeToken, wanted, context);
        },
      },
    ],
    async verify(context) {
      const id = profileIdOf(context.references);
      const reading = await client.get(id, context);
      return verifyRemoval(`The profile ${id.name}`, reading, context.target, client.arm.pollIntervalSeconds);
    },
  };
}

const generateInput = z.strictObject({
  profile: resourceReference('The auto-upgrade profile to make an update run from'),
});

const generateFindings = {
  PROFILE_NOT_FOUND: 'Azure does not know the auto-upgrade profile.',
  RUNS_OF_PROFILE:
    'The profile has made update runs before: where nothing newer has come out, the last one is given again.',
  RUN_NOT_STARTED: 'The update run is made and not started: fleet.updateRun.start does that.',
} as const satisfies Record<string, string>;

export function generateUpdateRun(client: FleetClient): OperationDefinition<typeof generateInput> {
  return {
    type: 'fleet.autoUpgradeProfile.generateUpdateRun',
    title: 'Make an update run from an auto-upgrade profile',
    description:
      'Makes the update run that an auto-upgrade profile would make today, and leaves it to be looked at and started. A run that is there for these versions is given as it is.',
    permission: 'fleets/autoUpgradeProfiles/generateUpdateRun',
    input: generateInput,
    references: { profile: [fleetAutoUpgradeProfileKind.name] },
    timeoutSeconds: 3600,
    findings: generateFindings,
    target: (_input, references) => profileTarget(references),
    async preflight(context) {
      const id = profileIdOf(context.references);
      const findings: Finding[] = [];
      const say = findingReporter(generateFindings, findings);
      if ((await client.get(id, context)).state === 'missing') {
        say('PROFILE_NOT_FOUND', 'error', { profile: id.toString() });
        return findings;
      }
      const runs = await runsOf(client, id, context);
      if (runs.length > 0) say('RUNS_OF_PROFILE', 'info', { updateRuns: runs.map((run) => run.toString()) });
      say('RUN_NOT_STARTED', 'info', { profile: id.toString() });
      return findings;
    },
    steps: [
      {
        name: 'generate',
        description: 'Asks Fleet Manager for the run.',
        run: (context) => runGenerate(client, profileIdOf(context.references), context),
      },
    ],
    verify: (context) => verifyGenerated(client, context),
  };
}

/** Asking twice makes nothing twice: the same versions give the same run. */
async function runGenerate(client: FleetClient, id: ArmId, context: StepContext<unknown>): Promise<StepOutcome> {
  if (context.resumeToken === undefined) {
    const answer = await client.act(id, 'generateUpdateRun', undefined, context);
    if (answer.poll === undefined) return generated(client, id, answer.body, context);
    const message = `Fleet Manager is making an update run from ${id.name}.`;
    return { outcome: 'wait', message, retryAfterSeconds: answer.retryAfterSeconds, resumeToken: answer.poll };
  }
  const answer = await client.arm.poll(context.resumeToken, context);
  switch (answer.state) {
    case 'running': {
      const message = `Fleet Manager is making an update run from ${id.name}.`;
      return {
        outcome: 'wait',
        message,
        retryAfterSeconds: answer.retryAfterSeconds,
        resumeToken: context.resumeToken,
      };
    }
    case 'failed':
      throw answer.error;
    case 'canceled':
      throw new ControlError('AZURE_OPERATION_FAILED', 'The making of the update run was canceled in Azure.', {
        externalCode: 'OperationCanceled',
      });
    case 'succeeded':
      return generated(client, id, answer.body, context);
    case 'lost':
      return generated(client, id, null, context);
  }
}

/** Azure names the run in its answer; where the answer is lost, the newest run of the profile is the one. */
async function generated(
  client: FleetClient,
  profile: ArmId,
  answer: JsonObject | null,
  context: StepContext<unknown>,
): Promise<StepOutcome> {
  const named = ArmId.tryParse(rawText(answer ?? {}, 'id') ?? rawText(answer ?? {}, 'properties', 'id') ?? '');
  const isRun = named?.canonicalType === FLEET_UPDATE_RUN_TYPE.toLowerCase();
  const run = isRun ? named : (await runsOf(client, profile, context)).at(-1);
  if (run === undefined) {
    throw new ControlError('AZURE_UNEXPECTED_ANSWER', `Azure made no update run from the profile ${profile.name}.`);
  }
  return { outcome: 'done', message: `The update run is ${run.name}.`, output: { updateRun: run.toString() } };
}

async function verifyGenerated(client: FleetClient, context: OperationContext<unknown>): Promise<Verification> {
  const output: Json | undefined = context.outputs.generate;
  const id = ArmId.tryParse(isJsonObject(output) ? (rawText(output, 'updateRun') ?? '') : '');
  if (id === undefined) return { verdict: 'missed', message: 'It is not known which update run was made.' };
  const reading = await client.get(id, context);
  return reading.state === 'missing' ? missingRun(id) : reachedRun(id, reading);
}

/** The update runs that a profile has made, oldest first. */
async function runsOf(client: FleetClient, profile: ArmId, context: OperationContext<unknown>): Promise<ArmId[]> {
  const runs: { id: ArmId; createdAt: string }[] = [];
  if (profile.parent === undefined) return [];
  for await (const page of client.listChildren(profile.parent, FLEET_UPDATE_RUN_TYPE, context)) {
    for (const body of page.items) {
      if (updateRunOf(body).autoUpgradeProfileId?.toLowerCase() !== profile.canonical) continue;
      runs.push({ id: armIdOf(body), createdAt: rawText(body, 'systemData', 'createdAt') ?? '' });
    }
  }
  return runs.sort((left, right) => (left.createdAt < right.createdAt ? -1 : 1)).map(({ id }) => id);
}

function profileIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'profile', FLEET_AUTO_UPGRADE_PROFILE_TYPE);
}

function profileTarget(references: Readonly<Record<string, ResourceTarget>>) {
  const id = profileIdOf(references);
  return { id: id.toString(), kind: fleetAutoUpgradeProfileKind.name, lock: id.canonical };
}
