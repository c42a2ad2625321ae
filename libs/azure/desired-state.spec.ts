import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ArmPollAnswer, ArmReading, ArmWriteAnswer } from './arm.client.js';
import { reachDesiredState, type DesiredStateOutcome, type DesiredStateVerdict } from './desired-state.js';

const token = new Secret('token');
const newToken = new Secret('new token');
const failure = new ControlError('AZURE_OPERATION_FAILED', 'it failed');

interface Situation {
  polled?: ArmPollAnswer;
  verdict?: DesiredStateVerdict;
  written?: ArmWriteAnswer | ControlError;
}

async function run({
  polled,
  verdict,
  written,
}: Situation): Promise<{ outcome: DesiredStateOutcome; calls: string[] }> {
  const calls: string[] = [];
  const arm = {
    pollIntervalSeconds: 5,
    poll: () => {
      calls.push('poll');
      return Promise.resolve(polled!);
    },
  };
  const reading: ArmReading = { state: 'missing', observedAt: new Date(0) };
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
    { correlationId: 'c' },
  );
  return { outcome, calls };
}

const accepted: ArmWriteAnswer = { status: 201, body: null, etag: null, poll: newToken, retryAfterSeconds: 3 };

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
    { reason: 'our operation was canceled in Azure', polled: { state: 'canceled' }, code: 'AZURE_OPERATION_FAILED' },
    {
      reason: 'the object tells that it failed after the address expired',
      polled: { state: 'lost' },
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
