import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube, fakeRefusal, type FakeCluster } from '#libs/testing/fake-kube.js';
import {
  CLUSTER_1,
  HUB,
  NAMESPACE,
  SAMPLE_TIME,
  SERVICE,
  clusterDirectory,
  condition,
  serviceExportObject,
  serviceObject,
} from '#libs/testing/fleet-hub-samples.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const EXPORT = { group: 'networking.fleet.azure.com', kind: 'ServiceExport' };

function world(where = CLUSTER_1, change: JsonObject = {}) {
  const kube = new FakeKube();
  const cluster = kube.cluster(where).add(serviceObject());
  const clock = new ManualClock(SAMPLE_TIME);
  const { operations } = createFleetSystem(new FakeArm().azure(), kube, clusterDirectory(HUB, CLUSTER_1), clock);
  const input = { cluster: where.id, namespace: NAMESPACE, service: SERVICE, ...change };
  const play = playOperation(operations, 'fleet.service.export', input, { cluster: targetOf(where.id, where.kind) });
  return { kube, cluster, clock, ...play };
}

describe('fleet.service.export', () => {
  it.each<{ where?: typeof HUB; prepare(cluster: FakeCluster): void; found: string[]; reason: string }>([
    { prepare: () => undefined, found: [], reason: 'all is prepared' },
    { where: HUB, prepare: () => undefined, found: ['info EXPORT_HELD_ON_HUB'], reason: 'a hub only holds it' },
    {
      prepare: (cluster) => cluster.withdraw(EXPORT),
      found: ['error EXPORTS_NOT_SERVED'],
      reason: 'the cluster is in no fleet',
    },
    {
      prepare: (cluster) => {
        cluster.mayDo = ({ verb }) => ({ allowed: verb !== 'patch', reason: '' });
      },
      found: ['error CLUSTER_ACCESS_DENIED'],
      reason: 'half of the rights is not enough',
    },
    {
      prepare: (cluster) => cluster.refuse({ verb: 'mayI' }, new ControlError('KUBERNETES_UNAVAILABLE', '')),
      found: ['error CLUSTER_UNREACHABLE'],
      reason: 'the cluster does not answer',
    },
    {
      prepare: (cluster) => cluster.remove({ group: '', kind: 'Service' }, NAMESPACE, SERVICE),
      found: ['error SERVICE_NOT_FOUND'],
      reason: 'an export without a service',
    },
    {
      prepare: (cluster) => cluster.add(serviceObject({ clusterIP: 'None' })),
      found: ['error SERVICE_HEADLESS'],
      reason: 'Fleet takes no headless service',
    },
    {
      prepare: (cluster) => cluster.add(serviceObject({ type: 'ExternalName' })),
      found: ['error SERVICE_EXTERNAL_NAME'],
      reason: 'nor a mere name',
    },
    {
      prepare: (cluster) => cluster.add(serviceExportObject()),
      found: ['info EXPORT_EXISTS'],
      reason: 'it is exported already',
    },
    {
      prepare: (cluster) =>
        cluster.refuse({ verb: 'apply', dryRun: true }, fakeRefusal('KUBERNETES_REJECTED', 'Invalid', '')),
      found: ['error REFUSED_BY_CLUSTER'],
      reason: 'the cluster has rules of its own',
    },
  ])('finds $found: $reason', async ({ where, prepare, found }) => {
    const { cluster, kube, codes } = world(where);
    prepare(cluster);
    expect(await codes()).toEqual(found);
    expect(kube.writes()).toEqual([]);
  });

  it.each([
    { change: {}, annotations: undefined, reason: 'without a weight' },
    { change: { weight: 0 }, annotations: { 'networking.fleet.azure.com/weight': '0' }, reason: 'nothing is a weight' },
  ])('exports $reason, in the version that the cluster prefers', async ({ change, annotations }) => {
    const { cluster, step, plan } = world(CLUSTER_1, change);
    expect(await plan()).toMatchObject({ action: 'create' });
    await step('export');
    const object = cluster.object(EXPORT, NAMESPACE, SERVICE);
    expect(object?.apiVersion).toBe('networking.fleet.azure.com/v1alpha1');
    expect(object?.metadata.annotations).toEqual(annotations);
    await step('export', undefined, 2);
    expect(cluster.object(EXPORT, NAMESPACE, SERVICE)).toEqual(object);
  });

  it('is done on a hub as soon as the hub holds it', async () => {
    const { step, verify } = world(HUB);
    await step('export');
    await expect(step('wait-for-validity')).resolves.toMatchObject({ outcome: 'done' });
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { heldOnHub: true },
      observations: [{ health: { state: 'Healthy' } }],
    });
  });

  const valid = condition('Valid', 'True', 'ServiceIsValid');

  it.each<{ conditions: JsonObject[]; outcome: string; verdict: string; reason: string }>([
    { conditions: [], outcome: 'wait', verdict: 'pending', reason: 'nobody has looked yet' },
    { conditions: [valid], outcome: 'wait', verdict: 'pending', reason: 'the comparison is still to come' },
    {
      conditions: [valid, condition('Conflict', 'False', 'NoConflictFound')],
      outcome: 'done',
      verdict: 'reached',
      reason: 'valid and alone',
    },
  ])('on a member: $outcome, since $reason', async ({ conditions, outcome, verdict }) => {
    const { cluster, step, verify } = world();
    cluster.add(serviceExportObject({ status: { conditions } }));
    expect((await step('wait-for-validity')).outcome).toBe(outcome);
    expect((await verify()).verdict).toBe(verdict);
  });

  it.each<{ conditions: JsonObject[]; message: RegExp; reason: string }>([
    {
      conditions: [valid, condition('Conflict', 'True', 'ConflictFound', { message: 'ports differ' })],
      message: /ConflictFound: ports differ/,
      reason: 'another member has other ports',
    },
    { conditions: [condition('Valid', 'False', 'ServiceNotFound')], message: /ServiceNotFound/, reason: 'it is gone' },
  ])('fails with the reason after a while: $reason', async ({ conditions, message }) => {
    const { cluster, step, clock, verify } = world();
    cluster.add(serviceExportObject({ status: { conditions } }));
    const first = await step('wait-for-validity');
    clock.advance(20_000);
    const last = await step('wait-for-validity', tokenOf(first), 2);
    expect(last).toMatchObject({ outcome: 'failed', error: { code: 'VERIFICATION_FAILED' } });
    expect(last.outcome === 'failed' ? last.error.message : '').toMatch(message);
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
  });

  it('notices that the export was taken away', async () => {
    const { step, verify } = world();
    await expect(step('wait-for-validity')).rejects.toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
  });
});
