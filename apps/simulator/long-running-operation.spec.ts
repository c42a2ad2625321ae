import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AKS_VERSION,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  FLEET_VERSION,
  MEMBER_1,
  POOL_1,
  SimulatedAzure,
  codeOf,
  propertiesOf,
  textOf,
} from './simulated-azure.harness.js';

const MEMBER_2 = `${FLEET}/members/demo-aks02`;
const join = { properties: { clusterResourceId: CLUSTER_2 } };
const scale = { properties: { count: 3 } };

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

describe('checklist 4: the first answer', () => {
  it('of a creation is 201 with a state that is not final, which GET shows at once', async () => {
    const created = await azure.put(MEMBER_2, FLEET_VERSION, join);
    expect([created.status, propertiesOf(created.body).provisioningState]).toEqual([201, 'Joining']);
    expect(propertiesOf((await azure.get(MEMBER_2, FLEET_VERSION)).body).provisioningState).toBe('Joining');
    azure.finishOperations();
    expect(propertiesOf((await azure.get(MEMBER_2, FLEET_VERSION)).body).provisioningState).toBe('Succeeded');
  });

  it('of a change is 200', async () => {
    const changed = await azure.put(POOL_1, AKS_VERSION, scale);
    expect([changed.status, propertiesOf(changed.body).provisioningState]).toEqual([200, 'Updating']);
  });

  it('of a PUT names the operation alone: no Location, no Retry-After, no ETag header', async () => {
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    expect(headers['azure-asyncoperation']).toBeDefined();
    for (const absent of ['location', 'retry-after', 'etag']) expect(headers).not.toHaveProperty(absent);
  });

  it('of a deletion is 202 with both URLs: with the resource for a fleet, empty for AKS', async () => {
    const ofMember = await azure.send('DELETE', MEMBER_1, { version: FLEET_VERSION });
    expect([ofMember.status, propertiesOf(ofMember.body).provisioningState]).toEqual([202, 'Leaving']);
    const ofCluster = await azure.send('DELETE', CLUSTER_2, { version: AKS_VERSION });
    expect([ofCluster.status, ofCluster.text]).toEqual([202, '']);
    for (const { headers } of [ofMember, ofCluster]) {
      expect(headers).toHaveProperty('azure-asyncoperation');
      expect(headers.location).toContain('/operationresults/');
    }
  });

  it('of a PATCH of a fleet is 202, and its Location ends with the resource', async () => {
    const patched = await azure.send('PATCH', FLEET, { version: FLEET_VERSION, body: { tags: { a: 'b' } } });
    expect([patched.status, propertiesOf(patched.body).provisioningState]).toEqual([202, 'Updating']);
    expect((await azure.follow(patched.headers.location)).status).toBe(202);
    azure.finishOperations();
    const end = await azure.follow(patched.headers.location);
    expect([end.status, end.body.name]).toEqual([200, 'aks-fleet01']);
    expect(end.body.tags).toEqual({ environment: 'demo', team: 'platform', a: 'b' });
  });
});

describe('checklist 5: polls', () => {
  it('of an Azure-AsyncOperation URL always answer 200', async () => {
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    const early = await azure.follow(headers['azure-asyncoperation']);
    expect([early.status, early.body.status]).toEqual([200, 'InProgress']);
    expect(early.body).not.toHaveProperty('endTime');
    expect(early.headers).not.toHaveProperty('retry-after');
    azure.finishOperations();
    const late = await azure.follow(headers['azure-asyncoperation']);
    expect([late.status, late.body.status]).toEqual([200, 'Succeeded']);
    expect(late.body.endTime).toBe('2026-11-01T10:00:03.000Z');
  });

  it('of a Location URL answer 202, then 204 where there is nothing to show', async () => {
    const { headers } = await azure.send('DELETE', CLUSTER_1, { version: AKS_VERSION });
    expect((await azure.follow(headers.location)).status).toBe(202);
    azure.finishOperations();
    expect((await azure.follow(headers.location)).status).toBe(204);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(404);
  });

  it('count as reads, and tell what is left for all callers only', async () => {
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    const poll = await azure.follow(headers['azure-asyncoperation']);
    expect(poll.headers).toHaveProperty('x-ms-ratelimit-remaining-subscription-global-reads');
    expect(poll.headers).not.toHaveProperty('x-ms-ratelimit-remaining-subscription-reads');
  });

  it('carry Retry-After when the simulator is told to hurry its callers', async () => {
    await azure.control('POST', '/settings', { retryAfterSeconds: 0 });
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    expect(headers['retry-after']).toBe('0');
    expect((await azure.follow(headers['azure-asyncoperation'])).headers['retry-after']).toBe('0');
  });

  it('are done at the first look when operations take no time', async () => {
    await azure.control('POST', '/settings', { lroSeconds: 0 });
    const { headers, body } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    expect(propertiesOf(body).provisioningState).toBe('Joining');
    expect((await azure.follow(headers['azure-asyncoperation'])).body.status).toBe('Succeeded');
  });
});

