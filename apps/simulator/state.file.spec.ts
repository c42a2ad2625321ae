import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AKS_VERSION,
  CLUSTER_2,
  FLEET,
  FLEET_VERSION,
  POOL_1,
  SUBSCRIPTION,
  SimulatedAzure,
  propertiesOf,
} from './simulated-azure.harness.js';

let directory: string;
let stateFile: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'simulator-'));
  stateFile = path.join(directory, 'below', 'state.json');
});
afterEach(async () => rm(directory, { recursive: true }));

describe('the state file', () => {
  it('brings back resources, operations in flight and their poll URLs, registrations and quotas', async () => {
    const first = await SimulatedAzure.start({ stateFile });
    const member = `${FLEET}/members/demo-aks02`;
    const { headers } = await first.put(member, FLEET_VERSION, { properties: { clusterResourceId: CLUSTER_2 } });
    const failure = { code: 'SubnetIsFull', message: 'full' };
    await first.control('POST', '/operations/fail-next', { match: { resourceId: POOL_1 }, error: failure });
    await first.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'eastus', cores: 9 });
    await first.send('POST', `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Web/register`, {
      version: '2021-04-01',
    });
    const etag = (await first.get(FLEET, FLEET_VERSION)).body.eTag;
    await first.stop();

    const second = await SimulatedAzure.start({ stateFile });
    expect((await second.get(FLEET, FLEET_VERSION)).body.eTag).toBe(etag);
    expect((await second.follow(headers['azure-asyncoperation'])).body.status).toBe('InProgress');
    expect((await second.put(member, FLEET_VERSION, { properties: { clusterResourceId: CLUSTER_2 } })).status).toBe(
      409,
    );
    second.finishOperations();
    expect((await second.follow(headers['azure-asyncoperation'])).body.status).toBe('Succeeded');
    expect(propertiesOf((await second.get(member, FLEET_VERSION)).body).provisioningState).toBe('Succeeded');
    const provider = await second.get(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Web`, '2021-04-01');
    expect(provider.body.registrationState).toBe('Registered');
    const beyond = await second.put(POOL_1, AKS_VERSION, { properties: { count: 5 } });
    expect(beyond.body.code).toBe('QuotaExceeded');
    await second.put(POOL_1, AKS_VERSION, { properties: { count: 1 } });
    second.finishOperations();
    expect(propertiesOf((await second.get(POOL_1, AKS_VERSION)).body).provisioningState).toBe('Failed');
    expect((await second.query('aksresources | count')).body.data).toEqual([{ Count: 2 }]);
    await second.stop();
  });

  it('gives out no eTag twice', async () => {
    const first = await SimulatedAzure.start({ stateFile });
    const seen = [];
    for (let write = 0; write < 3; write++) {
      await first.send('PATCH', FLEET, { version: FLEET_VERSION, body: { tags: { a: String(write) } } });
      seen.push((await first.get(FLEET, FLEET_VERSION)).body.eTag);
      first.finishOperations();
    }
    await first.stop();
    const second = await SimulatedAzure.start({ stateFile });
    seen.push((await second.send('PATCH', FLEET, { version: FLEET_VERSION, body: { tags: {} } })).body.eTag);
    expect(new Set(seen).size).toBe(seen.length);
    await second.stop();
  });

  it('is written while the simulator runs, whole or not at all', async () => {
    const first = await SimulatedAzure.start({ stateFile });
    await first.stop();
    const second = await SimulatedAzure.start({ stateFile });
    await second.control('POST', '/resources', { id: CLUSTER_2, operation: 'delete' });
    // What is read at any moment is what a new process would find after a SIGKILL of this one.
    const deadline = Date.now() + 5000;
    let found = true;
    while (found && Date.now() < deadline) {
      await setTimeout(10);
      const { resources } = JSON.parse(await readFile(stateFile, 'utf8')) as { resources: { key: string }[] };
      found = resources.some(({ key }) => key === CLUSTER_2.toLowerCase());
    }
    expect(found).toBe(false);
    await second.stop();
    expect(await readdir(path.dirname(stateFile))).toEqual(['state.json']);
  });

  it('of another format is refused', async () => {
    const foreign = path.join(directory, 'foreign.json');
    await writeFile(foreign, '{"format":99}');
    await expect(SimulatedAzure.start({ stateFile: foreign })).rejects.toThrow(TypeError);
  });
});
