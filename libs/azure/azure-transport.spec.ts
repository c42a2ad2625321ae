import { describe, expect, it } from '@jest/globals';
import { createHttpHeaders, type HttpClient } from '@azure/core-rest-pipeline';
import { Secret } from '#libs/kernel/secret.js';
import { WorkerLease } from '#libs/kernel/worker-lease.js';
import { createAzure } from './azure.js';
import { DEFAULT_AZURE_OPTIONS } from './azure.options.js';

const POOL =
  '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c/agentPools/p';
const VERSION = '2026-04-01';
const HOLD_MS = 4_000;

/** A worker of which the others have heard, with a clock that a test moves and an Azure that says yes to everything. */
function aWorker(answers: number[] = []) {
  let at = 0;
  const sent: string[] = [];
  const lease = new WorkerLease(() => ({ monotonicMs: at, wallMs: at }));
  lease.renew(lease.now(), HOLD_MS, false);
  const sender: HttpClient = {
    sendRequest: async (request) => {
      sent.push(request.method);
      const status = answers.shift() ?? 200;
      // Every answer takes as long as a stall.
      if (status === 429) at += HOLD_MS;
      return { request, status, headers: createHttpHeaders(), bodyAsText: '{}' };
    },
  };
  const { arm } = createAzure(
    { ...DEFAULT_AZURE_OPTIONS, armEndpoint: 'http://127.0.0.1:1', staticToken: new Secret('test'), retryBaseMs: 1 },
    { sender, guard: lease },
  );
  return { arm, sent, lease, stall: () => (at += HOLD_MS) };
}

describe('the way to Azure, of a worker that may have been taken for dead', () => {
  const context = { correlationId: 'c' };

  it('lets writes pass while the lease is held', async () => {
    const { arm, sent } = aWorker();
    await arm.put(POOL, VERSION, {}, context);
    expect(sent).toEqual(['PUT']);
  });

  it.each([
    { method: 'PUT', write: (arm: ReturnType<typeof aWorker>['arm']) => arm.put(POOL, VERSION, {}, context) },
    { method: 'PATCH', write: (arm: ReturnType<typeof aWorker>['arm']) => arm.patch(POOL, VERSION, {}, context) },
    { method: 'DELETE', write: (arm: ReturnType<typeof aWorker>['arm']) => arm.delete(POOL, VERSION, context) },
    {
      method: 'POST',
      write: (arm: ReturnType<typeof aWorker>['arm']) => arm.post(`${POOL}/abort`, VERSION, undefined, context),
    },
  ])('sends no $method after a stall', async ({ write }) => {
    const { arm, sent, stall } = aWorker();
    stall();
    await expect(write(arm)).rejects.toMatchObject({ code: 'FENCED', retryable: true });
    expect(sent).toEqual([]);
  });

  it('reads on, and so do actions that only list', async () => {
    const { arm, sent, stall } = aWorker();
    stall();
    await arm.get(POOL, VERSION, context);
    await arm.post(`${POOL}/listCredentials`, VERSION, undefined, context);
    expect(sent).toEqual(['GET', 'POST']);
  });

  it('does not repeat a write that was refused before the stall', async () => {
    const { arm, sent } = aWorker([429]);
    await expect(arm.put(POOL, VERSION, {}, context)).rejects.toMatchObject({ code: 'FENCED' });
    expect(sent).toEqual(['PUT']);
  });

  it('sends nothing more of work that began before the stall, though the lease is held again', async () => {
    const { arm, sent, lease, stall } = aWorker();
    const signal = lease.term!;
    stall();
    lease.renew(lease.now(), HOLD_MS, true);
    await expect(arm.put(POOL, VERSION, {}, { ...context, signal })).rejects.toMatchObject({ code: 'FENCED' });
    expect(sent).toEqual([]);
    await arm.put(POOL, VERSION, {}, { ...context, signal: lease.term! });
    expect(sent).toEqual(['PUT']);
  });
});
