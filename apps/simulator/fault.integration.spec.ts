import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AKS_VERSION, CLUSTER_1, POOL_1 } from './simulated-azure.harness.js';
import { type Simulator, createSimulator } from './simulator.server.js';

let simulator: Simulator;
let base: string;
beforeEach(async () => {
  simulator = await createSimulator();
  base = await simulator.listen();
});
afterEach(async () => simulator.close());

async function fault(request: object): Promise<void> {
  const response = await fetch(`${base}/_simulator/faults`, { method: 'POST', body: JSON.stringify(request) });
  expect(response.status).toBe(201);
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: 'Bearer test', 'content-type': 'application/json' };
  return fetch(`${base}${path}?api-version=${AKS_VERSION}`, { headers, ...init });
}

describe('faults of the connection', () => {
  it('drop: the connection dies and nothing happened', async () => {
    await fault({ match: { method: 'PUT' }, fault: { type: 'drop' }, times: 1 });
    const put = { method: 'PUT', body: JSON.stringify({ properties: { count: 3 } }) };
    await expect(send(POOL_1, put)).rejects.toThrow('fetch failed');
    expect(await (await send(POOL_1)).text()).toContain('"count":1');
  });

  it('drop-after-effect: the answer is lost, the change is made', async () => {
    await fault({ match: { method: 'PUT' }, fault: { type: 'drop-after-effect' }, times: 1 });
    const put = { method: 'PUT', body: JSON.stringify({ properties: { count: 3 } }) };
    await expect(send(POOL_1, put)).rejects.toThrow('fetch failed');
    expect(await (await send(POOL_1)).text()).toContain('"count":3');
    const log = await (await fetch(`${base}/_simulator/requests?method=PUT`)).json();
    expect(log).toMatchObject({ requests: [{ status: null, fault: 'drop-after-effect' }] });
  });

  it('hang: nothing comes until the time is over, then the connection dies', async () => {
    await fault({ fault: { type: 'hang', seconds: 0.2 }, times: 1 });
    const started = performance.now();
    await expect(send(CLUSTER_1)).rejects.toThrow('fetch failed');
    expect(performance.now() - started).toBeGreaterThanOrEqual(190);
  });

  it('slow: the answer comes, later', async () => {
    await fault({ fault: { type: 'slow', milliseconds: 200 }, times: 1 });
    const started = performance.now();
    expect((await send(CLUSTER_1)).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThanOrEqual(190);
  });

  it('a caller who gives up does not disturb the simulator', async () => {
    await fault({ fault: { type: 'hang', seconds: 600 }, times: 1 });
    await expect(send(CLUSTER_1, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    expect((await send(CLUSTER_1)).status).toBe(200);
  });

  it('the simulator shuts down although somebody hangs', async () => {
    await fault({ fault: { type: 'hang', seconds: 600 }, times: 1 });
    const hanging = expect(send(CLUSTER_1)).rejects.toThrow('fetch failed');
    await simulator.close();
    await hanging;
  });
});
