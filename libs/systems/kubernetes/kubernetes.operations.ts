import type { Kube } from '#libs/kube/kube.js';
import type { OperationDefinition } from '../contract/operation-definition.js';
import { setFsGroupPolicy } from './csi-driver.operations.js';
import { applyManifestOperation } from './manifest-apply.operations.js';
import { cordonNode, taintNode, uncordonNode, untaintNode } from './node.operations.js';
import { deleteObject } from './object-delete.operations.js';
import { createRegistrySecret } from './registry-secret.operations.js';
import { createStorageClass } from './storage-class.operations.js';
import { patchWorkload } from './workload-patch.operations.js';
import { restartWorkload, scaleWorkload } from './workload.operations.js';

/** Every change that Pilothouse can make inside clusters. */
export function createKubernetesOperations(kube: Kube): OperationDefinition[] {
  return [
    applyManifestOperation(kube),
    deleteObject(kube),
    scaleWorkload(kube),
    restartWorkload(kube),
    patchWorkload(kube),
    taintNode(kube),
    untaintNode(kube),
    cordonNode(kube),
    uncordonNode(kube),
    createRegistrySecret(kube),
    setFsGroupPolicy(kube),
    createStorageClass(kube),
  ];
}
