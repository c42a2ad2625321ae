/** The limits of AKS: nodes of one pool, nodes and pools of a cluster. */
export const MOST_NODES_OF_POOL = 1000;
export const MOST_NODES_OF_CLUSTER = 5000;
export const MOST_POOLS_OF_CLUSTER = 100;
/** The smallest machine that AKS accepts has two cores. */
export const LEAST_CORES_OF_NODE = 2;
/** How many minor versions the nodes may be behind their control plane (the skew policy of Kubernetes since 1.28). */
export const MOST_MINORS_BEHIND = 3;
