import { z } from 'zod';
import type { KindDefinition } from '../contract/kind-definition.js';
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
  relations: [],
};
