import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import { EntraTokens } from './entra-tokens.js';

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;

describe('EntraTokens', () => {
  let clock: ManualClock;
  let asked: string[];
  let tokens: EntraTokens;

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    tokens = new EntraTokens((scope) => {
      asked.push(scope);
      const expiresAt = new Date(clock.now().getTime() + HOUR_MS);
      return Promise.resolve({ token: new Secret(`token ${asked.length}`), expiresAt });
    }, clock);
  });

  const token = async (serverId = 'app'): Promise<string> => (await tokens.token(serverId, never)).reveal();

  it('asks for the application of the cluster, once for all who need it', async () => {
    expect(await Promise.all([token(), token()])).toEqual(['token 1', 'token 1']);
    expect(await token()).toBe('token 1');
    expect(await token('other')).toBe('token 2');
    expect(asked).toEqual(['app/.default', 'other/.default']);
  });

  it.each([
    { part: 0.79, expected: 'token 1', reason: 'most of its life is before it' },
    { part: 0.8, expected: 'token 2', reason: 'it is renewed while the old one still works' },
  ])('after $part of its life it is $expected: $reason', async ({ part, expected }) => {
    await token();
    clock.advance(HOUR_MS * part);
    expect(await token()).toBe(expected);
  });

  it('gets another one in place of one that was refused, but not in place of its successor', async () => {
    const first = await tokens.token('app', never);
    tokens.drop('app', first);
    expect(await token()).toBe('token 2');
    tokens.drop('app', first);
    expect(await token()).toBe('token 2');
  });

  it.each([
    { part: 0.9, answer: 'token 1', reason: 'the old one still works' },
    { part: 1, answer: 'AZURE_UNAVAILABLE', reason: 'it does not any more' },
  ])('gets over a sign-in that is away at $part of its life or not: $reason', async ({ part, answer }) => {
    let isAway = false;
    tokens = new EntraTokens(() => {
      if (isAway) return Promise.reject(new ControlError('AZURE_UNAVAILABLE', 'away', { retry: { kind: 'backoff' } }));
      return Promise.resolve({ token: new Secret('token 1'), expiresAt: new Date(clock.now().getTime() + HOUR_MS) });
    }, clock);
    await token();
    isAway = true;
    clock.advance(HOUR_MS * part);
    expect(await token().catch((error: unknown) => (error as ControlError).code)).toBe(answer);
  });

  it('does not keep a failure', async () => {
    let fails = true;
    tokens = new EntraTokens(
      () =>
        fails
          ? Promise.reject(new Error('no identity'))
          : Promise.resolve({ token: new Secret('late'), expiresAt: new Date(clock.now().getTime() + HOUR_MS) }),
      clock,
    );
    await expect(token()).rejects.toThrow('no identity');
    fails = false;
    expect(await token()).toBe('late');
  });
});
