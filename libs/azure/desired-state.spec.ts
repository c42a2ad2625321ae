import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ArmPollAnswer, ArmReading, ArmWriteAnswer } from './arm.client.js';
import {
  abandonDesiredState,
  reachDesiredState,
  type AbortedStateOutcome,
  type DesiredStateOutcome,
  type DesiredStateVerdict,
} from './desired-state.js';

const token = new Secret('token');
const newToken = new Secret('new token');
const failure = new ControlError('AZURE_OPERATION_FAILED', 'it failed');

interface Situation {
  /** How the object is; missing where absent. */
  reading?: ArmReading;
  /** What was noted before a write of which nothing was heard. */
  intent?: string;
  polled?: ArmPollAnswer;
  verdict?: DesiredStateVerdict;
  written?: ArmWriteAnswer | ControlError;
}

async function run({
  reading = { state: 'missing', observedAt: new Date(0) },
  intent,
  polled,
  verdict,
  written,
}: Situation): Promise<{ outcome: DesiredStateOutcome; calls: string[]; noted: (string | undefined)[] }> {
  const calls: string[] = [];
  const noted: (string | undefined)[] = [];
  const arm = {
    pollIntervalSeconds: 5,
    poll: () => {
      calls.push('poll');
      return Promise.resolve(polled!);
    },
  };
  const outcome = await reachDesiredState(
    arm,
    polled === undefined ? undefined : token,
    {
      working: 'working',
      read: () => {
        calls.push('read');
        return Promise.resolve(reading);
      },
      judge: () => verdict!,
      write: () => {
        calls.push('write');
        return written instanceof ControlError ? Promise.reject(written) : Promise.resolve(written!);
      },
    },
    {
      correlationId: 'c',
      intent,
      noteIntent: (given) => {
        noted.push(given);
        return Promise.resolve();
      },
    },
  );
  return { outcome, calls, noted };
}

const accepted: ArmWriteAnswer = { status: 201, body: null, etag: null, poll: newToken, retryAfterSeconds: 3 };

const intentOver = (state: string | null, etag: string | null): string =>
  JSON.stringify({ there: state !== null, etag, state });
const found = (provisioningState: string, etag: string | null): ArmReading => ({
  state: 'found',
  body: { properties: { provisioningState } },
  etag,
  observedAt: new Date(0),
});

