import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { frequentRestartsAdvice } from './frequent-restarts.advice.js';

const NOW = new Date('2026-11-01T10:00:00Z');

function podOf(name: string, status: JsonObject): JsonObject {
  return {
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'example.com/main:1' }] },
    status: { containerStatuses: [{ name: 'main', ...status }] },
  };
}

function running(restartCount: number, finishedAt?: string): JsonObject {
  const lastState = finishedAt === undefined ? {} : { terminated: { exitCode: 1, reason: 'Error', finishedAt } };
  return { restartCount, state: { running: { startedAt: '2026-11-01T09:50:00Z' } }, lastState };
}

const advise = (pod: JsonObject) => frequentRestartsAdvice(pod, NOW);

describe('containers that run and end again and again', () => {
  it.each<{ name?: string; status: JsonObject; found: string[]; reason: string }>([
    {
      status: running(3, '2026-11-01T09:49:00Z'),
      found: ['CONTAINER_RESTARTS_OFTEN'],
      reason: 'often, and a moment ago',
    },
    {
      status: running(3, '2026-11-01T09:00:00Z'),
      found: ['CONTAINER_RESTARTS_OFTEN'],
      reason: 'often, and an hour ago',
    },
    { status: running(12, '2026-11-01T08:59:59Z'), found: [], reason: 'it has run for longer than an hour since' },
    { status: running(2, '2026-11-01T09:49:00Z'), found: [], reason: 'it had a bad moment' },
    { status: running(9), found: [], reason: 'nobody knows when it ended' },
    {
      status: { ...running(9, '2026-11-01T09:49:00Z'), state: { waiting: { reason: 'CrashLoopBackOff' } } },
      found: [],
      reason: 'it does not run: that is told by another rule',
    },
    { status: running(0), found: [], reason: 'it has never ended' },
    {
      name: 'appservice-ext-k8se-log-processor-x7k2p',
      status: running(3, '2026-11-01T09:49:00Z'),
      found: ['LOG_PROCESSOR_RESTARTS'],
      reason: 'what makes log processors end is known (P-S05)',
    },
    {
      name: 'appservice-ext-k8se-log-processor-x7k2p',
      status: { restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } } },
      found: ['LOG_PROCESSOR_RESTARTS'],
      reason: 'the same between two attempts',
    },
    { name: 'appservice-ext-k8se-log-processor-x7k2p', status: running(0), found: [], reason: 'this one is well' },
    {
      name: 'appservice-ext-k8se-log-processor-x7k2p',
      status: running(12, '2026-10-01T10:00:00Z'),
      found: [],
      reason: 'this one has been well for a month',
    },
    {
      name: 'appservice-ext-k8se-activator-x7k2p',
      status: running(3, '2026-11-01T09:49:00Z'),
      found: ['CONTAINER_RESTARTS_OFTEN'],
      reason: 'of other parts of App Service it is not known',
    },
  ])('$found: $reason', ({ name = 'web-1', status, found }) => {
    expect(advise(podOf(name, status)).map(({ code }) => code)).toEqual(found);
  });

  it('tells how often, and of the last end', () => {
    expect(advise(podOf('web-1', running(4, '2026-11-01T09:49:00Z')))).toMatchObject([
      {
        severity: 'warning',
        evidence: {
          container: 'main',
          image: 'example.com/main:1',
          restarts: 4,
          lastTermination: { exitCode: 1, reason: 'Error', finishedAt: '2026-11-01T09:49:00Z' },
        },
        remedies: [{ operations: [] }],
      },
    ]);
  });

  it('offers no removal of an extension that Azure would not install again', () => {
    const pod = podOf('appservice-ext-k8se-log-processor-x7k2p', running(3, '2026-11-01T09:49:00Z'));
    expect(advise(pod)).toMatchObject([
      { remedies: [{ description: expect.stringContaining('since 2025-09-30'), operations: [] }] },
    ]);
  });
});