describe('checklist 6: failure', () => {
  const error = { code: 'SubnetIsFull', message: 'The subnet has no address left.' };

  it('an operation of AKS may show an error while it runs and succeed', async () => {
    const { headers } = await azure.put(POOL_1, AKS_VERSION, scale);
    const early = await azure.follow(headers['azure-asyncoperation']);
    expect(early.body).toMatchObject({ status: 'InProgress', error: { code: 'NotLatestOperation' } });
    azure.clock.advance(2000);
    expect((await azure.follow(headers['azure-asyncoperation'])).body).not.toHaveProperty('error');
    azure.finishOperations();
    const end = await azure.follow(headers['azure-asyncoperation']);
    expect(end.body.status).toBe('Succeeded');
    expect(end.body).not.toHaveProperty('error');
  });

  it('an operation that fails leaves the resource Failed, and a pool with its error', async () => {
    await azure.control('POST', '/operations/fail-next', { match: { resourceId: POOL_1 }, error });
    const { headers } = await azure.put(POOL_1, AKS_VERSION, scale);
    azure.finishOperations();
    expect((await azure.follow(headers['azure-asyncoperation'])).body).toMatchObject({ status: 'Failed', error });
    const pool = await azure.get(POOL_1, AKS_VERSION);
    expect(propertiesOf(pool.body)).toMatchObject({
      provisioningState: 'Failed',
      status: { provisioningError: error },
    });
  });

  it('a fleet records the error of its last operation, and forgets it with the next', async () => {
    await azure.control('POST', '/operations/fail-next', {
      match: { type: 'Microsoft.ContainerService/fleets/members' },
      error,
    });
    await azure.put(MEMBER_2, FLEET_VERSION, join);
    azure.finishOperations();
    const failed = propertiesOf((await azure.get(MEMBER_2, FLEET_VERSION)).body);
    expect(failed).toMatchObject({ provisioningState: 'Failed', status: { lastOperationError: error } });
    await azure.put(MEMBER_2, FLEET_VERSION, join);
    azure.finishOperations();
    const mended = propertiesOf((await azure.get(MEMBER_2, FLEET_VERSION)).body);
    expect(mended.provisioningState).toBe('Succeeded');
    expect(mended.status).not.toHaveProperty('lastOperationError');
  });

  it('a deletion that fails takes nothing away, and its Location says what went wrong', async () => {
    await azure.control('POST', '/operations/fail-next', { match: { action: 'delete' }, error });
    const { headers } = await azure.send('DELETE', FLEET, { version: FLEET_VERSION });
    azure.finishOperations();
    const end = await azure.follow(headers.location);
    expect([end.status, codeOf(end)]).toEqual([409, 'SubnetIsFull']);
    expect(propertiesOf((await azure.get(FLEET, FLEET_VERSION)).body).provisioningState).toBe('Failed');
    expect((await azure.get(MEMBER_1, FLEET_VERSION)).status).toBe(200);
  });

  it('only so many operations fail as were asked for, and only those that match', async () => {
    await azure.control('POST', '/operations/fail-next', { match: { resourceId: MEMBER_2 }, error, times: 1 });
    const other = await azure.put(POOL_1, AKS_VERSION, scale);
    await azure.put(MEMBER_2, FLEET_VERSION, join);
    azure.finishOperations();
    const again = await azure.put(MEMBER_2, FLEET_VERSION, join);
    azure.finishOperations();
    expect((await azure.follow(other.headers['azure-asyncoperation'])).body.status).toBe('Succeeded');
    expect((await azure.follow(again.headers['azure-asyncoperation'])).body.status).toBe('Succeeded');
  });
});

