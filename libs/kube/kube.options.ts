/** How clusters are reached. Plain values; where they come from is the business of the configuration. */
export interface KubeOptions {
  /** Sent as `User-Agent`. */
  userAgent: string;
  /** From sending a request to having read its answer; watches are measured by `watchStallMs`. Milliseconds. */
  requestTimeoutMs: number;
  /** Until a connection with TLS stands; a private API server is noticed by it. Milliseconds. */
  connectTimeoutMs: number;
  /** A watch that says nothing for so long, not even a bookmark, is taken for dead. Milliseconds. */
  watchStallMs: number;
  /** Requests to one cluster at the same time; watches are not counted. */
  concurrencyPerCluster: number;
  /** Requests to one cluster that may wait for their turn; more are refused. */
  longestQueuePerCluster: number;
  /** How long a kubeconfig is used before its provider is asked again. Milliseconds. */
  credentialLifetimeMs: number;
  /** How long the served types of a cluster are believed. Milliseconds. */
  discoveryLifetimeMs: number;
  /** The least time between two readings of the served types because one was not found. Milliseconds. */
  discoveryMissIntervalMs: number;
  /** Whether an attached kubeconfig may say that the server's certificate is not to be checked. */
  allowInsecureTls: boolean;
  /** Whether a server, or a proxy before it, may have a link-local address, where clouds hand out identities. */
  allowLinkLocal: boolean;
  /**
   * The ends of host names to which an attached kubeconfig may have tokens of Pilothouse's own identity sent: nobody who
   * attaches a kubeconfig may collect them. A kubeconfig that Azure itself gives is free of this.
   */
  entraHosts: readonly string[];
  /** Objects on a page of a list. */
  pageSize: number;
  /**
   * Pages of watched lists that one process has unpacked at the same time, of all clusters together. However many clusters
   * are read from the start at once, they need the memory of so many pages.
   */
  pagesAtOnce: number;
  /** The first pause before a request is repeated or a watch is made again; it doubles with each further one. Milliseconds. */
  retryBaseMs: number;
  /** The longest pause before a watch is made again. Milliseconds. */
  longestWatchPauseMs: number;
  /** A `Retry-After` up to this is waited for inside the call; a longer one is handed to the caller. Seconds. */
  longestRetryAfterSeconds: number;
  /** An answer, or one event of a watch, may not be larger. Bytes. */
  largestAnswerBytes: number;
}

export const DEFAULT_KUBE_OPTIONS: KubeOptions = {
  userAgent: 'pilothouse',
  requestTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
  watchStallMs: 90_000,
  concurrencyPerCluster: 8,
  longestQueuePerCluster: 512,
  credentialLifetimeMs: 15 * 60_000,
  discoveryLifetimeMs: 5 * 60_000,
  discoveryMissIntervalMs: 3_000,
  allowInsecureTls: false,
  allowLinkLocal: false,
  entraHosts: ['.azmk8s.io', '.azk8s.cn', '.aks.containerservice.azure.us'],
  pageSize: 500,
  pagesAtOnce: 3,
  retryBaseMs: 200,
  longestWatchPauseMs: 30_000,
  longestRetryAfterSeconds: 3,
  largestAnswerBytes: 64 * 1024 * 1024,
};
