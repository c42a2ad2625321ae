import { deterministicUuid } from '../../deterministic-id.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { PersistentVolumeClaim, StorageClass } from './kubernetes.types.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
/** Its provisioner is not told which file system to take where the class does not say; those of others are. */
const WITHOUT_DEFAULT_FILE_SYSTEM = 'disk.csi.akshci.com';

/** Provisions the volume of a claim: at once, or where its first pod will run. */
export class VolumeController implements Controller {
  readonly #queue: WorkQueue;
  readonly #releases: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} volumes`, (key) => this.#sync(key));
    this.#releases = loop.queue(`${view.cluster.key} released volumes`, (name) => this.#releaseVolume(name));
    const all = (): void => {
      for (const { metadata } of view.list('persistentvolumeclaims')) this.#queue.add(objectKey(metadata));
    };
    view.on('persistentvolumeclaims', ({ type, object }) => {
      if (type === 'DELETED') this.#release(object);
      else this.#queue.add(objectKey(object.metadata));
    });
    view.on('storageclasses.storage.k8s.io', all);
    all();
  }

  close(): void {
    this.#queue.close();
    this.#releases.close();
  }

  #sync(key: string): void {
    const { view, events } = this.context;
    const { namespace, name } = splitKey(key);
    const claim = view.get('persistentvolumeclaims', namespace, name);
    if (claim === undefined || claim.status?.phase === 'Bound' || claim.metadata.deletionTimestamp !== undefined)
      return;
    const storageClass = this.#classOf(claim);
    // Without a class, or with one that nobody serves, a claim waits for a volume that is made by hand.
    if (storageClass === undefined) return;
    const chosen = claim.metadata.annotations?.[SELECTED_NODE];
    if (storageClass.volumeBindingMode === 'WaitForFirstConsumer' && chosen === undefined) {
      events.record(claim, 'persistentvolume-controller', WRITERS.volume, {
        type: 'Normal',
        reason: 'WaitForFirstConsumer',
        message: 'waiting for first consumer to be created before binding',
      });
      return;
    }
    this.#provision(claim, storageClass, chosen);
  }

  #classOf(claim: PersistentVolumeClaim): StorageClass | undefined {
    const { view } = this.context;
    const name = claim.spec.storageClassName;
    if (name === undefined)
      return view
        .list('storageclasses.storage.k8s.io')
        .find((candidate) => candidate.metadata.annotations?.[DEFAULT_CLASS] === 'true');
    return name === '' ? undefined : view.get('storageclasses.storage.k8s.io', undefined, name);
  }

  #provision(claim: PersistentVolumeClaim, storageClass: StorageClass, node: string | undefined): void {
    const { view, events } = this.context;
    const { namespace, name, uid } = claim.metadata;
    const volume = `pvc-${uid}`;
    const accessModes = claim.spec.accessModes ?? ['ReadWriteOnce'];
    const capacity = { storage: claim.spec.resources?.requests?.storage ?? '1Gi' };
    if (view.get('persistentvolumes', undefined, volume) === undefined) {
      view.create(
        {
          apiVersion: 'v1',
          kind: 'PersistentVolume',
          metadata: { name: volume, annotations: { 'pv.kubernetes.io/provisioned-by': storageClass.provisioner } },
          spec: {
            capacity,
            accessModes,
            volumeMode: claim.spec.volumeMode ?? 'Filesystem',
            persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
            storageClassName: storageClass.metadata.name,
            claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
            csi: {
              driver: storageClass.provisioner,
              volumeHandle: deterministicUuid(`${view.cluster.key}|${namespace ?? ''}/${name}`),
              ...fileSystemOf(storageClass),
            },
          },
        },
        WRITERS.provisioner,
      );
      events.record(claim, storageClass.provisioner, WRITERS.provisioner, {
        type: 'Normal',
        reason: 'ProvisioningSucceeded',
        message: `Successfully provisioned volume ${volume}`,
      });
    }
    view.updateStatus('persistentvolumes', undefined, volume, WRITERS.volume, (object) => ({
      ...object,
      status: { phase: 'Bound' },
    }));
    view.update('persistentvolumeclaims', namespace, name, WRITERS.volume, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        annotations: {
          ...object.metadata.annotations,
          'pv.kubernetes.io/bind-completed': 'yes',
          'pv.kubernetes.io/bound-by-controller': 'yes',
          [PROVISIONER]: storageClass.provisioner,
          ...(node === undefined ? {} : { [SELECTED_NODE]: node }),
        },
      },
      spec: { ...object.spec, storageClassName: storageClass.metadata.name, volumeName: volume },
    }));
    view.updateStatus('persistentvolumeclaims', namespace, name, WRITERS.volume, (object) => ({
      ...object,
      status: { ...object.status, phase: 'Bound', accessModes, capacity },
    }));
  }

  #release(claim: PersistentVolumeClaim): void {
    const { view } = this.context;
    const name = claim.spec.volumeName;
    const volume = name === undefined ? undefined : view.get('persistentvolumes', undefined, name);
    if (volume === undefined) return;
    this.#releases.add(volume.metadata.name);
  }

  #releaseVolume(name: string): void {
    const { view } = this.context;
    const volume = view.get('persistentvolumes', undefined, name);
    if (volume === undefined) return;
    if (volume.spec.persistentVolumeReclaimPolicy === 'Delete') {
      view.delete('persistentvolumes', undefined, name, WRITERS.provisioner);
      return;
    }
    view.updateStatus('persistentvolumes', undefined, name, WRITERS.volume, (object) => ({
      ...object,
      status: { phase: 'Released' },
    }));
  }
}

function fileSystemOf({ provisioner, parameters = {} }: StorageClass): { fsType?: string } {
  const named = parameters['csi.storage.k8s.io/fstype'] ?? parameters.fsType ?? parameters.fstype;
  if (named !== undefined && named !== '') return { fsType: named };
  return provisioner === WITHOUT_DEFAULT_FILE_SYSTEM ? {} : { fsType: 'ext4' };
}
