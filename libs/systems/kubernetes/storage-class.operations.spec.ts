import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { csiDriver, storageClass, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { playOperation } from '#libs/testing/operation-play.js';
import { createKubernetesOperations } from './kubernetes.operations.js';

const { uid, id } = watchedCluster();
const DRIVER = 'disk.csi.akshci.com';
const CLASS = { group: 'storage.k8s.io', kind: 'StorageClass' };
const PARAMETERS = { fsType: 'ext4', dynamic: 'true' };
const WANTED = { cluster: id, name: 'disk-ext4', provisioner: DRIVER, parameters: PARAMETERS };
const references = { cluster: targetOf(id, 'ManagedCluster') };

function world(input: JsonObject = {}, ...there: ReturnType<typeof storageClass>[]) {
  const kube = new FakeKube();
  const cluster = kube.cluster(uid).add(csiDriver(DRIVER), ...there);
  const play = playOperation(
    createKubernetesOperations(kube),
    'kubernetes.storageClass.create',
    { ...WANTED, ...input },
    references,
  );
  return { kube, cluster, ...play, made: () => cluster.object(CLASS, undefined, 'disk-ext4') };
}

const same = (change: JsonObject = {}) =>
  storageClass('disk-ext4', {
    metadata: { name: 'disk-ext4' },
    parameters: PARAMETERS,
    allowVolumeExpansion: false,
    ...change,
  });

describe('creating a storage class: checks', () => {
  it.each<{ input?: JsonObject; there?: ReturnType<typeof storageClass>; found: string[]; reason: string }>([
    { found: ['info EXISTING_VOLUMES_STAY'], reason: 'all is well' },
    { there: same(), found: ['info CLASS_EXISTS'], reason: 'it is there' },
    { there: same({ allowVolumeExpansion: true }), found: ['info CLASS_EXISTS'], reason: 'what differs can change' },
    { there: same({ parameters: {} }), found: ['error CLASS_DIFFERS'], reason: 'parameters cannot change' },
    { there: same({ provisioner: 'other' }), found: ['error CLASS_DIFFERS'], reason: 'nor can the provisioner' },
    { there: same({ reclaimPolicy: 'Retain' }), found: ['error CLASS_DIFFERS'], reason: 'nor the reclaim policy' },
    {
      there: same({ volumeBindingMode: 'WaitForFirstConsumer' }),
      found: ['error CLASS_DIFFERS'],
      reason: 'nor when volumes are bound',
    },
    {
      there: same({ metadata: { name: 'disk-ext4', deletionTimestamp: '2026-01-01T00:00:00Z' } }),
      found: ['error CLASS_DELETING'],
      reason: 'the one that is there goes',
    },
    {
      input: { provisioner: 'disk.csi.example' },
      found: ['warning DRIVER_NOT_REGISTERED', 'info EXISTING_VOLUMES_STAY'],
      reason: 'nobody serves it',
    },
    {
      input: { provisioner: 'kubernetes.io/no-provisioner' },
      found: ['info EXISTING_VOLUMES_STAY'],
      reason: 'Kubernetes itself needs no driver',
    },
    {
      input: { makeDefault: true },
      there: storageClass('default'),
      found: ['warning OTHER_DEFAULT_CLASS', 'info EXISTING_VOLUMES_STAY'],
      reason: 'there is a default',
    },
  ])('$found when $reason', async ({ input, there, found }) => {
    expect(await world(input, ...(there === undefined ? [] : [there])).codes()).toEqual(found);
  });

  it('names what differs, with both values', async () => {
    const [finding] = await world({}, same({ parameters: { dynamic: 'true' } })).findings();
    expect(finding?.evidence).toMatchObject({
      differences: { parameters: { present: { dynamic: 'true' }, wanted: PARAMETERS } },
    });
  });

  it('says before it begins that it is not allowed', async () => {
    const { cluster, codes } = world();
    cluster.mayDo = ({ verb }) => ({ allowed: verb !== 'create', reason: 'no role' });
    expect(await codes()).toContain('error ACCESS_DENIED');
  });
});

describe('creating a storage class', () => {
  it('makes it, once', async () => {
    const { kube, step, made, verify, plan } = world({ makeDefault: true });
    expect(await plan()).toMatchObject({ action: 'create' });
    expect(await step('class')).toMatchObject({ outcome: 'done' });
    expect(made()).toMatchObject({
      metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: DRIVER,
      parameters: PARAMETERS,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'Immediate',
    });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { name: 'disk-ext4', fsType: 'ext4' } });
    expect(await step('class')).toMatchObject({ outcome: 'done' });
    expect(kube.writes()).toHaveLength(1);
    expect(await plan()).toMatchObject({ action: 'none' });
  });

  it('brings one that is there to what was asked for', async () => {
    const { step, plan, verify } = world({ mountOptions: ['noatime'] }, same());
    expect(await plan()).toMatchObject({ action: 'change', refused: {} });
    expect(await step('class')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
  });

  it('is missed where the class is not as wanted', async () => {
    expect(await world().verify()).toMatchObject({ verdict: 'missed' });
    expect(await world({}, same({ parameters: {} })).verify()).toMatchObject({ verdict: 'missed' });
  });
});
