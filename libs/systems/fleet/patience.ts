import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import type { StepContext, StepOutcome } from '../contract/operation-definition.js';

/** How long something has to be wrong before it is taken for wrong: controllers try again, and order settles itself. */
export const PATIENCE_SECONDS = 20;

/** What a look at something that others are working on says. */
export type ProgressVerdict =
  | { progress: 'reached'; message: string; output?: Json }
  | { progress: 'moving'; message: string }
  /** It does not look as if it could become what is wanted. */
  | { progress: 'failing'; error: ControlError; output: Json };

/** What a step that waits keeps over its runs. */
interface WaitToken {
  startedAt: number;
  failingSince?: number;
}

/**
 * Ends a step, goes on waiting, or gives up: on what has been failing for long enough, and on what has taken longer than
 * the limit, if there is one. Seconds.
 */
export function waitFor(
  verdict: ProgressVerdict,
  context: Pick<StepContext<unknown>, 'resumeToken'>,
  clock: Clock,
  retryAfterSeconds: number,
  limitSeconds?: number,
): StepOutcome {
  if (verdict.progress === 'reached') {
    const { message, output } = verdict;
    return { outcome: 'done', message, ...(output === undefined ? {} : { output }) };
  }
  const now = clock.now().getTime();
  const before = tokenOf(context.resumeToken);
  const startedAt = before?.startedAt ?? now;
  if (limitSeconds !== undefined && now - startedAt >= limitSeconds * 1000) {
    return verdict.progress === 'failing'
      ? { outcome: 'failed', error: verdict.error, output: verdict.output }
      : { outcome: 'failed', error: lateError(verdict.message, limitSeconds), output: { waitedFor: verdict.message } };
  }
  if (verdict.progress === 'moving') {
    const resumeToken = new Secret(JSON.stringify({ startedAt } satisfies WaitToken));
    return { outcome: 'wait', message: verdict.message, retryAfterSeconds, resumeToken };
  }
  const failingSince = before?.failingSince ?? now;
  if (now - failingSince >= PATIENCE_SECONDS * 1000) {
    return { outcome: 'failed', error: verdict.error, output: verdict.output };
  }
  const resumeToken = new Secret(JSON.stringify({ startedAt, failingSince } satisfies WaitToken));
  return { outcome: 'wait', message: verdict.error.message, retryAfterSeconds, resumeToken };
}

function lateError(message: string, limitSeconds: number): ControlError {
  return new ControlError('DEADLINE_EXCEEDED', `After ${limitSeconds} s: ${message}`, {
    remedy: 'What was done stays; the same operation can be started again, and goes on from there.',
  });
}

function tokenOf(token: Secret | undefined): WaitToken | undefined {
  if (token === undefined) return undefined;
  const value: unknown = JSON.parse(token.reveal());
  if (!isJsonObject(value) || typeof value.startedAt !== 'number') return undefined;
  const { startedAt, failingSince } = value;
  return { startedAt, ...(typeof failingSince === 'number' ? { failingSince } : {}) };
}
