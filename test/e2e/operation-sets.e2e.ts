import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const SUBSCRIPTION = '8f0c1d2e-3b4a-4c5d-8e6f-7a8b9c0d1e2f';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/many`;
const pool = (cluster: string): string =>
  `${GROUP}/providers/Microsoft.ContainerService/managedClusters/${cluster}/agentPools/main`;
/** By ring: one canary, two early ones, the rest. */
const RINGS: Readonly<Record<string, string>> = {
  'aks-0': 'canary',
  'aks-1': 'early',
  'aks-2': 'early',
  'aks-3': 'late',
  'aks-4': 'late',
  'aks-5': 'late',
};
const CLUSTERS = Object.keys(RINGS);

/** Six clusters of one pool each; the rings are tags of the pools, as far as Azure keeps any, and of the clusters. */
function estate(): unknown {
  return {
    tenantId: 'aaaaaaaa-0000-4000-8000-000000000001',
    subscriptions: [
      {
        subscriptionId: SUBSCRIPTION,
        displayName: 'Many clusters',
        registeredProviders: ['Microsoft.ContainerService'],
        resourceGroups: [
          {
            name: 'many',
            location: 'eastus',
            resources: Object.entries(RINGS).map(([name, ring]) => ({
              type: 'Microsoft.ContainerService/managedClusters',
              name,
              location: 'eastus',
              tags: { ring },
              identity: { type: 'SystemAssigned' },
              properties: {
                dnsPrefix: name,
                networkProfile: { networkPlugin: 'azure' },
                agentPoolProfiles: [
                  { name: 'main', count: 1, vmSize: 'Standard_DS2_v2', mode: 'System', tags: { ring } },
                ],
              },
            })),
          },
        ],
      },
    ],
  };
}

describe('sets of operations', () => {
  let stack: Stack;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'sets-'));
    const file = path.join(directory, 'estate.json');
    await writeFile(file, JSON.stringify(estate()));
    stack = await Stack.start({ SIMULATOR_ESTATE: file });
    await stack.until('the pools', async () => {
      const { body } = await stack.api('/v1/agent-pools');
      return body.items.length === CLUSTERS.length;
    });
  }, 120_000);

  afterAll(async () => {
    await stack.stop();
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  afterEach(async () => {
    await stack.simulator('/faults', { method: 'DELETE' });
    await stack.simulator('/settings', { method: 'POST', body: { lroSeconds: 1 } });
  });

  const start = (body: Record<string, unknown>, key?: string): Promise<Answer> =>
    stack.api('/v1/operation-sets', {
      method: 'POST',
      body: { type: 'aks.nodePool.scale', ...body },
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  const endOf = (id: string): Promise<Answer['body']> =>
    stack.until(`the end of the set ${id}`, async () => {
      const { body } = await stack.api(`/v1/operation-sets/${id}`);
      return body.endedAt === null ? undefined : body;
    });
  const itemsOf = async (id: string): Promise<Answer['body'][]> =>
    (await stack.api(`/v1/operation-sets/${id}/items`)).body.items;
  const countOf = async (cluster: string): Promise<number> =>
    (await stack.azure(`${pool(cluster)}?api-version=2026-04-01`)).body.properties.count;

  it('apply one change to everything that a filter chooses, so many at a time', async () => {
    const accepted = await start({ input: { count: 2 }, filter: { resourceGroup: 'many' }, maxConcurrency: 2 });
    expect(accepted).toMatchObject({
      status: 202,
      body: { status: 'Running', field: 'nodePool', counts: { total: 6, waiting: 6 } },
    });
    expect(accepted.headers.get('location')).toBe(`/v1/operation-sets/${accepted.body.id}`);
    let most = 0;
    const ended = await stack.until('the end', async () => {
      const { body } = await stack.api(`/v1/operation-sets/${accepted.body.id}`);
      most = Math.max(most, body.counts.running);
      return body.endedAt === null ? undefined : body;
    });
    expect(most).toBe(2);
    expect(ended).toMatchObject({ status: 'Succeeded', counts: { total: 6, succeeded: 6 }, currentWave: null });
    for (const cluster of CLUSTERS) expect(await countOf(cluster)).toBe(2);
    const { body } = await stack.api(`/v1/operations?set=${accepted.body.id}`);
    expect(body.items).toHaveLength(6);
    expect(body.items[0]).toMatchObject({ set: accepted.body.id, status: 'Succeeded' });
    const audit = await stack.api(`/v1/audit-events?action=operation-set.ended`);
    expect(audit.body.items.at(-1)).toMatchObject({ outcome: 'succeeded', details: { set: accepted.body.id } });
  });

  it('go wave after wave, in the order that was asked for', async () => {
    const { body } = await start({
      input: { count: 3 },
      targets: CLUSTERS.map(pool),
      maxConcurrency: 10,
      waves: { by: 'tag:ring', order: ['canary', 'early'] },
    });
    expect(await endOf(body.id)).toMatchObject({ status: 'Succeeded', waves: { by: 'tag:ring' } });
    const { body: page } = await stack.api(`/v1/operations?set=${body.id}`);
    const spans = (ring: string): { begun: number; ended: number } => {
      const of = page.items.filter((one: Answer['body']) => RINGS[one.target.id.split('/').at(-3)] === ring);
      return {
        begun: Math.min(...of.map((one: Answer['body']) => Date.parse(one.createdAt))),
        ended: Math.max(...of.map((one: Answer['body']) => Date.parse(one.endedAt))),
      };
    };
    expect(spans('early').begun).toBeGreaterThanOrEqual(spans('canary').ended);
    expect(spans('late').begun).toBeGreaterThanOrEqual(spans('early').ended);
  });

  it('stop when more have failed than may, and try the failed ones again with the same input', async () => {
    const before = await countOf('aks-3');
    await stack.simulator('/operations/fail-next', {
      method: 'POST',
      body: { match: { resourceId: pool('aks-0') }, error: { code: 'QuotaExceeded', message: 'No cores.' } },
    });
    const { body } = await start({
      input: { count: 4 },
      targets: CLUSTERS.map(pool),
      maxConcurrency: 1,
      waves: { by: 'tag:ring', order: ['canary', 'early'] },
    });
    const stopped = await endOf(body.id);
    expect(stopped).toMatchObject({ status: 'Stopped', counts: { failed: 1, canceled: 5, succeeded: 0 } });
    const items = await itemsOf(body.id);
    expect(items[0]).toMatchObject({
      status: 'Failed',
      attempts: 1,
      wave: 'canary',
      error: { code: 'AZURE_OPERATION_FAILED' },
    });
    expect(await countOf('aks-3')).toBe(before);

    const again = await stack.api(`/v1/operation-sets/${body.id}/retry`, {
      method: 'POST',
      body: { statuses: ['Failed', 'Canceled'] },
    });
    expect(again).toMatchObject({ status: 202, body: { status: 'Running', input: { count: 4 } } });
    expect(await endOf(body.id)).toMatchObject({ status: 'Succeeded', counts: { succeeded: 6 } });
    expect((await itemsOf(body.id))[0]).toMatchObject({ status: 'Succeeded', attempts: 2, error: null });
  });

  it('skip what the checks refuse, and say why', async () => {
    const { body } = await start({ input: { count: 0 }, targets: [pool('aks-1')] });
    expect(await endOf(body.id)).toMatchObject({ status: 'Succeeded', counts: { skipped: 1, succeeded: 0 } });
    expect((await itemsOf(body.id))[0]).toMatchObject({ status: 'Skipped', error: { code: 'PREFLIGHT_FAILED' } });
    const strict = await start({ input: { count: 0 }, targets: [pool('aks-1')], skipRefused: false });
    expect(await endOf(strict.body.id)).toMatchObject({ status: 'Failed', counts: { failed: 1 } });
  });

  it('can be paused, resumed and stopped; each transition is in the stream, also for one who comes back', async () => {
    await stack.simulator('/settings', { method: 'POST', body: { lroSeconds: 2 } });
    const { body } = await start({ input: { count: 5 }, targets: CLUSTERS.map(pool), maxConcurrency: 1 });
    const act = (action: string, options: object = {}): Promise<Answer> =>
      stack.api(`/v1/operation-sets/${body.id}/${action}`, { method: 'POST', body: options });
    expect((await act('pause')).body).toMatchObject({ status: 'Paused' });
    expect((await act('pause')).body).toMatchObject({ status: 'Paused' });
    await stack.until('what runs to end', async () => {
      const { body: seen } = await stack.api(`/v1/operation-sets/${body.id}`);
      return seen.counts.running === 0 && seen.counts.succeeded <= 1;
    });
    expect((await act('resume')).body).toMatchObject({ status: 'Running' });
    await stack.until('something to run', async () => {
      const { body: seen } = await stack.api(`/v1/operation-sets/${body.id}`);
      return seen.counts.running === 1;
    });
    await act('stop', { cancelRunning: true });
    const stopped = await endOf(body.id);
    expect(stopped.status).toBe('Stopped');
    expect(stopped.counts).toMatchObject({ waiting: 0, running: 0 });
    expect((await act('resume')).body).toMatchObject({ code: 'OPERATION_SET_ENDED', status: 409 });

    const all = await streamOf(body.id);
    expect(all.map((event) => event.data.status)).toEqual(
      expect.arrayContaining(['Running', 'Paused', 'Stopping', 'Stopped']),
    );
    expect(all.at(-1)!.data.status).toBe('Stopped');
    const rest = await streamOf(body.id, all[1]!.id);
    expect(rest.map((event) => event.id)).toEqual(all.slice(2).map((event) => event.id));
  });

  async function streamOf(id: string, after?: string): Promise<{ id: string; data: Answer['body'] }[]> {
    const { body } = await stack.api(`/v1/operation-sets/${id}/events`, {
      headers: { accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': after }) },
    });
    return [...String(body).matchAll(/^id: (\d+)\nevent: operation-set\ndata: (.*)$/gm)].map(([, event, data]) => ({
      id: event!,
      data: JSON.parse(data!),
    }));
  }

  it('are one under one idempotency key, and survive the death of the worker', async () => {
    await stack.simulator('/settings', { method: 'POST', body: { lroSeconds: 1 } });
    const key = randomUUID();
    const wanted = { input: { count: 1 }, targets: CLUSTERS.map(pool), maxConcurrency: 3 };
    const answers = await Promise.all(Array.from({ length: 4 }, () => start(wanted, key)));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect((await start({ ...wanted, input: { count: 2 } }, key)).body).toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    const { id } = answers[0]!.body;
    await stack.until('the first operations', async () => {
      const { body } = await stack.api(`/v1/operation-sets/${id}`);
      return body.counts.running > 0;
    });
    await stack.kill('worker', 'SIGKILL');
    await stack.run('worker');
    expect(await endOf(id)).toMatchObject({ status: 'Succeeded', counts: { succeeded: 6 } });
    const { body } = await stack.api(`/v1/operations?set=${id}`);
    expect(body.items).toHaveLength(6);
    for (const cluster of CLUSTERS) expect(await countOf(cluster)).toBe(1);
  });

  it('only check, in a dry run', async () => {
    const { body } = await start({ input: { count: 7 }, filter: { resourceGroup: 'many' }, dryRun: true });
    expect(await endOf(body.id)).toMatchObject({ status: 'Succeeded', dryRun: true, counts: { succeeded: 6 } });
    expect(await countOf('aks-0')).toBe(1);
  });

  it('are the same over GraphQL', async () => {
    const started = await stack.graphql(
      `mutation ($request: OperationSetRequest!) {
        startOperationSet(request: $request) { id status counts { total } waves { by order } }
      }`,
      { request: { type: 'aks.nodePool.scale', input: { count: 2 }, targets: [pool('aks-0'), pool('aks-1')] } },
    );
    expect(started.body.errors).toBeUndefined();
    const { id } = started.body.data.startOperationSet;
    await endOf(id);
    const read = await stack.graphql(`{
      operationSet(id: "${id}") { status counts { succeeded } }
      operationSets(first: 1) { nodes { id } }
      operationSetItems(id: "${id}") { nodes { position status target { id } operation } }
      none: operationSet(id: "${randomUUID()}") { id }
    }`);
    expect(read.body).toMatchObject({
      data: {
        operationSet: { status: 'Succeeded', counts: { succeeded: 2 } },
        operationSets: { nodes: [{ id }] },
        operationSetItems: { nodes: [{ position: 0, status: 'Succeeded' }, { position: 1 }] },
        none: null,
      },
    });
  });

  it.each([
    { body: { input: { count: 2 } }, code: 'INVALID_REQUEST', path: 'targets', reason: 'nothing is chosen' },
    {
      body: { input: { count: 2 }, targets: ['x'] },
      code: 'INVALID_REQUEST',
      path: 'targets[0]',
      reason: 'a target that is none',
    },
    {
      body: { input: { count: 2 }, filter: { name: 'nobody' } },
      code: 'INVALID_REQUEST',
      path: 'filter',
      reason: 'a filter that nothing fits',
    },
    {
      body: { input: { count: 2 }, filter: { kind: 'Fleet' } },
      code: 'INVALID_REQUEST',
      path: 'filter.kind',
      reason: 'another kind than the operation takes',
    },
    {
      body: { input: { count: -1 }, targets: [pool('aks-0')] },
      code: 'INVALID_REQUEST',
      path: 'input.count',
      reason: 'an input that no target can have',
    },
    {
      body: { input: { count: 1, nodePool: pool('aks-0') }, targets: [pool('aks-0')], field: 'nodePool' },
      code: 'INVALID_REQUEST',
      path: 'input.nodePool',
      reason: 'the target is in the input already',
    },
    {
      body: { input: { count: 1 }, targets: [pool('aks-0')], waves: { by: 'moon' } },
      code: 'INVALID_REQUEST',
      path: 'waves.by',
      reason: 'waves by something that is nowhere',
    },
    {
      body: { type: 'kubernetes.registrySecret.create', input: {}, targets: ['x'] },
      code: 'INVALID_REQUEST',
      path: 'type',
      reason: 'a type with secret inputs',
    },
    { body: { type: 'no.such.thing', targets: ['x'] }, code: 'UNKNOWN_OPERATION_TYPE', reason: 'an unknown type' },
  ])('are refused: $reason', async ({ body, code, path: at }) => {
    const answer = await start(body);
    expect(answer.body).toMatchObject({ code });
    if (at !== undefined) expect(answer.body.violations.map((one: { path: string }) => one.path)).toContain(at);
  });

  it('may be read but not started by a viewer', async () => {
    const { viewerToken: token } = stack;
    expect((await stack.api('/v1/operation-sets', { token })).status).toBe(200);
    const refused = await stack.api('/v1/operation-sets', {
      method: 'POST',
      token,
      body: { type: 'aks.nodePool.scale', input: { count: 1 }, targets: [pool('aks-0')] },
    });
    expect(refused).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });
});
