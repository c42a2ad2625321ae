import { describe, expect, it } from '@jest/globals';
import { Counter, Registry } from 'prom-client';
import type { ReadinessControl } from '#libs/control/readiness.control.js';
import { createHealthServer } from './health.server.js';

describe('the health server of a worker', () => {
  const serverWith = (ready: boolean, isRunning = true) => {
    const readiness: Pick<ReadinessControl, 'check'> = {
      check: async () => ({ ready, checks: [{ name: 'database', ok: ready, message: ready ? null : 'gone' }] }),
    };
    const registry = new Registry();
    new Counter({ name: 'something_total', help: 'Something.', registers: [registry] }).inc();
    return createHealthServer(readiness as ReadinessControl, { isRunning }, registry);
  };

  it.each([
    { route: '/livez', ready: false, status: 200, body: /live/, reason: 'it lives also when it is not ready' },
    { route: '/readyz', ready: true, status: 200, body: /"ok":true/, reason: 'ready' },
    { route: '/readyz', ready: false, status: 503, body: /gone/, reason: 'not ready, and why' },
    { route: '/readyz', ready: true, isRunning: false, status: 503, body: /engine/, reason: 'it takes no jobs' },
    { route: '/metrics', ready: true, status: 200, body: /something_total 1/, reason: 'what was counted' },
    { route: '/else', ready: true, status: 404, body: /Not Found/, reason: 'nothing else' },
  ])('$route answers $status: $reason', async ({ route, ready, isRunning, status, body }) => {
    const answer = await serverWith(ready, isRunning).inject(route);
    expect(answer.statusCode).toBe(status);
    expect(answer.body).toMatch(body);
  });
});
