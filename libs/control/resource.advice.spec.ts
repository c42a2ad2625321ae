import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ManualClock } from '#libs/kernel/clock.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { Caller } from '#libs/access/caller.js';
import type { ResourceRecord } from '#libs/inventory/resource.record.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '#libs/systems/contract/advice.js';
import type { KindDefinition } from '#libs/systems/contract/kind-definition.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { ResourceControl } from './resource.control.js';

const caller: Caller = { principalId: '1', name: 'viewer', role: 'viewer' };
const SHALLOW: Advice = { code: 'SHALLOW', severity: 'warning', cause: 'Low tide.', evidence: {}, remedies: [] };
const CLUSTER = resourceUid('/harbour');

function kind(name: string): KindDefinition {
  return { name, description: `A ${name}.`, properties: z.object({}), describe: () => ({}), relations: [] };
}

function record(name: string, kindName: string, clusterUid: string | null = CLUSTER): ResourceRecord {
  const id = `/ships/${name}`;
  return {
    uid: resourceUid(id),
    id,
    canonicalId: id,
    kind: kindName,
    name,
    location: null,
    subscriptionId: null,
    resourceGroup: null,
    clusterUid,
    namespace: null,
    provisioningState: null,
    health: { state: 'Healthy', reason: null },
    tags: {},
    properties: { name },
    etag: null,
    createdAt: new Date(0),
    changedAt: new Date(0),
    freshness: { observedAt: new Date(0), source: 'ARM' },
  };
}

function world(rows: ResourceRecord[], advise: Advisor['advise'] = () => Promise.resolve([SHALLOW])) {
  const advisors: Advisor[] = [{ kind: 'Ship', codes: { SHALLOW: 'Low tide.' }, advise }];
  const system = { name: 'sea', kinds: [kind('Ship'), kind('Buoy')], collectors: [], watchers: [], operations: [] };
  const registry = new SystemRegistry([{ ...system, advisors }]);
  const queries: unknown[] = [];
  const resources = {
    find: (uid: string) => Promise.resolve(rows.find((row) => row.uid === uid) ?? null),
    page: (query: { kinds: string[]; clusterUid: string; cursor: string | null }) => {
      queries.push(query);
      const found = rows.filter((row) => query.kinds.includes(row.kind) && row.clusterUid === query.clusterUid);
      const start = Number(query.cursor ?? 0);
      const nextCursor = start + 1 < found.length ? String(start + 1) : null;
      return Promise.resolve({ rows: found.slice(start, start + 1), nextCursor, freshness: null });
    },
  };
  const parts = [registry, resources, {}, {}, {}, new ManualClock()] as unknown as ConstructorParameters<
    typeof ResourceControl
  >;
  return { control: new ResourceControl(...parts), queries };
}

describe('advice', () => {
  const ship = record('anna', 'Ship');

  it('is what the advisors of the kind say, to anybody who may read', async () => {
    const { control } = world([ship]);
    expect(await control.advice(caller, 'Ship', ship.uid)).toEqual([SHALLOW]);
  });

  it.each([
    { uid: 'anna', reason: 'that is no uid' },
    { uid: resourceUid('/gone'), reason: 'there is no such object' },
    { uid: record('red', 'Buoy').uid, reason: 'it is of another kind' },
  ])('is refused: $reason', async ({ uid }) => {
    const { control } = world([ship, record('red', 'Buoy')]);
    await expect(control.advice(caller, 'Ship', uid)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  it('rests on all the objects of a kind in the same cluster, page by page', async () => {
    const seen: KnownObject[][] = [];
    const look = async (_object: KnownObject, context: AdviceContext): Promise<Advice[]> => {
      for (const wanted of ['Buoy', 'Whale']) seen.push(await context.inCluster(wanted));
      return [];
    };
    const buoys = ['red', 'green'].map((name) => record(name, 'Buoy'));
    const { control, queries } = world([ship, ...buoys, record('far', 'Buoy', 'elsewhere')], look);
    await control.advice(caller, 'Ship', ship.uid);
    // What no system knows about is nowhere.
    expect(seen.map((known) => known.map(({ name }) => name))).toEqual([['red', 'green'], []]);
    expect(queries).toHaveLength(2);
  });

  it('rests on nothing where the object is in no cluster', async () => {
    const look = async (_object: KnownObject, context: AdviceContext): Promise<Advice[]> => {
      expect(await context.inCluster('Buoy')).toEqual([]);
      return [];
    };
    const alone = record('alone', 'Ship', null);
    const { control, queries } = world([alone], look);
    expect(await control.advice(caller, 'Ship', alone.uid)).toEqual([]);
    expect(queries).toEqual([]);
  });

  it('about a kind that nobody defines stops the boot', () => {
    const advisor: Advisor = { kind: 'Whale', codes: {}, advise: () => Promise.resolve([]) };
    const system = { name: 'sea', kinds: [], collectors: [], watchers: [], operations: [], advisors: [advisor] };
    expect(() => new SystemRegistry([system])).toThrow(TypeError);
  });
});
