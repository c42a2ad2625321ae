import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Observation } from '../contract/observation.js';
import { rawFlag, rawText, rawTexts } from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { isDeleting } from './condition.properties.js';

const csiDriverProperties = z.object({
  fsGroupPolicy: z
    .string()
    .nullable()
    .describe(
      'Whether volumes are given to the group of the pod: `File` always, `None` never, `ReadWriteOnceWithFSType` (also where it is null) only where the volume is for one node and its class names a file system.',
    ),
  attachRequired: z.boolean().describe('Whether volumes are attached to a node before they are mounted.'),
  podInfoOnMount: z.boolean().describe('Whether the driver is told about the pod.'),
  requiresRepublish: z.boolean().describe('Whether the driver mounts again from time to time.'),
  storageCapacity: z.boolean().describe('Whether pods are placed by the capacity that the driver reports.'),
  volumeLifecycleModes: z
    .array(z.string())
    .describe('`Persistent` for volumes of claims, `Ephemeral` for volumes that live with their pod.'),
});

export const csiDriverKind: KindDefinition<typeof csiDriverProperties> = {
  name: 'CsiDriver',
  description: 'A storage driver (CSI) as a cluster knows it.',
  kubernetesTypes: [{ group: 'storage.k8s.io', kind: 'CSIDriver' }],
  properties: csiDriverProperties,
  describe: describeCsiDriver,
  relations: [clusterRelation({ name: 'csiDrivers', description: 'The storage drivers of the cluster.' })],
};

export function describeCsiDriver(raw: JsonObject): z.output<typeof csiDriverProperties> {
  return {
    fsGroupPolicy: rawText(raw, 'spec', 'fsGroupPolicy'),
    attachRequired: rawFlag(raw, 'spec', 'attachRequired') ?? true,
    podInfoOnMount: rawFlag(raw, 'spec', 'podInfoOnMount') ?? false,
    requiresRepublish: rawFlag(raw, 'spec', 'requiresRepublish') ?? false,
    storageCapacity: rawFlag(raw, 'spec', 'storageCapacity') ?? false,
    volumeLifecycleModes: rawTexts(raw, 'spec', 'volumeLifecycleModes'),
  };
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeCsiDriver(object: JsonObject, reading: KubernetesReading): Observation {
  return kubernetesObservation(object, reading, {
    kind: csiDriverKind.name,
    health: isDeleting(object)
      ? { state: 'Progressing', reason: 'It is being deleted.' }
      : { state: 'Healthy', reason: null },
    relations: [],
  });
}
