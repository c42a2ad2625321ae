import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject } from '#libs/kernel/json.js';
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

/** What a step of an operation brings along: where it can note what it is about to ask for. */
export interface DesiredStateContext extends AzureCallContext {
  /** What was noted before the last write, if no answer to it was seen. */
  intent?: string | undefined;
  noteIntent?(intent: string | undefined): Promise<void>;
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
 * After our own write has ended, nothing is written again: whether the end is the wanted one is for `verify` to say. The
 * same holds for a write whose answer never came (the connection broke, or the worker died): how the object was before it
 * is noted first, and an object that is otherwise now is taken to have had that write.
 */
export async function reachDesiredState(
  arm: Pick<ArmClient, 'poll' | 'pollIntervalSeconds'>,
  resumeToken: Secret | undefined,
  wanted: DesiredState,
  context: DesiredStateContext,
): Promise<DesiredStateOutcome> {
  if (resumeToken !== undefined) {
    const answer = await arm.poll(resumeToken, context);
    switch (answer.state) {
      case 'running':
        return { outcome: 'wait', message: wanted.working, retryAfterSeconds: answer.retryAfterSeconds, resumeToken };
      case 'failed':
      case 'canceled':
        throw answer.error;
      case 'succeeded':
      case 'lost':
        break;
    }
  }
  const reading = await wanted.read();
  const verdict = await wanted.judge(reading);
  const pause = arm.pollIntervalSeconds;
  const hasWritten = resumeToken !== undefined || arrived(context.intent, reading);
  switch (verdict.verdict) {
    case 'reached':
      return { outcome: 'done', message: verdict.message };
    case 'underway':
      return { outcome: 'wait', message: verdict.message, retryAfterSeconds: pause, ...kept(resumeToken) };
    case 'busy':
      if (!hasWritten) return { outcome: 'blocked', message: verdict.message, retryAfterSeconds: pause };
      return { outcome: 'wait', message: verdict.message, retryAfterSeconds: pause, ...kept(resumeToken) };
    case 'failed':
      if (hasWritten) throw verdict.error;
      return write(arm, wanted, reading, context);
    case 'different':
      if (!hasWritten) return write(arm, wanted, reading, context);
      return { outcome: 'done', message: 'Azure has ended the operation.' };
  }
}

/** Work of ours that can be stopped while Azure is at it. */
export interface AbortableWork extends Pick<DesiredState, 'read' | 'judge'> {
  /** Asks Azure to stop. */
  abort(): Promise<unknown>;
  /** What is said while Azure stops it: `Azure is stopping the scaling of pool1.` */
  stopping: string;
  /** What is said when it has stopped. */
  stopped(reading: ArmReading): string;
}

/** The same shapes as the outcome of an operation step's `abort`. */
export type AbortedStateOutcome =
  | { outcome: 'stopped'; message: string }
  | { outcome: 'stopping'; message: string; retryAfterSeconds: number }
  | { outcome: 'goes-on'; message: string };

/**
 * One run of "stop bringing the object into this state". It looks first: what has come to its end by itself is not stopped,
 * and Azure is asked once. Where Azure refuses, the work goes on and is seen through.
 */
export async function abandonDesiredState(
  arm: Pick<ArmClient, 'pollIntervalSeconds'>,
  work: AbortableWork,
  asked: boolean,
): Promise<AbortedStateOutcome> {
  const reading = await work.read();
  const verdict = await work.judge(reading);
  switch (verdict.verdict) {
    case 'reached':
      return { outcome: 'goes-on', message: verdict.message };
    case 'failed':
    case 'different':
      return { outcome: 'stopped', message: work.stopped(reading) };
    case 'underway':
    case 'busy':
      break;
  }
  const stopping = { outcome: 'stopping', message: work.stopping, retryAfterSeconds: arm.pollIntervalSeconds } as const;
  if (asked) return stopping;
  try {
    await work.abort();
    return stopping;
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
    return { outcome: 'goes-on', message: `It cannot be stopped: ${error.message}` };
  }
}

/** How an object was before it was written. */
const intentSchema = z.object({ there: z.boolean(), etag: z.string().nullable(), state: z.string().nullable() });

function intentOver(reading: ArmReading): string {
  return JSON.stringify(pictureOf(reading));
}

function pictureOf(reading: ArmReading): z.output<typeof intentSchema> {
  if (reading.state === 'missing') return { there: false, etag: null, state: null };
  const { properties } = reading.body;
  const state = isJsonObject(properties) ? properties.provisioningState : null;
  return { there: true, etag: reading.etag, state: typeof state === 'string' ? state : null };
}

/** Whether the object is otherwise than it was before the write of which nothing was heard. */
function arrived(intent: string | undefined, reading: ArmReading): boolean {
  if (intent === undefined) return false;
  const before = intentSchema.parse(JSON.parse(intent));
  const now = pictureOf(reading);
  if (before.there !== now.there) return true;
  const hasTags = before.etag !== null && now.etag !== null;
  return hasTags ? before.etag !== now.etag : before.state !== now.state;
}

/** Only then may the request have been carried out all the same. */
function isAnswerLost(error: unknown): boolean {
  if (!(error instanceof ControlError)) return true;
  return error.code === 'AZURE_UNAVAILABLE' || error.code === 'AZURE_TIMEOUT';
}

async function write(
  arm: Pick<ArmClient, 'pollIntervalSeconds'>,
  wanted: DesiredState,
  reading: ArmReading,
  context: DesiredStateContext,
): Promise<DesiredStateOutcome> {
  let answer: ArmWriteAnswer;
  await context.noteIntent?.(intentOver(reading));
  try {
    answer = await wanted.write(reading);
  } catch (error) {
    if (!isAnswerLost(error)) await context.noteIntent?.(undefined);
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
