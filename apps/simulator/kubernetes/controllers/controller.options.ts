import type { ContainerGroupPort } from './container-group.port.js';
import type { ClusterNode } from './kubernetes.types.js';
import type { WorkLoop } from './work.loop.js';

/** A load balancer's front end that is wanted. */
export interface LoadBalancerRequest {
  namespace: string;
  name: string;
  scope: 'public' | 'internal';
  /** `spec.loadBalancerIP`. */
  requested: string | undefined;
}

/** What an image does instead of running. */
export interface ImageFault {
  /** Found in the name of the image: `myregistry.azurecr.io/`. */
  imageContains: string;
  fault: PodFault;
  /** `pull-secret`: it is well as soon as the pod names an existing image pull secret. */
  healedBy?: 'pull-secret';
}

/** `Restarts`: it runs for a while, ends, and is started again. */
export type PodFault = 'ErrImagePull' | 'ImagePullBackOff' | 'CrashLoopBackOff' | 'Restarts';

/** With this annotation a pod has a fault of its own. */
export const POD_FAULT_ANNOTATION = 'simulator.pilothouse/pod-fault';

export interface ClusterControllerOptions {
  /** One for all clusters of the process. */
  loop: WorkLoop;
  /** From assignment to running, in seconds; 0 is at once. */
  podStartSeconds: number;
  /** From deletion to gone, in seconds; never longer than the pod's own grace period. */
  podStopSeconds: number;
  /** Until a load balancer has its address, in seconds. */
  loadBalancerSeconds: number;
  /** CIDR: `10.224.0.0/16`. */
  podAddresses: string;
  /** CIDR; the same as that of the pods where nodes and pods share a subnet (Azure CNI). */
  nodeAddresses: string;
  /** @returns the address, which stays with the service until it is released. */
  allocateLoadBalancerAddress(request: LoadBalancerRequest): string;
  releaseLoadBalancerAddress(request: LoadBalancerRequest, address: string): void;
  imageFaults: readonly ImageFault[];
  /** Nodes of which something else runs the pods (a virtual node on container groups). */
  runsPodsElsewhere(node: ClusterNode): boolean;
  /** What the virtual nodes of the cluster run their pods on; undefined where it can have none. */
  containerGroups?: ContainerGroupPort;
  /** `warnings` leaves out the many events that say all is well: for very large estates. */
  events: 'all' | 'warnings';
  /** Of the control plane: `1.33.5`. */
  kubernetesVersion: string;
  clusterName: string;
  location: string;
  subscriptionId: string;
  resourceGroup: string;
  /** `MC_{group}_{cluster}_{location}`. */
  nodeResourceGroup: string;
  /** Whose machines the nodes are: those of Azure, or those of a host of Azure Stack HCI. */
  machines: 'azure' | 'host';
}

/** What most clusters have. */
export function controllerOptions(
  given: Partial<ClusterControllerOptions> & { loop: WorkLoop; clusterName: string; location: string },
): ClusterControllerOptions {
  const podAddresses = given.podAddresses ?? '10.224.0.0/16';
  const resourceGroup = given.resourceGroup ?? given.clusterName;
  return {
    podStartSeconds: 0.5,
    podStopSeconds: 0.2,
    loadBalancerSeconds: 0.5,
    nodeAddresses: podAddresses,
    allocateLoadBalancerAddress: addressBook(given.clusterName),
    releaseLoadBalancerAddress: () => undefined,
    imageFaults: [],
    runsPodsElsewhere: () => false,
    events: 'all',
    kubernetesVersion: '1.33.5',
    machines: 'azure',
    subscriptionId: '00000000-0000-0000-0000-000000000000',
    nodeResourceGroup: `MC_${resourceGroup}_${given.clusterName}_${given.location}`,
    ...given,
    podAddresses,
    resourceGroup,
  };
}

/** Addresses out of the range that is reserved for documentation, by the place of the service. */
function addressBook(clusterName: string): ClusterControllerOptions['allocateLoadBalancerAddress'] {
  const given = new Map<string, string>();
  return ({ namespace, name, requested }) => {
    if (requested !== undefined) return requested;
    const key = `${clusterName}/${namespace}/${name}`;
    const address = given.get(key) ?? `203.0.113.${(given.size % 254) + 1}`;
    given.set(key, address);
    return address;
  };
}
