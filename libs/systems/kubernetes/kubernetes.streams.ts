import { csiDriverKind } from './csi-driver.kind.js';
import type { KubernetesType } from './kubernetes.client.js';
import type { StreamName } from './kubernetes.options.js';
import { namespaceKind } from './namespace.kind.js';
import { nodeKind } from './node.kind.js';
import { podKind } from './pod.kind.js';
import { serviceKind } from './service.kind.js';
import { STORAGE_GROUP, storageClassKind } from './storage-class.kind.js';
import { workloadKind } from './workload.kind.js';

export interface StreamDefinition {
  name: StreamName;
  type: KubernetesType;
  /** The kind in Pilothouse that it tells of, or tells something about. */
  kind: string;
  /** The streams without which it cannot tell everything. */
  needs: readonly StreamName[];
}

export const STREAMS: readonly StreamDefinition[] = [
  { name: 'namespaces', type: { group: '', kind: 'Namespace' }, kind: namespaceKind.name, needs: [] },
  { name: 'deployments', type: { group: 'apps', kind: 'Deployment' }, kind: workloadKind.name, needs: [] },
  { name: 'statefulsets', type: { group: 'apps', kind: 'StatefulSet' }, kind: workloadKind.name, needs: [] },
  { name: 'daemonsets', type: { group: 'apps', kind: 'DaemonSet' }, kind: workloadKind.name, needs: [] },
  {
    name: 'services',
    type: { group: '', kind: 'Service' },
    kind: serviceKind.name,
    needs: ['deployments', 'statefulsets', 'daemonsets', 'endpointslices'],
  },
  {
    name: 'endpointslices',
    type: { group: 'discovery.k8s.io', kind: 'EndpointSlice' },
    kind: serviceKind.name,
    needs: [],
  },
  { name: 'pods', type: { group: '', kind: 'Pod' }, kind: podKind.name, needs: [] },
  { name: 'nodes', type: { group: '', kind: 'Node' }, kind: nodeKind.name, needs: ['pods'] },
  {
    name: 'storageclasses',
    type: { group: STORAGE_GROUP, kind: 'StorageClass' },
    kind: storageClassKind.name,
    needs: [],
  },
  { name: 'csidrivers', type: { group: STORAGE_GROUP, kind: 'CSIDriver' }, kind: csiDriverKind.name, needs: [] },
];
