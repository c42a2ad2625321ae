import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import type { OperationContext, StepContext, StepOutcome, Verification } from '../contract/operation-definition.js';
import type { FleetClient } from './fleet.client.js';
import {
  failureText,
  membersIn,
  observeFleetUpdateRun,
  progressText,
  updateRunOf,
  type FleetUpdateRunProperties,
} from './update-run.kind.js';

export type WaitFor = 'started' | 'completed';

/** A run takes hours, and waits for maintenance windows for days. */
export const UPDATE_RUN_TIMEOUT_SECONDS = 14 * 86_400;
const LONGEST_PAUSE_SECONDS = 60;
/** After so many looks they become rarer. */
const QUICK_LOOKS = 20;

const START_REMEDY =
  'Mend what its error says and start the run again (fleet.updateRun.start): it goes on with the members that are not done. Or leave them out first (fleet.updateRun.skip).';

/** Starts a run, also one that has stopped or failed; one that is under way or done stays as it is. */
export function runStart(client: FleetClient, run: ArmId, context: StepContext<unknown>): Promise<StepOutcome> {
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Fleet Manager is starting the update run ${run.name}.`,
      read: () => client.get(run, context),
      judge: (reading) => judgeStart(run, reading),
      write: () => client.act(run, 'start', undefined, context),
    },
    context,
  );
}

function judgeStart(id: ArmId, reading: ArmReading): DesiredStateVerdict {
  const run = existingRun(id, reading);
  switch (run.state) {
    case 'NotStarted':
    case 'Stopped':
    case 'Failed':
      return { verdict: 'different' };
    case 'Stopping':
      return { verdict: 'busy', message: `The update run ${id.name} is being stopped.` };
    case 'Completed':
      return run.failedCount > 0
        ? { verdict: 'different' }
        : { verdict: 'reached', message: `The update run ${id.name} is completed.` };
    default:
      return { verdict: 'reached', message: `The update run ${id.name} is ${run.state}.` };
  }
}

/**
 * Waits for the end of a run. It is Fleet Manager that works, not this step: a cancellation of the operation ends the
 * waiting at once, and the run goes on.
 */
export async function runFollow(
  client: FleetClient,
  id: ArmId,
  waitsFor: WaitFor,
  context: StepContext<unknown>,
): Promise<StepOutcome> {
  if (waitsFor === 'started') return { outcome: 'done', message: 'Its end is not waited for.' };
  const run = existingRun(id, await client.get(id, context));
  const end = endOf(id, run);
  if (end === undefined) {
    const pause = Math.min(
      client.arm.pollIntervalSeconds * Math.max(1, context.attempt / QUICK_LOOKS),
      longest(client),
    );
    return { outcome: 'blocked', message: `${run.state}: ${progressText(run)}`, retryAfterSeconds: pause };
  }
  if (end instanceof ControlError) return { outcome: 'failed', error: end, output: failureOutput(run) };
  return { outcome: 'done', message: end };
}

function longest(client: FleetClient): number {
  return Math.max(client.arm.pollIntervalSeconds, LONGEST_PAUSE_SECONDS);
}

/** What is to be said of a run that moves no more; an error where it did not do what it was to. */
function endOf(id: ArmId, run: FleetUpdateRunProperties): string | ControlError | undefined {
  switch (run.state) {
    case 'Completed':
    case 'Skipped': {
      const failures = failureText(run);
      if (failures !== null) return runFailure(run, `The update run ${id.name} is completed, but ${failures}`);
      return `The update run ${id.name} is ${run.state}: ${run.completedCount} of ${run.memberCount} members updated, ${run.skippedCount} left out.`;
    }
    case 'Failed':
      return runFailure(
        run,
        `The update run ${id.name} has failed: ${failureText(run) ?? run.error ?? 'no reason given'}`,
      );
    case 'Stopped':
      return new ControlError('AZURE_OPERATION_FAILED', `The update run ${id.name} was stopped before its end.`, {
        externalCode: 'UpdateRunStopped',
        remedy: 'Start it again (fleet.updateRun.start): it goes on where it stopped.',
      });
    default:
      return undefined;
  }
}

function runFailure(run: FleetUpdateRunProperties, message: string): ControlError {
  const failed = run.stages.flatMap(membersIn).find((member) => member.state === 'Failed');
  return new ControlError('AZURE_OPERATION_FAILED', message, {
    externalCode: failed?.errorCode ?? 'UpdateRunFailed',
    remedy: START_REMEDY,
  });
}

function failureOutput(run: FleetUpdateRunProperties): JsonObject {
  const failed = run.stages.flatMap(membersIn).filter((member) => member.state === 'Failed');
  return {
    state: run.state,
    failedMembers: failed.map(({ name, clusterId, errorCode, errorMessage }) => ({
      name,
      cluster: clusterId,
      code: errorCode,
      message: errorMessage,
    })),
  };
}

/** Reads a run that was to be started. */
export async function verifyStarted(
  client: FleetClient,
  id: ArmId,
  waitsFor: WaitFor,
  context: OperationContext<unknown>,
): Promise<Verification> {
  const reading = await client.get(id, context);
  if (reading.state === 'missing') return missingRun(id);
  const run = updateRunOf(reading.body);
  const end = endOf(id, run);
  const wasStarted = waitsFor === 'started' && run.state === 'Stopped';
  if (end instanceof ControlError && !wasStarted) return { verdict: 'missed', message: end.message };
  const isThere = waitsFor === 'started' ? run.state !== 'NotStarted' : end !== undefined;
  if (isThere) return reachedRun(id, reading);
  const message = `The update run ${id.name} is ${run.state ?? 'in no known state'}.`;
  return { verdict: 'pending', message, retryAfterSeconds: client.arm.pollIntervalSeconds };
}

export function missingRun(id: ArmId): Verification {
  return { verdict: 'missed', message: `The update run ${id.name} is not there.` };
}

export function reachedRun(id: ArmId, reading: ArmReading & { state: 'found' }): Verification {
  const { state, memberCount, completedCount, skippedCount, failedCount } = updateRunOf(reading.body);
  return {
    verdict: 'reached',
    result: {
      updateRun: id.toString(),
      uid: id.uid,
      name: id.name,
      state,
      memberCount,
      completedCount,
      skippedCount,
      failedCount,
    },
    observations: [observeFleetUpdateRun(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' })],
    absent: [],
  };
}

/** @throws ControlError AZURE_NOT_FOUND */
export function existingRun(id: ArmId, reading: ArmReading): FleetUpdateRunProperties {
  if (reading.state === 'found') return updateRunOf(reading.body);
  throw new ControlError('AZURE_NOT_FOUND', `The update run ${id.name} is not there any more.`);
}
