import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { OperationContext, OperationDefinition } from '../contract/operation-definition.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { FleetClient } from './fleet.client.js';
import {
  UPDATE_RUN_TIMEOUT_SECONDS,
  abortFollow,
  existingRun,
  missingRun,
  reachedRun,
  runFollow,
  runStart,
  verifyStarted,
} from './update-run.follow.js';
import { FLEET_UPDATE_RUN_TYPE, fleetUpdateRunKind, progressText, updateRunOf } from './update-run.kind.js';
import { isSkipped, lookAt, runSkip, skipTargets } from './update-run.skip.js';

/** The states in which a run moves. */
export const ACTIVE_STATES: ReadonlySet<string | null> = new Set(['Running', 'Pending', 'Stopping']);

export const waitFor = z
  .enum(['started', 'completed'])
  .default('started')
  .describe(
    'When the operation has succeeded: once the run is under way, or once it has ended and no member has failed. Runs take hours, and days where members have maintenance windows.',
  );

const startInput = z.strictObject({ run: resourceReference('The update run to start'), waitFor });
type StartInput = z.output<typeof startInput>;

const startFindings = {
  RUN_NOT_FOUND: 'Azure does not know the update run.',
  RUN_ACTIVE: 'The update run is under way already.',
  RUN_STOPPING: 'The update run is being stopped; the start waits until it has stopped.',
  RUN_COMPLETED: 'The update run is completed: there is nothing to start.',
  FAILED_MEMBERS_RETRIED: 'Members of the run have failed: they are tried again.',
} as const satisfies Record<string, string>;

export function startUpdateRun(client: FleetClient): OperationDefinition<typeof startInput> {
  return {
    type: 'fleet.updateRun.start',
    title: 'Start an update run',
    description:
      'Starts an update run, also one that was stopped or has failed: it goes on with the members that are not done.',
    permission: 'fleets/updateRuns/start',
    input: startInput,
    references: { run: [fleetUpdateRunKind.name] },
    timeoutSeconds: UPDATE_RUN_TIMEOUT_SECONDS,
    findings: startFindings,
    target: (_input, references) => runTarget(references),
    preflight: (context) => preflightStart(client, context),
    steps: [
      {
        name: 'start',
        description: 'Asks Fleet Manager to start the run.',
        run: (context) => runStart(client, runIdOf(context.references), context),
      },
      {
        name: 'follow',
        description: 'Waits for the end of the run, if that was asked for.',
        run: (context) => runFollow(client, runIdOf(context.references), context.input.waitFor, context),
        abort: (context) => abortFollow(client, runIdOf(context.references), context),
      },
    ],
    verify: (context) => verifyStarted(client, runIdOf(context.references), context.input.waitFor, context),
  };
}

async function preflightStart(client: FleetClient, context: OperationContext<StartInput>): Promise<Finding[]> {
  const id = runIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(startFindings, findings);
  const reading = await client.get(id, context);
  if (reading.state === 'missing') {
    say('RUN_NOT_FOUND', 'error', { updateRun: id.toString() });
    return findings;
  }
  const run = updateRunOf(reading.body);
  if (run.state === 'Stopping') say('RUN_STOPPING', 'warning', { state: run.state });
  else if (ACTIVE_STATES.has(run.state)) say('RUN_ACTIVE', 'info', { state: run.state });
  else if (run.failedCount > 0) say('FAILED_MEMBERS_RETRIED', 'info', { failed: run.failedCount });
  else if (run.state === 'Completed') say('RUN_COMPLETED', 'info', { endedAt: run.endedAt });
  return findings;
}

const stopInput = z.strictObject({ run: resourceReference('The update run to stop') });

const stopFindings = {
  RUN_NOT_FOUND: 'Azure does not know the update run.',
  RUN_NOT_ACTIVE: 'The update run is not under way: there is nothing to stop.',
  UPGRADES_RUNNING: 'Clusters are being upgraded: Azure sees these upgrades through, and starts no others.',
} as const satisfies Record<string, string>;