describe('checklist 8: poll URLs', () => {
  it('are signed and 4 to 6 kB long', async () => {
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    const url = new URL(headers['azure-asyncoperation'] ?? '');
    expect(url.href.length).toBeGreaterThan(4096);
    expect(url.href.length).toBeLessThan(6144);
    expect([...url.searchParams.keys()]).toEqual(['api-version', 't', 'c', 's', 'h']);
  });

  it('are refused when they were cut or changed', async () => {
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    const url = headers['azure-asyncoperation'] ?? '';
    expect((await azure.follow(url.slice(0, 2048))).status).toBe(403);
    expect((await azure.follow(url.replace('&h=', '&h=x'))).status).toBe(403);
  });

  it('expire', async () => {
    await azure.control('POST', '/settings', { pollUrlLifetimeSeconds: 60 });
    const { headers } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    azure.clock.advance(60_000);
    expect((await azure.follow(headers['azure-asyncoperation'])).status).toBe(404);
    expect(propertiesOf((await azure.get(MEMBER_2, FLEET_VERSION)).body).provisioningState).toBe('Succeeded');
  });

  it('stand under the host that the caller reached', async () => {
    const hosts: [Record<string, string>, string][] = [
      [{ host: 'localhost:3100' }, 'http://localhost:3100/'],
      [{ 'x-forwarded-host': 'management.simulator', 'x-forwarded-proto': 'https' }, 'https://management.simulator/'],
      [{ 'x-forwarded-host': 'management.simulator' }, 'https://management.simulator/'],
    ];
    for (const [headers, base] of hosts) {
      const answer = await azure.put(MEMBER_2, FLEET_VERSION, join, headers);
      expect(answer.headers['azure-asyncoperation']?.startsWith(`${base}subscriptions/`)).toBe(true);
      azure.finishOperations();
    }
  });

  it('are not believed to come from a proxy that is not on this machine', async () => {
    const answer = await azure.simulator.app.inject({
      method: 'PUT',
      url: `${MEMBER_2}?api-version=${FLEET_VERSION}`,
      remoteAddress: '203.0.113.7',
      headers: { authorization: 'Bearer test', host: 'simulator:3100', 'x-forwarded-host': 'evil.example' },
      payload: JSON.stringify(join),
    });
    expect(String(answer.headers['azure-asyncoperation'])).toMatch(/^http:\/\/simulator:3100\//);
  });

  it('stand under the public URL when one is set', async () => {
    const open = await SimulatedAzure.start({ publicUrl: 'https://azure.example/' });
    const answer = await open.put(MEMBER_2, FLEET_VERSION, join, { 'x-forwarded-host': 'other' });
    expect(answer.headers['azure-asyncoperation']).toMatch(/^https:\/\/azure\.example\/subscriptions\//);
    await open.stop();
  });
});

describe('checklist 9: a second write while one runs', () => {
  it('AKS refuses it on the cluster and on every pool, at the top level of the body', async () => {
    await azure.put(POOL_1, AKS_VERSION, scale);
    const ofPool = await azure.put(`${CLUSTER_1}/agentPools/other`, AKS_VERSION, { properties: {} });
    expect(ofPool.status).toBe(409);
    expect(ofPool.body.code).toBe('OperationNotAllowed');
    expect(ofPool.body.message).toBe(
      'Operation is not allowed: Another agentpool operation (nodepool1 - Updating) is in progress, please wait for it to ' +
        'finish before starting a new operation. See https://aka.ms/aks-pending-operation for more details',
    );
    const ofCluster = await azure.send('PATCH', CLUSTER_1, { version: AKS_VERSION, body: { tags: {} } });
    expect([ofCluster.status, ofCluster.body.code]).toEqual([409, 'OperationNotAllowed']);
    expect(textOf(ofCluster.body.message)).toContain('Another operation (nodepool1 - Updating) is in progress');
  });

  it('AKS lets other clusters be changed', async () => {
    await azure.put(POOL_1, AKS_VERSION, scale);
    expect((await azure.put(`${CLUSTER_2}/agentPools/nodepool1`, AKS_VERSION, scale)).status).toBe(200);
  });

  it('AKS lets a deletion of the cluster end what runs', async () => {
    const { headers } = await azure.put(POOL_1, AKS_VERSION, scale);
    expect((await azure.send('DELETE', CLUSTER_1, { version: AKS_VERSION })).status).toBe(202);
    const preempted = await azure.follow(headers['azure-asyncoperation']);
    expect(preempted.body).toMatchObject({ status: 'Failed', error: { code: 'AKSOperationPreemptedByDelete' } });
    expect((await azure.send('DELETE', CLUSTER_1, { version: AKS_VERSION })).status).toBe(409);
  });

  it('a fleet refuses it on the same resource and below a fleet that is being changed', async () => {
    await azure.put(MEMBER_2, FLEET_VERSION, join);
    const same = await azure.put(MEMBER_2, FLEET_VERSION, join);
    expect([same.status, codeOf(same)]).toEqual([409, 'AnotherOperationInProgress']);
    const above = await azure.send('DELETE', FLEET, { version: FLEET_VERSION });
    expect([above.status, codeOf(above)]).toEqual([409, 'AnotherOperationInProgress']);
    azure.finishOperations();
    await azure.send('PATCH', FLEET, { version: FLEET_VERSION, body: { tags: {} } });
    expect(codeOf(await azure.put(MEMBER_2, FLEET_VERSION, join))).toBe('AnotherOperationInProgress');
  });

  it('members of one fleet come and go side by side', async () => {
    await azure.send('DELETE', MEMBER_1, { version: FLEET_VERSION });
    expect((await azure.put(MEMBER_2, FLEET_VERSION, join)).status).toBe(201);
  });
});

describe('checklist 14', () => {
  it('a fleet and its members name their last operation, whose URL names it too', async () => {
    const { headers, body } = await azure.put(MEMBER_2, FLEET_VERSION, join);
    const { lastOperationId } = propertiesOf(body).status as { lastOperationId: string };
    expect(new URL(headers['azure-asyncoperation'] ?? '').pathname.endsWith(`/operations/${lastOperationId}`)).toBe(
      true,
    );
  });
});

describe('eTags', () => {
  it('change with every write and are quoted for fleets, bare for AKS', async () => {
    const fleet = textOf((await azure.get(FLEET, FLEET_VERSION)).body.eTag);
    expect(fleet).toMatch(/^"[0-9a-f-]{36}"$/);
    await azure.send('PATCH', FLEET, { version: FLEET_VERSION, body: { tags: {} } });
    expect((await azure.get(FLEET, FLEET_VERSION)).body.eTag).not.toBe(fleet);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).body.eTag).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('of a cluster changes with a pool, for the cluster shows the pool', async () => {
    const before = (await azure.get(CLUSTER_1, AKS_VERSION)).body.eTag;
    await azure.put(POOL_1, AKS_VERSION, scale);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).body.eTag).not.toBe(before);
  });

  const rows: {
    reason: string;
    path: string;
    version: string;
    body: { properties: object };
    status: number;
    code: string;
  }[] = [
    {
      reason: 'fleets answer 412',
      path: MEMBER_1,
      version: FLEET_VERSION,
      body: { properties: { clusterResourceId: CLUSTER_1 } },
      status: 412,
      code: 'PreconditionFailed',
    },
    { reason: 'AKS answers 409', path: POOL_1, version: AKS_VERSION, body: scale, status: 409, code: 'EtagMismatch' },
  ];
  it.each(rows)('that are stale are refused: $reason', async ({ path, version, body, status, code }) => {
    const current = (await azure.get(path, version)).body;
    const etag = textOf(current.eTag ?? propertiesOf(current).eTag);
    const stale = await azure.put(path, version, body as never, { 'if-match': '"stale"' });
    expect([stale.status, codeOf(stale)]).toEqual([status, code]);
    const exists = await azure.put(path, version, body as never, { 'if-none-match': '*' });
    expect([exists.status, codeOf(exists)]).toEqual([status, code]);
    expect((await azure.put(path, version, body as never, { 'if-match': etag })).status).toBe(200);
  });

  it('are refused where there is nothing to match', async () => {
    expect((await azure.put(MEMBER_2, FLEET_VERSION, join, { 'if-match': '*' })).status).toBe(412);
    expect((await azure.put(MEMBER_2, FLEET_VERSION, join, { 'if-none-match': '*' })).status).toBe(201);
  });

  it('guard deletions too', async () => {
    const headers = { 'if-match': '"stale"' };
    expect((await azure.send('DELETE', FLEET, { version: FLEET_VERSION, headers })).status).toBe(412);
    expect((await azure.send('DELETE', CLUSTER_1, { version: AKS_VERSION, headers })).status).toBe(409);
  });
});
