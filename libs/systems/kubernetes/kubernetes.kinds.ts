import type { KindDefinition } from '../contract/kind-definition.js';
import { attachedClusterKind } from './attached-cluster.kind.js';
import { csiDriverKind } from './csi-driver.kind.js';
import { namespaceKind } from './namespace.kind.js';
import { nodeKind } from './node.kind.js';
import { podKind } from './pod.kind.js';
import { serviceKind } from './service.kind.js';
import { storageClassKind } from './storage-class.kind.js';
import { workloadKind } from './workload.kind.js';

/** What lives in clusters and is watched there. */
export const watchedKinds: readonly KindDefinition[] = [
  namespaceKind,
  nodeKind,
  workloadKind,
  podKind,
  serviceKind,
  storageClassKind,
  csiDriverKind,
];

export const kubernetesKinds: readonly KindDefinition[] = [attachedClusterKind, ...watchedKinds];