export function stopUpdateRun(client: FleetClient): OperationDefinition<typeof stopInput> {
  return {
    type: 'fleet.updateRun.stop',
    title: 'Stop an update run',
    description:
      'Stops an update run: no further member is begun, upgrades that run are seen through. It can be started again.',
    permission: 'fleets/updateRuns/stop',
    input: stopInput,
    references: { run: [fleetUpdateRunKind.name] },
    timeoutSeconds: 86_400,
    findings: stopFindings,
    target: (_input, references) => controlTarget(references),
    async preflight(context) {
      const id = runIdOf(context.references);
      const findings: Finding[] = [];
      const say = findingReporter(stopFindings, findings);
      const reading = await client.get(id, context);
      if (reading.state === 'missing') {
        say('RUN_NOT_FOUND', 'error', { updateRun: id.toString() });
        return findings;
      }
      const run = updateRunOf(reading.body);
      if (!ACTIVE_STATES.has(run.state)) say('RUN_NOT_ACTIVE', 'info', { state: run.state });
      else if (run.runningCount > 0) say('UPGRADES_RUNNING', 'info', { running: run.runningCount });
      return findings;
    },
    steps: [
      {
        name: 'stop',
        description: 'Asks Fleet Manager to stop the run and waits until it has.',
        run(context) {
          const id = runIdOf(context.references);
          const wanted = {
            working: `Fleet Manager is stopping the update run ${id.name}.`,
            read: () => client.get(id, context),
            judge: (reading: ArmReading) => judgeStop(id, reading),
            write: () => client.act(id, 'stop', undefined, context),
          };
          return reachDesiredState(client.arm, context.resumeToken, wanted, context);
        },
      },
    ],
    async verify(context) {
      const id = runIdOf(context.references);
      const reading = await client.get(id, context);
      if (reading.state === 'missing') return missingRun(id);
      const { state } = updateRunOf(reading.body);
      if (!ACTIVE_STATES.has(state)) return reachedRun(id, reading);
      const message = `The update run ${id.name} is ${state}.`;
      return state === 'Stopping'
        ? { verdict: 'pending', message, retryAfterSeconds: client.arm.pollIntervalSeconds }
        : { verdict: 'missed', message };
    },
  };
}

function judgeStop(id: ArmId, reading: ArmReading): DesiredStateVerdict {
  const run = existingRun(id, reading);
  switch (run.state) {
    case 'Running':
    case 'Pending':
      return { verdict: 'different' };
    case 'Stopping':
      return { verdict: 'underway', message: `The update run ${id.name} is Stopping: ${progressText(run)}` };
    default:
      return { verdict: 'reached', message: `The update run ${id.name} is ${run.state ?? 'in no known state'}.` };
  }
}

const skipInput = z.strictObject({
  run: resourceReference('The update run to leave parts out of'),
  targets: skipTargets.describe('What is left out.'),
});
type SkipInput = z.output<typeof skipInput>;

const skipFindings = {
  RUN_NOT_FOUND: 'Azure does not know the update run.',
  RUN_ENDED: 'The update run has ended: nothing of it can be skipped.',
  TARGET_NOT_FOUND: 'The update run has no part of this name.',
  TARGET_RUNNING: 'Members are being updated already: these are not skipped.',
  NOTHING_TO_SKIP: 'Nothing of this part is still to be done.',
  FAILED_RUN_STAYS: 'The run has failed: after the skipping it has to be started again.',
} as const satisfies Record<string, string>;

export function skipInUpdateRun(client: FleetClient): OperationDefinition<typeof skipInput> {
  return {
    type: 'fleet.updateRun.skip',
    title: 'Skip parts of an update run',
    description:
      'Leaves members, groups, stages, or the waiting after a stage out of an update run. What is under way is not interrupted.',
    permission: 'fleets/updateRuns/skip',
    input: skipInput,
    references: { run: [fleetUpdateRunKind.name] },
    timeoutSeconds: 3600,
    findings: skipFindings,
    target: (_input, references) => controlTarget(references),
    preflight: (context) => preflightSkip(client, context),
    steps: [
      {
        name: 'skip',
        description: 'Asks Fleet Manager to skip what has not begun.',
        run: (context) => runSkip(client, runIdOf(context.references), context.input.targets, context),
      },
    ],
    async verify(context) {
      const id = runIdOf(context.references);
      const reading = await client.get(id, context);
      if (reading.state === 'missing') return missingRun(id);
      if (isSkipped(updateRunOf(reading.body), context.input.targets)) return reachedRun(id, reading);
      return { verdict: 'missed', message: `Parts of the update run ${id.name} are still to be done.` };
    },
  };
}

