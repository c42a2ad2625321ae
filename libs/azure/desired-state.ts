import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { ArmClient, ArmReading, ArmWriteAnswer } from './arm.client.js';
import type { AzureCallContext } from './azure.options.js';

/** What a look at the object says about the state that is wanted. */
export type DesiredStateVerdict =
  /** It is there. */
  | { verdict: 'reached'; message: string }
  /** Azure is bringing it about. */
  | { verdict: 'underway'; message: string }
  /** Azure is doing something else with the object. */
  | { verdict: 'busy'; message: string }
  /** Nothing is going on, and the last attempt to bring it about has failed. */
  | { verdict: 'failed'; error: ControlError }
  /** Nothing is going on, and the object is otherwise. */
  | { verdict: 'different' };

export interface DesiredState {
  read(): Promise<ArmReading>;
  /** @throws ControlError where the wanted state can no longer be asked for. */
  judge(reading: ArmReading): Promise<DesiredStateVerdict> | DesiredStateVerdict;
  /** Asks Azure for the wanted state. */
  write(reading: ArmReading): Promise<ArmWriteAnswer>;
  /** What is said while Azure works: `Scaling to 3 nodes`. */
  working: string;
}

/** The same shapes as an operation step's outcome. */
export type DesiredStateOutcome =
  | { outcome: 'done'; message: string }
  | { outcome: 'wait'; message: string; retryAfterSeconds: number; resumeToken?: Secret }
  | { outcome: 'blocked'; message: string; retryAfterSeconds: number };

/**
 * One run of "bring the object into this state". It looks before it writes, so that a run after a crash at any point
 * finds what an earlier run has started and never starts it a second time:
 *
 * - with a resume token the started operation is asked first; while it runs, nothing else happens;
 * - an object that is on its way is waited for, also without a token (the answer to the write was lost);
 * - an object that is busy otherwise blocks; one that is settled and different is written once, under its entity tag.
 *
 * After our own write has ended, nothing is written again: whether the end is the wanted one is for `verify` to say.
 */
export async function reachDesiredState(
  arm: Pick<ArmClient, 'poll' | 'pollIntervalSeconds'>,
  resumeToken: Secret | undefined,
  wanted: DesiredState,
  context: AzureCallContext,
): Promise<DesiredStateOutcome> {
  if (resumeToken !== undefined) {
    const answer = await arm.poll(resumeToken, context);
    switch (answer.state) {
      case 'running':
        return { outcome: 'wait', message: wanted.working, retryAfterSeconds: answer.retryAfterSeconds, resumeToken };
      case 'failed':
        throw answer.error;
      case 'canceled':
        throw new ControlError('AZURE_OPERATION_FAILED', `${wanted.working}: the operation was canceled in Azure.`, {
          externalCode: 'OperationCanceled',
        });
      case 'succeeded':
      case 'lost':
        break;
    }
  }
  const reading = await wanted.read();
  const verdict = await wanted.judge(reading);
  const pause = arm.pollIntervalSeconds;
  switch (verdict.verdict) {
    case 'reached':
      return { outcome: 'done', message: verdict.message };
    case 'underway':
      return { outcome: 'wait', message: verdict.message, retryAfterSeconds: pause, ...kept(resumeToken) };
    case 'busy':
      if (resumeToken === undefined) return { outcome: 'blocked', message: verdict.message, retryAfterSeconds: pause };
      return { outcome: 'wait', message: verdict.message, retryAfterSeconds: pause, resumeToken };
    case 'failed':
      if (resumeToken !== undefined) throw verdict.error;
      return write(arm, wanted, reading);
    case 'different':
      if (resumeToken === undefined) return write(arm, wanted, reading);
      return { outcome: 'done', message: 'Azure has ended the operation.' };
  }
}

async function write(
  arm: Pick<ArmClient, 'pollIntervalSeconds'>,
  wanted: DesiredState,
  reading: ArmReading,
): Promise<DesiredStateOutcome> {
  let answer: ArmWriteAnswer;
  try {
    answer = await wanted.write(reading);
  } catch (error) {
    // Azure has refused without doing anything: somebody else was first. The next run looks again.
    if (error instanceof ControlError && (error.code === 'TARGET_BUSY' || error.code === 'PRECONDITION_FAILED')) {
      const seconds = error.retry.kind === 'after' ? error.retry.seconds : arm.pollIntervalSeconds;
      return { outcome: 'blocked', message: error.message, retryAfterSeconds: seconds };
    }
    throw error;
  }
  if (answer.poll === undefined) return { outcome: 'done', message: 'Azure has done it at once.' };
  return {
    outcome: 'wait',
    message: wanted.working,
    retryAfterSeconds: answer.retryAfterSeconds,
    resumeToken: answer.poll,
  };
}

function kept(resumeToken: Secret | undefined): { resumeToken?: Secret } {
  return resumeToken === undefined ? {} : { resumeToken };
}