describe('reachDesiredState', () => {
  it.each<Situation & { reason: string; calls: string[]; outcome: Partial<DesiredStateOutcome> }>([
    {
      reason: 'nothing is done where the state is there',
      verdict: { verdict: 'reached', message: 'm' },
      calls: ['read'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'a change under way is waited for: it may be our own, whose answer was lost',
      verdict: { verdict: 'underway', message: 'm' },
      calls: ['read'],
      outcome: { outcome: 'wait', retryAfterSeconds: 5 },
    },
    {
      reason: "somebody else's change blocks",
      verdict: { verdict: 'busy', message: 'm' },
      calls: ['read'],
      outcome: { outcome: 'blocked' },
    },
    {
      reason: 'a settled difference is written',
      verdict: { verdict: 'different' },
      written: accepted,
      calls: ['read', 'write'],
      outcome: { outcome: 'wait', retryAfterSeconds: 3, resumeToken: newToken },
    },
    {
      reason: 'an earlier failure is tried once more',
      verdict: { verdict: 'failed', error: failure },
      written: accepted,
      calls: ['read', 'write'],
      outcome: { outcome: 'wait' },
    },
    {
      reason: 'a write without an answer that did not arrive is sent again',
      intent: intentOver('Succeeded', 'tag-1'),
      reading: found('Succeeded', 'tag-1'),
      verdict: { verdict: 'different' },
      written: accepted,
      calls: ['read', 'write'],
      outcome: { outcome: 'wait' },
    },
    {
      reason: 'one that made the object and has ended is not sent again',
      intent: intentOver(null, null),
      reading: found('Succeeded', 'tag-1'),
      verdict: { verdict: 'different' },
      calls: ['read'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'one that has changed the object is not sent again, whatever came after it',
      intent: intentOver('Succeeded', 'tag-1'),
      reading: found('Succeeded', 'tag-3'),
      verdict: { verdict: 'different' },
      calls: ['read'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'an object that failed before it, and is as it was, is written',
      intent: intentOver('Failed', null),
      reading: found('Failed', null),
      verdict: { verdict: 'failed', error: failure },
      written: accepted,
      calls: ['read', 'write'],
      outcome: { outcome: 'wait' },
    },
    {
      reason: 'something else that goes on after it is waited for',
      intent: intentOver('Succeeded', 'tag-1'),
      reading: found('Updating', 'tag-2'),
      verdict: { verdict: 'busy', message: 'm' },
      calls: ['read'],
      outcome: { outcome: 'wait' },
    },
    {
      reason: 'a write that is done at once needs no waiting',
      verdict: { verdict: 'different' },
      written: { status: 200, body: null, etag: null, retryAfterSeconds: 3 },
      calls: ['read', 'write'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'a refusal because of another operation blocks',
      verdict: { verdict: 'different' },
      written: new ControlError('TARGET_BUSY', 'm', { retry: { kind: 'after', seconds: 30 } }),
      calls: ['read', 'write'],
      outcome: { outcome: 'blocked', retryAfterSeconds: 30 },
    },
    {
      reason: 'a lost race for the entity tag blocks',
      verdict: { verdict: 'different' },
      written: new ControlError('PRECONDITION_FAILED', 'm', { retry: { kind: 'backoff' } }),
      calls: ['read', 'write'],
      outcome: { outcome: 'blocked', retryAfterSeconds: 5 },
    },
    {
      reason: 'while our operation runs, only it is asked',
      polled: { state: 'running', retryAfterSeconds: 8 },
      calls: ['poll'],
      outcome: { outcome: 'wait', retryAfterSeconds: 8, resumeToken: token },
    },
    {
      reason: 'its end is confirmed by a look',
      polled: { state: 'succeeded', body: null },
      verdict: { verdict: 'reached', message: 'm' },
      calls: ['poll', 'read'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'an expired address leaves the look',
      polled: { state: 'lost' },
      verdict: { verdict: 'underway', message: 'm' },
      calls: ['poll', 'read'],
      outcome: { outcome: 'wait', resumeToken: token },
    },
    {
      reason: 'after our write has ended nothing is written again, whatever is seen',
      polled: { state: 'succeeded', body: null },
      verdict: { verdict: 'different' },
      calls: ['poll', 'read'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'nor after its end was lost',
      polled: { state: 'lost' },
      verdict: { verdict: 'different' },
      calls: ['poll', 'read'],
      outcome: { outcome: 'done' },
    },
    {
      reason: 'a follower that changes the object after us is waited for, with our token',
      polled: { state: 'succeeded', body: null },
      verdict: { verdict: 'busy', message: 'm' },
      calls: ['poll', 'read'],
      outcome: { outcome: 'wait', resumeToken: token },
    },
  ])('$reason', async ({ calls, outcome, ...situation }) => {
    const result = await run(situation);
    expect(result.calls).toEqual(calls);
    expect(result.outcome).toMatchObject(outcome);
  });

  it.each<Situation & { reason: string; code: string }>([
    { reason: 'our operation failed', polled: { state: 'failed', error: failure }, code: 'AZURE_OPERATION_FAILED' },
    {
      reason: 'our operation was canceled in Azure',
      polled: { state: 'canceled', error: failure },
      code: 'AZURE_OPERATION_FAILED',
    },
    {
      reason: 'the object tells that it failed after the address expired',
      polled: { state: 'lost' },
      verdict: { verdict: 'failed', error: failure },
      code: 'AZURE_OPERATION_FAILED',
    },
    {
      reason: 'a write without an answer arrived and has failed',
      intent: intentOver('Succeeded', null),
      reading: found('Failed', null),
      verdict: { verdict: 'failed', error: failure },
      code: 'AZURE_OPERATION_FAILED',
    },
    {
      reason: 'the write is refused for good',
      verdict: { verdict: 'different' },
      written: new ControlError('AZURE_QUOTA_EXCEEDED', 'm'),
      code: 'AZURE_QUOTA_EXCEEDED',
    },
    {
      reason: 'the answer to the write is lost: the next run looks',
      verdict: { verdict: 'different' },
      written: new ControlError('AZURE_UNAVAILABLE', 'm', { retry: { kind: 'backoff' } }),
      code: 'AZURE_UNAVAILABLE',
    },
  ])('throws when $reason', async ({ code, ...situation }) => {
    await expect(run(situation)).rejects.toMatchObject({ code });
  });
});

describe('what is noted before a write', () => {
  it.each<Situation & { reason: string; noted: (string | undefined)[] }>([
    { reason: 'stays until the answer is saved', written: accepted, noted: [intentOver('Succeeded', 'tag-1')] },
    {
      reason: 'is taken back when Azure has refused: what others change after that is not ours',
      written: new ControlError('TARGET_BUSY', 'm', { retry: { kind: 'backoff' } }),
      noted: [intentOver('Succeeded', 'tag-1'), undefined],
    },
  ])('$reason', async ({ noted, ...situation }) => {
    const result = await run({ reading: found('Succeeded', 'tag-1'), verdict: { verdict: 'different' }, ...situation });
    expect(result.noted).toEqual(noted);
  });
});

describe('abandonDesiredState', () => {
  interface Abandonment {
    reason: string;
    verdict: DesiredStateVerdict;
    asked?: boolean;
    refusal?: ControlError;
    aborts: number;
    outcome: AbortedStateOutcome['outcome'];
  }

  it.each<Abandonment>([
    {
      reason: 'work under way is stopped',
      verdict: { verdict: 'underway', message: 'm' },
      aborts: 1,
      outcome: 'stopping',
    },
    {
      reason: 'and asked about once',
      verdict: { verdict: 'underway', message: 'm' },
      asked: true,
      aborts: 0,
      outcome: 'stopping',
    },
    {
      reason: 'what has come to its end is not stopped',
      verdict: { verdict: 'reached', message: 'm' },
      aborts: 0,
      outcome: 'goes-on',
    },
    {
      reason: 'what is at rest and otherwise has stopped',
      verdict: { verdict: 'different' },
      asked: true,
      aborts: 0,
      outcome: 'stopped',
    },
    {
      reason: 'what has failed has stopped',
      verdict: { verdict: 'failed', error: failure },
      asked: true,
      aborts: 0,
      outcome: 'stopped',
    },
    {
      reason: 'what Azure will not stop goes on',
      verdict: { verdict: 'underway', message: 'm' },
      refusal: new ControlError('AZURE_REJECTED', 'no'),
      aborts: 1,
      outcome: 'goes-on',
    },
  ])('$reason', async ({ verdict, asked = false, refusal, aborts, outcome }) => {
    let sent = 0;
    const work = {
      read: () => Promise.resolve(found('Updating', null)),
      judge: () => verdict,
      abort: () => {
        sent++;
        return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
      },
      stopping: 'stopping',
      stopped: () => 'stopped',
    };
    expect((await abandonDesiredState({ pollIntervalSeconds: 5 }, work, asked)).outcome).toBe(outcome);
    expect(sent).toBe(aborts);
  });

  it('asks again where it is not known whether Azure has heard of it', async () => {
    const work = {
      read: () => Promise.resolve(found('Updating', null)),
      judge: () => ({ verdict: 'underway', message: 'm' }) as const,
      abort: () => Promise.reject(new ControlError('AZURE_UNAVAILABLE', 'no', { retry: { kind: 'backoff' } })),
      stopping: 'stopping',
      stopped: () => 'stopped',
    };
    await expect(abandonDesiredState({ pollIntervalSeconds: 5 }, work, false)).rejects.toMatchObject({
      code: 'AZURE_UNAVAILABLE',
    });
  });
});
