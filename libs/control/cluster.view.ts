/** How Pilothouse reaches a cluster. The kubeconfig itself is write-only. */
export interface ClusterAccessView {
  clusterUid: string;
  /** Host and port of the API server. */
  server: string;
  /** How the kubeconfig proves who calls: `token`, `certificate`, `basic` or `entra`. */
  authentication: string;
  attachedBy: string;
  attachedAt: string;
}

export interface AttachedClusterView {
  uid: string;
  id: string;
  kind: string;
  name: string;
  server: string;
  kubernetesVersion: string;
  authentication: string;
}