async function preflightSkip(client: FleetClient, context: OperationContext<SkipInput>): Promise<Finding[]> {
  const id = runIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(skipFindings, findings);
  const reading = await client.get(id, context);
  if (reading.state === 'missing') {
    say('RUN_NOT_FOUND', 'error', { updateRun: id.toString() });
    return findings;
  }
  const run = updateRunOf(reading.body);
  if (run.state === 'Completed' || run.state === 'Skipped') say('RUN_ENDED', 'error', { state: run.state });
  if (run.state === 'Failed') {
    say('FAILED_RUN_STAYS', 'info', { state: run.state }, 'Start it again with fleet.updateRun.start.');
  }
  for (const target of context.input.targets) {
    const part = lookAt(run, target);
    const evidence = { type: target.type, name: target.name };
    if (part === undefined) {
      const stages = run.stages.map((stage) => stage.name);
      say('TARGET_NOT_FOUND', 'error', { ...evidence, stages }, 'The stages of the run name its groups and members.');
      continue;
    }
    if (part.running > 0) say('TARGET_RUNNING', 'warning', { ...evidence, running: part.running });
    else if (part.open === 0) say('NOTHING_TO_SKIP', 'info', { ...evidence, completed: part.done });
  }
  return findings;
}

const deleteInput = z.strictObject({ run: resourceReference('The update run to delete') });

const deleteFindings = {
  RUN_NOT_FOUND: 'The update run is gone already.',
  RUN_ACTIVE: 'The update run is under way.',
} as const satisfies Record<string, string>;

export function deleteUpdateRun(client: FleetClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'fleet.updateRun.delete',
    title: 'Delete an update run',
    description: 'Deletes the record of an update run. What it has done to clusters stays.',
    permission: 'fleets/updateRuns/delete',
    input: deleteInput,
    references: { run: [fleetUpdateRunKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target: (_input, references) => runTarget(references),
    async preflight(context) {
      const id = runIdOf(context.references);
      const findings: Finding[] = [];
      const say = findingReporter(deleteFindings, findings);
      const reading = await client.get(id, context);
      if (reading.state === 'missing') {
        say('RUN_NOT_FOUND', 'info', { updateRun: id.toString() });
        return findings;
      }
      const { state } = updateRunOf(reading.body);
      if (ACTIVE_STATES.has(state)) {
        say('RUN_ACTIVE', 'error', { state }, 'Stop it first (fleet.updateRun.stop).');
      }
      return findings;
    },
    steps: [
      {
        name: 'delete',
        description: 'Asks Fleet Manager to delete the run and waits until it is gone.',
        run(context) {
          const id = runIdOf(context.references);
          const wanted = {
            working: `Fleet Manager is deleting the update run ${id.name}.`,
            read: () => client.get(id, context),
            judge: (reading: ArmReading) => judgeRemoval(`The update run ${id.name}`, reading, failedOperationError),
            write: () => client.delete(id, context),
          };
          return reachDesiredState(client.arm, context.resumeToken, wanted, context);
        },
      },
    ],
    async verify(context) {
      const id = runIdOf(context.references);
      const reading = await client.get(id, context);
      return verifyRemoval(`The update run ${id.name}`, reading, context.target, client.arm.pollIntervalSeconds);
    },
  };
}

function runIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'run', FLEET_UPDATE_RUN_TYPE);
}

function runTarget(references: Readonly<Record<string, ResourceTarget>>) {
  const id = runIdOf(references);
  return { id: id.toString(), kind: fleetUpdateRunKind.name, lock: id.canonical };
}

/** A lock of its own: what waits for the end of a run must not keep anybody from stopping it. */
function controlTarget(references: Readonly<Record<string, ResourceTarget>>) {
  const target = runTarget(references);
  return { ...target, lock: `${target.lock}#control` };
}
