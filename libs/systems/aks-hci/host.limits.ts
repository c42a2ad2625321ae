/**
 * What one Azure Stack HCI host (a custom location) carries, by the documented scale of AKS on it. Azure refuses more than
 * that only after minutes of work.
 */
export const MOST_CLUSTERS_OF_HOST = 32;
export const MOST_POOLS_OF_CLUSTER = 16;
/** Of all pools together, without the control plane. */
export const MOST_NODES_OF_CLUSTER = 64;
export const CONTROL_PLANE_COUNTS: readonly number[] = [1, 3, 5];
