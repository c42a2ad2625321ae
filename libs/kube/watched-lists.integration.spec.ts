import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KubeWorld, testCall } from '#libs/testing/kube-world.js';
import { says, type TestApiServer } from '#libs/testing/test-api-server.js';
import { TestAuthority } from '#libs/testing/test-certificates.js';
import type { ApiResource } from './kubernetes-object.js';

const VERSION = says(200, { gitVersion: 'v1.32.4', platform: 'linux/amd64' });

function listed(kind: string, plural: string): ApiResource {
  return { group: '', version: 'v1', kind, plural, namespaced: false, verbs: ['list', 'watch'], subresources: [] };
}

describe('lists that are watched', () => {
  const pods = listed('Pod', 'pods');
  const nodes = listed('Node', 'nodes');
  let world: KubeWorld;
  let server: TestApiServer;

  beforeEach(async () => {
    world = await KubeWorld.create(await TestAuthority.create());
    server = await world.server();
    server.answer = (request, response) => {
      if (request.path.startsWith('/version')) VERSION(request, response);
      else says(200, { metadata: { resourceVersion: '7' }, items: [{ metadata: { name: 'it' } }] })(request, response);
    };
  });

  afterEach(() => world.close());

  it('wait with their next page as long as others have as many in hand as the process may', async () => {
    const client = world.reach(server.url, { options: { pagesAtOnce: 1 } });
    const over = new AbortController();
    const call = testCall(over.signal);
    const first = client.watch(pods, {}, call);
    const second = client.watch(nodes, {}, call);
    expect((await first.next()).value).toMatchObject({ turn: 'page' });
    let isTold = false;
    const page = second.next().then(({ value }) => {
      isTold = true;
      return value;
    });
    // It was asked for all the same: a slow server keeps nobody waiting. What was asked later has been answered by then.
    await server.received(2);
    await server.requests[1]?.over;
    await client.version(call);
    expect(isTold).toBe(false);
    expect((await first.next()).value).toMatchObject({ turn: 'listed' });
    expect(await page).toMatchObject({ turn: 'page' });
    over.abort();
    await Promise.all([first.return(), second.return()]);
  });

  it.each([
    { leave: 'turned away from', reason: 'a consumer that fails does not ask for the next page' },
    { leave: 'called off', reason: 'a worker that loses a cluster ends in the middle of its list' },
  ])('leave the place to others when they are $leave: $reason', async ({ leave }) => {
    const client = world.reach(server.url, { options: { pagesAtOnce: 1 } });
    const over = new AbortController();
    const first = client.watch(pods, {}, testCall(over.signal));
    await first.next();
    if (leave === 'called off') over.abort();
    await first.return();
    const second = client.watch(nodes, {}, testCall());
    expect((await second.next()).value).toMatchObject({ turn: 'page' });
    await second.return();
  });
});
