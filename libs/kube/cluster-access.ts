import type { Secret } from '#libs/kernel/secret.js';

/** A cluster that can be reached: a managed cluster, a connected cluster, a fleet (its hub), an attached cluster. */
export interface ClusterReference {
  uid: string;
  id: string;
  /** The kind in Pilothouse: `ManagedCluster`. */
  kind: string;
}

export interface KubeCall {
  signal: AbortSignal;
  correlationId: string;
}

/** Where a cluster's kubeconfig comes from. Providers are asked in order; the first that has one decides. */
export interface ClusterAccessProvider {
  /** For messages: `attached kubeconfig`, `AKS`, `Fleet hub`. */
  readonly name: string;
  /** The kinds of clusters that it may know. */
  readonly kinds: readonly string[];
  /**
   * The kubeconfig as YAML or JSON text, or undefined when this provider has none for the cluster.
   * @throws ControlError when its owner could not be asked or refuses.
   */
  kubeconfig(cluster: ClusterReference, call: KubeCall): Promise<ProvidedKubeconfig | undefined>;
}

export interface ProvidedKubeconfig {
  kubeconfig: Secret;
  /** Attached by a caller of Pilothouse: it may say that the server's certificate is not to be checked, where configured. */
  origin: 'azure' | 'attached';
}
