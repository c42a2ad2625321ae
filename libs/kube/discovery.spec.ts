import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Discovery } from './discovery.js';

const RECORDINGS = path.resolve(import.meta.dirname, '../../../shared/recordings');
const call = { signal: new AbortController().signal, correlationId: 'c' };
const options = { discoveryLifetimeMs: 300_000, discoveryMissIntervalMs: 3_000 };

const deployment = {
  resource: 'deployments',
  responseKind: { group: '', version: '', kind: 'Deployment' },
  scope: 'Namespaced',
  verbs: ['get', 'list'],
  subresources: [{ subresource: 'scale' }, { subresource: 'status' }],
};
const aggregated = {
  kind: 'APIGroupDiscoveryList',
  items: [
    {
      metadata: { name: 'apps' },
      versions: [
        { version: 'v1', resources: [deployment] },
        { version: 'v1beta1', resources: [deployment] },
      ],
    },
  ],
};
const classic: Record<string, JsonObject> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/api/v1': {
    kind: 'APIResourceList',
    resources: [
      { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['get'] },
      { name: 'pods/log', kind: 'Pod', namespaced: true, verbs: ['get'] },
    ],
  },
  '/apis': { kind: 'APIGroupList', groups: [] },
  '/apis/batch': {
    kind: 'APIGroup',
    versions: [{ version: 'v1beta1' }, { version: 'v1' }],
    preferredVersion: { version: 'v1' },
  },
  '/apis/batch/v1': {
    kind: 'APIResourceList',
    resources: [{ name: 'jobs', kind: 'Job', namespaced: true, verbs: ['get'] }],
  },
  '/apis/batch/v1beta1': {
    kind: 'APIResourceList',
    resources: [{ name: 'cronjobs', kind: 'CronJob', namespaced: true, verbs: ['get'] }],
  },
};

describe('Discovery', () => {
  let clock: ManualClock;
  let asked: string[];
  let answers: Record<string, JsonObject | ControlError>;
  let discovery: Discovery;

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    answers = { '/apis': aggregated };
    discovery = new Discovery({
      clock,
      options,
      read: (part) => {
        asked.push(part);
        const answer = answers[part];
        return answer instanceof ControlError ? Promise.reject(answer) : Promise.resolve(answer);
      },
    });
  });

  const find = (kind: string, group: string, version?: string) =>
    discovery.find(version === undefined ? { group, kind } : { group, version, kind }, call);

  it('finds a type in the version that the server prefers, or in the one asked for', async () => {
    const found = {
      group: 'apps',
      version: 'v1',
      kind: 'Deployment',
      plural: 'deployments',
      namespaced: true,
      verbs: ['get', 'list'],
      subresources: ['scale', 'status'],
    };
    expect(await find('Deployment', 'apps')).toEqual(found);
    expect(await find('Deployment', 'apps', 'v1beta1')).toEqual({ ...found, version: 'v1beta1' });
    expect(asked).toEqual(['/apis']);
  });

  it('asks once for all who ask at the same time', async () => {
    await Promise.all([find('Deployment', 'apps'), find('Deployment', 'apps')]);
    expect(asked).toEqual(['/apis']);
  });

  it.each([
    { after: 299_999, times: 1, reason: 'is believed for a while' },
    { after: 300_000, times: 2, reason: 'and is then read again' },
  ])('what was read $reason', async ({ after, times }) => {
    await find('Deployment', 'apps');
    clock.advance(after);
    await find('Deployment', 'apps');
    expect(asked).toHaveLength(times);
  });

  it('asks again before it says no, but not for every single no', async () => {
    expect(await find('Thing', 'apps')).toBeUndefined();
    expect(await find('Thing', 'apps')).toBeUndefined();
    expect(asked).toHaveLength(1);
    answers['/apis'] = {
      kind: 'APIGroupDiscoveryList',
      items: [
        {
          metadata: { name: 'apps' },
          versions: [{ version: 'v1', resources: [{ ...deployment, responseKind: { kind: 'Thing' } }] }],
        },
      ],
    };
    clock.advance(3_000);
    expect(await find('Thing', 'apps')).toMatchObject({ kind: 'Thing' });
  });

  it('asks an old server group by group, the preferred version first', async () => {
    answers = classic;
    expect(await find('Job', 'batch')).toMatchObject({ version: 'v1', plural: 'jobs' });
    expect(await find('CronJob', 'batch')).toMatchObject({ version: 'v1beta1' });
    expect(await find('Pod', '')).toMatchObject({ version: 'v1', subresources: ['log'] });
    expect(await find('Thing', 'nowhere.example')).toBeUndefined();
    expect(asked).toEqual([
      '/apis',
      '/apis/batch',
      '/apis/batch/v1',
      '/apis/batch/v1beta1',
      '/api',
      '/api/v1',
      '/apis/nowhere.example',
    ]);
  });

  it('does not take a failure for an absence, and does not keep it', async () => {
    answers['/apis'] = new ControlError('KUBERNETES_UNAVAILABLE', 'away');
    await expect(find('Deployment', 'apps')).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
    answers['/apis'] = aggregated;
    expect(await find('Deployment', 'apps')).toBeDefined();
  });

  it('knows nothing any more after it was to forget', async () => {
    await find('Deployment', 'apps');
    discovery.forget();
    await find('Deployment', 'apps');
    expect(asked).toHaveLength(2);
  });

  const areHere = existsSync(RECORDINGS);
  (areHere ? it : it.skip)(
    areHere ? 'understands a real server' : 'SKIPPED: the recordings are not here (../shared/recordings)',
    async () => {
      const bodyOf = (file: string): JsonObject =>
        (JSON.parse(readFileSync(path.join(RECORDINGS, file), 'utf8')) as { response: { body: JsonObject } }).response
          .body;
      answers = {
        '/api': bodyOf('kubernetes-1.32/05-api-aggregated-discovery.json'),
        '/apis': { kind: 'APIGroupList', groups: [] },
        '/apis/placement.kubernetes-fleet.io': bodyOf('fleet-hub/01-discovery-placement-group.json'),
        '/apis/placement.kubernetes-fleet.io/v1': bodyOf('fleet-hub/02-discovery-placement-v1.json'),
      };
      expect(await find('Pod', '')).toMatchObject({ plural: 'pods', namespaced: true });
      expect(await find('Node', '')).toMatchObject({
        plural: 'nodes',
        namespaced: false,
        subresources: expect.arrayContaining(['status']),
      });
      expect(await find('ClusterResourcePlacement', 'placement.kubernetes-fleet.io')).toMatchObject({
        version: 'v1',
        plural: 'clusterresourceplacements',
        namespaced: false,
        subresources: ['status'],
      });
    },
  );
});
