import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const root = path.resolve(import.meta.dirname, '../..');
const GROUP = '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/demo_aks01';
const pool = (cluster: string): string =>
  `${GROUP}/providers/Microsoft.ContainerService/managedClusters/${cluster}/agentPools/nodepool1`;
const POOL_PUTS = /\/agentpools\/nodepool1$/i;

/** The syncs alone: the watches of a hub are refused for as long as nobody has given us its role. */
function ofAzure(unavailable: { scope: string; reason: string; problem: { code: string } }[]) {
  return unavailable.filter(({ scope }) => /^(aks|fleet):/.test(scope));
}

describe('durable operations', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  afterEach(async () => {
    await stack.simulator('/faults', { method: 'DELETE' });
    await stack.simulator('/settings', { method: 'POST', body: { lroSeconds: 1 } });
  });

  const settle = (lroSeconds: number) => stack.simulator('/settings', { method: 'POST', body: { lroSeconds } });
  const puts = async (): Promise<number> => (await stack.azureRequests('PUT', POOL_PUTS)).length;
  const countOf = async (cluster: string): Promise<number> =>
    (await stack.azure(`${pool(cluster)}?api-version=2026-04-01`)).body.properties.count;

  it('scale a pool, and show the new count at once', async () => {
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks01'), count: 3 });
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({ status: 'Succeeded', error: null });
    expect(ended.steps.every((step: { status: string }) => step.status === 'Succeeded')).toBe(true);
    const item = await stack.api(`/v1/agent-pools/${ended.target.uid}`);
    // A sync may have seen it once more since.
    expect(item.body).toMatchObject({ properties: { count: 3 } });
    expect(['OPERATION', 'RESOURCE_GRAPH', 'ARM']).toContain(item.body.freshness.source);
    const cluster = await stack.api('/v1/managed-clusters?name=demo-aks01');
    expect(cluster.body.items[0].properties.nodeCount).toBe(3);
    expect(await countOf('demo-aks01')).toBe(3);
  });

  it('are one operation under one idempotency key, and another body is refused', async () => {
    const key = randomUUID();
    const input = { nodePool: pool('demo-aks01'), count: 2 };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => stack.startOperation('aks.nodePool.scale', input, key)),
    );
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    const other = await stack.startOperation('aks.nodePool.scale', { ...input, count: 4 }, key);
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', status: 409 });
    await stack.endOf(answers[0]!.body.id);
    const again = await stack.startOperation('aks.nodePool.scale', input, key);
    expect(again.body).toMatchObject({ id: answers[0]!.body.id, status: 'Succeeded' });
  });

  it('wait for a change that somebody else started, and send no second PUT', async () => {
    await stack.simulator('/resources', {
      method: 'POST',
      body: { id: pool('demo-aks02'), operation: 'patch', body: {}, longRunning: { seconds: 4, state: 'Updating' } },
    });
    const before = await puts();
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks02'), count: 2 });
    await stack.until('the operation to wait', async () => {
      const operation = (await stack.api(`/v1/operations/${body.id}`)).body;
      return operation.status === 'Waiting' || operation.status === 'Failed';
    });
    expect(await puts()).toBe(before);
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({ status: 'Succeeded' });
    expect(await puts()).toBe(before + 1);
    expect(await countOf('demo-aks02')).toBe(2);
  });

  it('are resumed from their token after the worker was killed, without a second PUT', async () => {
    await settle(6);
    const before = await puts();
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks02'), count: 5 });
    await stack.until('the PUT and its token', async () => {
      const operation = (await stack.api(`/v1/operations/${body.id}`)).body;
      return operation.status === 'Waiting' && (await puts()) === before + 1;
    });
    await stack.kill('worker', 'SIGKILL');
    await stack.run('worker');
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({ status: 'Succeeded' });
    expect(await puts()).toBe(before + 1);
    expect(await countOf('demo-aks02')).toBe(5);
    const events = await stack.api(`/v1/audit-events?operationId=${body.id}`);
    expect(events.body.items).toHaveLength(2);
  });

  it('have their effect once when the worker dies while it holds the job', async () => {
    await settle(1);
    // The PUT takes effect, its answer takes so long that the worker is dead by then: no token was ever seen.
    await stack.simulator('/faults', {
      method: 'POST',
      body: { match: { method: 'PUT', path: 'agentpools' }, times: 1, fault: { type: 'drop-after-effect' } },
    });
    const before = await puts();
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks02'), count: 1 });
    await stack.until('the PUT', async () => (await puts()) === before + 1);
    await stack.kill('worker', 'SIGKILL');
    await stack.run('worker');
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({ status: 'Succeeded' });
    expect(await puts()).toBe(before + 1);
    expect(await countOf('demo-aks02')).toBe(1);
  });

  it('survive a database that is killed and comes back', async () => {
    await settle(4);
    const before = await puts();
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks02'), count: 3 });
    await stack.until('the PUT', async () => (await puts()) === before + 1);
    process.kill(stack.postgres.processId!, 'SIGKILL');
    await stack.postgres.exited();
    const down = await stack.api('/readyz', { token: null });
    expect(down).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    await stack.postgres.start();
    await stack.until(
      'the API to be ready again',
      async () => (await stack.api('/readyz', { token: null })).status === 200,
    );
    expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
    expect(await puts()).toBe(before + 1);
    expect(await countOf('demo-aks02')).toBe(3);
  });

  it('need no token in the worker, whose silence takes none away', async () => {
    await stack.kill('worker', 'SIGTERM');
    await stack.run('worker', { PILOTHOUSE_TOKEN: '', PILOTHOUSE_VIEWER_TOKEN: '' });
    const { body } = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'aks.nodePool.scale', input: { nodePool: pool('demo-aks02'), count: 3 }, dryRun: true },
    });
    expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
  });

  it('fail with Azure’s own reason, and the cache shows what is really there', async () => {
    await stack.simulator('/operations/fail-next', {
      method: 'POST',
      body: {
        match: { type: 'Microsoft.ContainerService/managedClusters/agentPools' },
        error: { code: 'AKSCapacityError', message: 'There is no capacity in this region.' },
      },
    });
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks01'), count: 4 });
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({
      status: 'Failed',
      error: { code: 'AZURE_OPERATION_FAILED', externalCode: 'AKSCapacityError' },
    });
    const item = await stack.api(`/v1/agent-pools/${ended.target.uid}`);
    expect(item.body).toMatchObject({ provisioningState: 'Failed', health: 'Degraded' });
  });

  it('get through a storm of throttling', async () => {
    await stack.simulator('/faults', {
      method: 'POST',
      body: { match: { path: 'agentpools' }, times: 3, fault: { type: 'throttle', retryAfterSeconds: 1 } },
    });
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks01'), count: 1 });
    expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
  });

  it('leave the cache as it was when a sync fails, and the answer says what it cannot vouch for', async () => {
    const { body: before } = await stack.api('/v1/resources?limit=1000');
    await stack.simulator('/faults', {
      method: 'POST',
      body: { match: { method: 'POST' }, fault: { type: 'throttle' } },
    });
    await stack.simulator('/faults', {
      method: 'POST',
      body: { match: { method: 'GET' }, fault: { type: 'error', status: 503 } },
    });
    const partial = await stack.until('both syncs to fail', async () => {
      const { body } = await stack.api('/v1/resources?limit=1000');
      return ofAzure(body.unavailable).length === 2 ? body : undefined;
    });
    expect(partial.partial).toBe(true);
    for (const part of ofAzure(partial.unavailable)) {
      expect(['failed', 'partial']).toContain(part.reason);
      expect(part.problem.code).toMatch(/^AZURE_/);
    }
    expect(partial.items.map((item: { uid: string }) => item.uid)).toEqual(
      before.items.map((item: { uid: string }) => item.uid),
    );
    const overGraphql = await stack.graphql('{ fleets { partial unavailable { scope } } }');
    expect(overGraphql.body.data.fleets.partial).toBe(true);
    await stack.simulator('/faults', { method: 'DELETE' });
    await stack.until('the sync to recover', async () => {
      const { body } = await stack.api('/v1/resources?limit=1');
      return ofAzure(body.unavailable).length === 0;
    });
  });

  it('can be canceled while they are pending', async () => {
    await settle(4);
    const first = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks01'), count: 2 });
    const second = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks01'), count: 6 });
    const canceled = await stack.api(`/v1/operations/${second.body.id}/cancel`, { method: 'POST' });
    expect(canceled.status).toBeLessThan(300);
    expect(await stack.endOf(second.body.id)).toMatchObject({ status: 'Canceled' });
    expect(await stack.endOf(first.body.id)).toMatchObject({ status: 'Succeeded' });
    expect(await countOf('demo-aks01')).toBe(2);
    const tooLate = await stack.api(`/v1/operations/${first.body.id}/cancel`, { method: 'POST' });
    expect(tooLate).toMatchObject({ status: 409, body: { code: 'NOT_CANCELABLE' } });
  });

  const aborts = async (): Promise<number> =>
    (await stack.azureRequests('POST', /\/agentPools\/nodepool1\/abort$/i)).length;
  /** Cancels a scaling that Azure is at. */
  const cancelUnderWay = async (count: number): Promise<Answer['body']> => {
    await settle(6);
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks01'), count });
    await stack.until('Azure to be at it', async () => {
      const { body: seen } = await stack.api(`/v1/operations/${body.id}`);
      return seen.steps.find(({ name }: { name: string }) => name === 'scale').status === 'Waiting';
    });
    const canceling = await stack.api(`/v1/operations/${body.id}/cancel`, { method: 'POST' });
    expect(canceling.body.status).toBe('Canceling');
    await settle(1);
    return stack.endOf(body.id);
  };

  it('stop what Azure is at when they are canceled, and say how it was left', async () => {
    const before = await aborts();
    const canceled = await cancelUnderWay(7);
    expect(canceled).toMatchObject({ status: 'Canceled', error: null, message: expect.stringContaining('stopped') });
    expect(canceled.steps.find(({ name }: { name: string }) => name === 'scale').status).toBe('Failed');
    expect(await aborts()).toBe(before + 1);
    const { body } = await stack.azure(`${pool('demo-aks01')}?api-version=2026-04-01`);
    expect(body.properties.provisioningState).toBe('Canceled');
    const { body: again } = await stack.startOperation('aks.nodePool.scale', {
      nodePool: pool('demo-aks01'),
      count: 3,
    });
    expect(await stack.endOf(again.id)).toMatchObject({ status: 'Succeeded' });
  });

  it('see what Azure will not stop through, and say that the cancellation came too late', async () => {
    const before = await aborts();
    await stack.simulator('/faults', {
      method: 'POST',
      body: {
        match: { method: 'POST', path: '/agentPools/nodepool1/abort$' },
        fault: { type: 'error', status: 400, body: { code: 'OperationNotAllowed', message: 'It cannot be aborted.' } },
      },
    });
    const ended = await cancelUnderWay(4);
    expect(ended).toMatchObject({ status: 'Succeeded', message: expect.stringContaining('too late') });
    // Asked once, whatever the number of looks.
    expect(await aborts()).toBe(before + 1);
    expect(await countOf('demo-aks01')).toBe(4);
  });

  it('tell what they would do in a dry run, and do nothing', async () => {
    const before = await puts();
    const { body } = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'aks.nodePool.scale', input: { nodePool: pool('demo-aks01'), count: 9 }, dryRun: true },
    });
    const ended = await stack.endOf(body.id);
    expect(ended).toMatchObject({ status: 'Succeeded', dryRun: true });
    expect(ended.result.plan.length).toBeGreaterThan(0);
    const [step] = ended.result.changes.steps;
    expect(step).toMatchObject({ would: 'change', method: 'PUT', isNew: false });
    expect(step.differences).toEqual([{ path: '.properties.count', before: expect.any(Number), after: 9 }]);
    expect(await puts()).toBe(before);
  });

  it('may be read but not started by a viewer, and the refusal is on record', async () => {
    const { viewerToken: token } = stack;
    expect((await stack.api('/v1/operations', { token })).status).toBe(200);
    const refused = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'aks.nodePool.scale', input: { nodePool: pool('demo-aks01'), count: 1 } },
      token,
    });
    expect(refused).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await stack.api('/v1/audit-events', { token })).status).toBe(403);
    const { body } = await stack.api('/v1/audit-events?action=operation.denied');
    expect(body.items[0]).toMatchObject({ principalName: 'viewer', outcome: 'denied' });
  });

  it('stream their transitions, also to one who comes back', async () => {
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool: pool('demo-aks02'), count: 2 });
    await stack.endOf(body.id);
    const read = async (headers: Record<string, string>) => {
      const { body: text } = await stack.api(`/v1/operations/${body.id}/events`, {
        headers: { accept: 'text/event-stream', ...headers },
      });
      return (text as string).match(/^id: ?(\d+)$/gm)!.map((line) => Number(line.replace(/\D/g, '')));
    };
    const all = await read({});
    expect(all).toEqual(all.map((_id, index) => index + 1));
    expect(await read({ 'last-event-id': '2' })).toEqual(all.slice(2));
  });

  it('are followed all together, by a filter, from where one was', async () => {
    const target = encodeURIComponent(pool('demo-aks02'));
    let after = '';
    for (let unread = true; unread;) {
      const { body } = await stack.api(`/v1/operation-events?limit=100${after === '' ? '' : `&after=${after}`}`);
      unread = body.items.length > 0;
      after = body.nextCursor;
    }
    const input = { nodePool: pool('demo-aks02'), count: 4 };
    const { body: mine } = await stack.startOperation('aks.nodePool.scale', input);
    const { body: other } = await stack.startOperation('aks.nodePool.scale', {
      nodePool: pool('demo-aks01'),
      count: 2,
    });
    await Promise.all([stack.endOf(mine.id), stack.endOf(other.id)]);
    const page = await stack.until('the last transition', async () => {
      const { body } = await stack.api(`/v1/operation-events?target=${target}&after=${after}&limit=100`);
      return body.items.at(-1)?.operation.status === 'Succeeded' ? body : undefined;
    });
    const ids = new Set(page.items.map(({ operation }: { operation: { id: string } }) => operation.id));
    expect([...ids]).toEqual([mine.id]);
    const statuses = page.items.map(({ operation }: { operation: { status: string } }) => operation.status);
    expect(statuses.slice(0, 2)).toEqual(['Pending', 'Running']);
    // From the second transition on, the rest comes by way of the stream, too.
    const leave = new AbortController();
    const stream = await fetch(`${stack.apiUrl}/v1/operation-events?target=${target}`, {
      headers: {
        authorization: `Bearer ${stack.adminToken}`,
        accept: 'text/event-stream',
        'last-event-id': page.items[1].id,
      },
      signal: leave.signal,
    });
    let text = '';
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('"status":"Succeeded"')) break;
    }
    leave.abort();
    const streamed = text.match(/^id: .+$/gm)!.map((line) => line.slice('id: '.length));
    expect(streamed).toEqual(page.items.slice(2).map(({ id }: { id: string }) => id));
  });

  it('share one budget of calls to Azure, which everybody can see', async () => {
    const { body: scaling } = await stack.startOperation('aks.nodePool.scale', {
      nodePool: pool('demo-aks02'),
      count: 3,
    });
    await stack.endOf(scaling.id);
    const { body } = await stack.api('/v1/budgets');
    const writes = body.items.find(({ callClass }: { callClass: string }) => callClass === 'writes');
    expect(writes).toMatchObject({ capacity: 200, refillPerSecond: 10, closedForSeconds: expect.any(Number) });
    const callersOf = ({ callers }: { callers: { caller: string }[] }) => callers.map(({ caller }) => caller);
    expect(callersOf(writes)).toContain('principal:administrator');
    expect(body.items.flatMap(callersOf)).toContain('sync');
    expect((await stack.api('/v1/budgets', { token: null })).status).toBe(401);
  });

  it('leave an audit log that can be checked without Pilothouse', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-audit-'));
    try {
      const [events, checkpoints] = [path.join(directory, 'events.json'), path.join(directory, 'checkpoints.json')];
      const log = (await stack.api('/v1/audit-events?limit=1000')).body;
      const signed = await stack.until('a checkpoint of the whole log', async () => {
        const { body } = await stack.api('/v1/audit-checkpoints?limit=1000');
        return body.items.at(-1)?.sequence >= log.items.length ? body : undefined;
      });
      const covered = signed.items.filter(
        (checkpoint: { sequence: number }) => checkpoint.sequence <= log.items.length,
      );
      await writeFile(events, JSON.stringify(log));
      await writeFile(checkpoints, JSON.stringify(covered));
      const verify = () =>
        promisify(execFile)(process.execPath, [path.join(root, 'dist/apps/audit-verify/main.js'), events, checkpoints]);
      expect((await verify()).stdout).toContain(`${log.items.length} events`);
      log.items[1].principalName = 'nobody';
      await writeFile(events, JSON.stringify(log));
      await expect(verify()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('HASH_MISMATCH') });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('write no secret into any log', () => {
    for (const secret of [stack.adminToken, stack.viewerToken, 'PRIVATE KEY', '&s=', 'end-to-end']) {
      expect(stack.output).not.toContain(secret);
    }
  });
});
