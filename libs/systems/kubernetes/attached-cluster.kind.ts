import { z } from 'zod';
import type { KindDefinition, RelationField } from '../contract/kind-definition.js';
import { rawText } from '../contract/raw-reader.js';

export const ATTACHED_CLUSTER_TYPE = 'Pilothouse.Clusters/attachedClusters';

const attachedClusterProperties = z.object({
  server: z.string().nullable().describe('The host of the API server.'),
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version that the API server told when asked.'),
  attachedBy: z.string().nullable().describe('Who attached the cluster.'),
  authentication: z
    .string()
    .nullable()
    .describe('How Pilothouse signs in to it, such as `clientCertificate` or `token`.'),
});

/** What a cluster holds, as fields of the graph. */
const contents: readonly RelationField[] = [
  { name: 'namespaces', kind: 'Namespace', description: 'The namespaces of the cluster.' },
  { name: 'nodes', kind: 'Node', description: 'The nodes of the cluster.' },
  { name: 'workloads', kind: 'Workload', description: 'The workloads in the cluster.' },
  { name: 'pods', kind: 'Pod', description: 'The pods in the cluster.' },
  { name: 'services', kind: 'Service', description: 'The services in the cluster.' },
].map((field) => ({ ...field, type: 'locatedIn', direction: 'incoming', cardinality: 'many' }));

export const attachedClusterKind: KindDefinition<typeof attachedClusterProperties> = {
  name: 'AttachedCluster',
  description: 'A Kubernetes cluster that Azure does not know and that was attached to Pilothouse by its kubeconfig.',
  armType: ATTACHED_CLUSTER_TYPE,
  properties: attachedClusterProperties,
  describe: (raw) => ({
    server: rawText(raw, 'server'),
    kubernetesVersion: rawText(raw, 'kubernetesVersion'),
    attachedBy: rawText(raw, 'attachedBy'),
    authentication: rawText(raw, 'authentication'),
  }),
  relations: contents,
};
