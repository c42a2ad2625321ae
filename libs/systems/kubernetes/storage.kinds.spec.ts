import { describe, expect, it } from '@jest/globals';
import { csiDriver, storageClass, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { csiDriverKind, observeCsiDriver } from './csi-driver.kind.js';
import { fsTypeOf, observeStorageClass, storageClassKind } from './storage-class.kind.js';

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-01-01T00:00:00Z'), source: 'WATCH' as const };
const PREFIX = `kubernetes://${cluster.uid}/storage.k8s.io`;

describe('a storage class', () => {
  it('is told with its driver', () => {
    const observed = observeStorageClass(storageClass('default'), reading);
    expect(observed).toMatchObject({
      kind: 'StorageClass',
      canonicalId: `${PREFIX}/StorageClass/default`,
      namespace: null,
      health: { state: 'Healthy', reason: null },
      relations: [
        { type: 'runsOn', from: `${PREFIX}/StorageClass/default`, to: `${PREFIX}/CSIDriver/disk.csi.akshci.com` },
      ],
    });
    expect(storageClassKind.describe(observed.properties)).toEqual({
      provisioner: 'disk.csi.akshci.com',
      parameters: { blocksize: '33554432', container: 'SqlStorageContainer', dynamic: 'true' },
      fsType: null,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'Immediate',
      allowVolumeExpansion: true,
      mountOptions: [],
      isDefault: true,
    });
  });

  it.each([
    { change: { provisioner: 'kubernetes.io/azure-disk' }, reason: 'a provisioner of Kubernetes itself has no driver' },
    { change: { provisioner: '' }, reason: 'nobody is named' },
  ])('leads nowhere: $reason', ({ change }) => {
    expect(observeStorageClass(storageClass('default', change), reading).relations).toEqual([]);
  });

  it('that is being deleted is on its way out', () => {
    const metadata = { name: 'default', deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(observeStorageClass(storageClass('default', { metadata }), reading).health.state).toBe('Progressing');
  });

  it.each([
    { parameters: { fsType: 'ext4' }, fsType: 'ext4', reason: 'as drivers of AKS on Azure Stack HCI take it' },
    { parameters: { fstype: 'xfs' }, fsType: 'xfs', reason: 'in small letters' },
    { parameters: { 'csi.storage.k8s.io/fstype': 'ext4', fsType: 'xfs' }, fsType: 'ext4', reason: 'the CSI name wins' },
    { parameters: { fsType: '' }, fsType: null, reason: 'empty says nothing' },
    { parameters: {}, fsType: null, reason: 'it does not say' },
  ])('has the file system $fsType: $reason', ({ parameters, fsType }) => {
    expect(fsTypeOf(parameters as Record<string, string>)).toBe(fsType);
  });
});

describe('a storage driver', () => {
  it('is told with its group policy', () => {
    const observed = observeCsiDriver(csiDriver('disk.csi.akshci.com'), reading);
    expect(observed).toMatchObject({
      kind: 'CsiDriver',
      canonicalId: `${PREFIX}/CSIDriver/disk.csi.akshci.com`,
      health: { state: 'Healthy', reason: null },
      tags: { app: 'csi' },
      relations: [],
    });
    expect(csiDriverKind.describe(observed.properties)).toEqual({
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      attachRequired: true,
      podInfoOnMount: true,
      requiresRepublish: false,
      storageCapacity: false,
      volumeLifecycleModes: ['Persistent'],
    });
  });

  it('that says nothing has what servers take then', () => {
    expect(csiDriverKind.describe({})).toMatchObject({ fsGroupPolicy: null, attachRequired: true });
  });

  it('that is being deleted is on its way out', () => {
    const deleting = csiDriver('d', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect(observeCsiDriver(deleting, reading).health.state).toBe('Progressing');
  });
});
