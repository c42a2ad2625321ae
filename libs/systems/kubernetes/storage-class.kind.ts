import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Observation } from '../contract/observation.js';
import { rawFlag, rawText, rawTextRecord, rawTexts } from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { isDeleting } from './condition.properties.js';
import { csiDriverKind } from './csi-driver.kind.js';
import { namedObject } from '../contract/named-object.js';

export const STORAGE_GROUP = 'storage.k8s.io';
export const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';
const BETA_DEFAULT_CLASS_ANNOTATION = 'storageclass.beta.kubernetes.io/is-default-class';
/** Drivers of the CSI era take the first; provisioners that are older, and some that are not, take the others. */
const FS_TYPE_PARAMETERS = ['csi.storage.k8s.io/fstype', 'fsType', 'fstype'];

const storageClassProperties = z.object({
  provisioner: z.string().nullable().describe('Who makes the volumes; for CSI it is the name of the driver.'),
  parameters: z
    .record(z.string(), z.string())
    .describe('What the provisioner is told. It cannot be changed once the class is there.'),
  fsType: z
    .string()
    .nullable()
    .describe('The file system of the volumes, such as `ext4`; null where the class does not say.'),
  reclaimPolicy: z.string().nullable().describe('What becomes of a volume without a claim: `Delete` or `Retain`.'),
  volumeBindingMode: z
    .string()
    .nullable()
    .describe('When a volume is made: `Immediate`, or `WaitForFirstConsumer` for when its first pod has a place.'),
  allowVolumeExpansion: z.boolean().describe('Whether claims can grow.'),
  mountOptions: z.array(z.string()).describe('The options that volumes are mounted with.'),
  isDefault: z.boolean().describe('Whether claims that name no class get this one.'),
});

export const storageClassKind: KindDefinition<typeof storageClassProperties> = {
  name: 'StorageClass',
  description: 'A class of storage that claims for volumes can ask for.',
  kubernetesTypes: [{ group: STORAGE_GROUP, kind: 'StorageClass' }],
  properties: storageClassProperties,
  describe: describeStorageClass,
  relations: [
    clusterRelation({ name: 'storageClasses', description: 'The storage classes of the cluster.' }),
    {
      name: 'driver',
      description: 'The CSI driver that makes its volumes, where it is one and registered.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: csiDriverKind.name,
      cardinality: 'one',
      inverse: {
        name: 'storageClasses',
        description: 'The classes whose volumes the driver makes.',
        cardinality: 'many',
      },
    },
  ],
};

export function describeStorageClass(raw: JsonObject): z.output<typeof storageClassProperties> {
  const annotations = rawTextRecord(raw, 'metadata', 'annotations');
  const parameters = rawTextRecord(raw, 'parameters');
  return {
    provisioner: rawText(raw, 'provisioner'),
    parameters,
    fsType: fsTypeOf(parameters),
    reclaimPolicy: rawText(raw, 'reclaimPolicy'),
    volumeBindingMode: rawText(raw, 'volumeBindingMode'),
    allowVolumeExpansion: rawFlag(raw, 'allowVolumeExpansion') ?? false,
    mountOptions: rawTexts(raw, 'mountOptions'),
    isDefault: [DEFAULT_CLASS_ANNOTATION, BETA_DEFAULT_CLASS_ANNOTATION].some((key) => annotations[key] === 'true'),
  };
}

/** The file system that the parameters of a class name. */
export function fsTypeOf(parameters: Readonly<Record<string, string>>): string | null {
  for (const name of FS_TYPE_PARAMETERS) {
    const value = parameters[name];
    if (value !== undefined && value !== '') return value;
  }
  return null;
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeStorageClass(object: JsonObject, reading: KubernetesReading): Observation {
  const { canonical, clusterUid } = kubernetesIdOf(object, reading.cluster.uid);
  const provisioner = rawText(object, 'provisioner');
  const driver =
    provisioner === null
      ? undefined
      : namedObject({ clusterUid, group: STORAGE_GROUP, kind: 'CSIDriver', namespace: undefined, name: provisioner });
  return kubernetesObservation(object, reading, {
    kind: storageClassKind.name,
    health: isDeleting(object)
      ? { state: 'Progressing', reason: 'It is being deleted.' }
      : { state: 'Healthy', reason: null },
    relations: driver === undefined ? [] : [{ type: 'runsOn', from: canonical, to: driver }],
  });
}
