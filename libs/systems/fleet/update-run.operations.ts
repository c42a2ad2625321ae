import type { ArmReading } from '#libs/azure/arm.client.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json } from '#libs/kernel/json.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { armIdOf } from '../contract/arm-observation.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import type { FleetClient } from './fleet.client.js';
import {
  createRunInput,
  fleetOf,
  isAsWanted,
  newRunId,
  refuseContradictions,
  runBody,
  strategyIdOf,
  type CreateRunInput,
} from './update-run.input.js';
import {
  UPDATE_RUN_TIMEOUT_SECONDS,
  missingRun,
  reachedRun,
  runFollow,
  runStart,
  verifyStarted,
} from './update-run.follow.js';
import { fleetUpdateRunKind } from './update-run.kind.js';
import { createRunFindings, preflightCreateRun } from './update-run.preflight.js';
import { runSkip } from './update-run.skip.js';
import { describeStages } from './update-strategy.kind.js';
import { clusterOfMember } from './fleet-membership.js';

export function createUpdateRun(client: FleetClient): OperationDefinition<typeof createRunInput> {
  return {
    type: 'fleet.updateRun.create',
    title: 'Update the members of a fleet',
    description:
      'Creates an update run of Fleet Manager and starts it: Kubernetes versions and node images of the members, stage by stage. A cancellation ends the waiting for its end; the run itself goes on until it is stopped (fleet.updateRun.stop).',
    permission: 'fleets/updateRuns/write',
    input: createRunInput,
    references: { fleet: ['Fleet'], strategy: ['FleetUpdateStrategy'] },
    timeoutSeconds: UPDATE_RUN_TIMEOUT_SECONDS,
    findings: createRunFindings,
    target(input, references) {
      refuseContradictions(input, references);
      const id = newRunId(input, references);
      return { id: id.toString(), kind: fleetUpdateRunKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightCreateRun(client, context),
    plan: (context) => planRun(client, context),
    steps: [
      {
        name: 'create',
        description: 'Asks Fleet Manager for the run.',
        run: (context) => runCreate(client, context),
      },
      {
        name: 'skip',
        description: 'Leaves out what is to be skipped from the beginning.',
        run: async (context) =>
          context.input.skip === undefined
            ? { outcome: 'done', message: 'Nothing is to be skipped.' }
            : runSkip(client, newRunId(context.input, context.references), context.input.skip, context),
      },
      {
        name: 'start',
        description: 'Starts the run: one that is only created does nothing.',
        run: async (context) =>
          context.input.start
            ? runStart(client, newRunId(context.input, context.references), context)
            : { outcome: 'done', message: 'The run is not to be started.' },
      },
      {
        name: 'follow',
        description: 'Waits for the end of the run, if that was asked for.',
        run: (context) =>
          runFollow(client, newRunId(context.input, context.references), context.input.waitFor, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

function runCreate(client: FleetClient, context: StepContext<CreateRunInput>): Promise<StepOutcome> {
  const { input, references } = context;
  const id = newRunId(input, references);
  const strategy = strategyIdOf(input, references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Fleet Manager is recording the update run ${id.name}.`,
      read: () => client.get(id, context),
      judge: (reading) => judgeCreate(reading, context),
      write: (reading) =>
        reading.state === 'missing'
          ? client.create(id, runBody(input, strategy), context)
          : client.change(id, reading, (body) => Object.assign(body, runBody(input, strategy)), context),
    },
    context,
  );
}

function judgeCreate(reading: ArmReading, context: StepContext<CreateRunInput>): DesiredStateVerdict {
  const { input, references } = context;
  if (reading.state === 'missing') return { verdict: 'different' };
  const { name } = newRunId(input, references);
  if (!isAsWanted(reading.body, input, strategyIdOf(input, references))) {
    throw new ControlError('CONFLICT', `An update run ${name} is there that is not what was asked for.`, {
      remedy: 'Use another name, or delete that run first (fleet.updateRun.delete).',
    });
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `The update run ${name} is recorded.` };
    case 'moving':
      return { verdict: 'underway', message: `The record of the update run ${name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Recording ${name}`, reading.body) };
  }
}

async function verifyCreate(client: FleetClient, context: OperationContext<CreateRunInput>): Promise<Verification> {
  const id = newRunId(context.input, context.references);
  if (context.input.start) return verifyStarted(client, id, context.input.waitFor, context);
  const reading = await client.get(id, context);
  return reading.state === 'missing' ? missingRun(id) : reachedRun(id, reading);
}

/** Which members would be updated, in which order. */
async function planRun(client: FleetClient, context: OperationContext<CreateRunInput>): Promise<Json> {
  const { input, references } = context;
  const strategy = strategyIdOf(input, references);
  const reading = strategy === undefined ? undefined : await client.get(strategy, context);
  const followed = reading?.state === 'found' ? describeStages(rawObject(reading.body, 'properties') ?? {}) : undefined;
  const stages = input.stages ?? followed;
  const members: { name: string; group: string | null; cluster: string | null }[] = [];
  for await (const page of client.listMembers(fleetOf(references), context)) {
    for (const body of page.items) {
      const cluster = clusterOfMember(body);
      if (cluster?.canonicalType !== 'microsoft.containerservice/managedclusters') continue;
      members.push({
        name: armIdOf(body).name,
        group: rawText(body, 'properties', 'group'),
        cluster: cluster.toString(),
      });
    }
  }
  const { type, kubernetesVersion } = input.upgrade;
  return {
    upgrade: { type, ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }) },
    stages:
      stages === undefined
        ? [{ name: null, groups: [{ name: null, members }] }]
        : stages.map((stage) => ({
            name: stage.name,
            groups: stage.groups.map((group) => ({
              name: group.name,
              members: members.filter((member) => member.group === group.name),
            })),
          })),
  };
}
