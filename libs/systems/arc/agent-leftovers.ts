import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { findReleaseRecords } from '#libs/kube/release-records.js';
import { CLUSTER_ROLE_BINDING } from './arc-agents.js';
import { ifAllowed, listObjects, readObject } from './reached-cluster.js';

const DEFINITION = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' };
const OF_AGENTS = /\.(arc|clusterconfig)\.azure\.com$/;
const OPERATOR_BINDING = 'azure-arc-operator';
const RELEASE = 'azure-arc';

/**
 * What a release of the agents that was taken out by halves has left in a cluster without agents: the next installation
 * stumbles over each of it. Of what the credential may not list nothing is found.
 */
export async function findLeftovers(cluster: ClusterClient, call: KubeCall): Promise<KubernetesObject[]> {
  const [definitions, binding, records] = await Promise.all([
    ifAllowed(() => listObjects(cluster, DEFINITION, undefined, call)),
    ifAllowed(() => readObject(cluster, CLUSTER_ROLE_BINDING, undefined, OPERATOR_BINDING, call)),
    ifAllowed(() => findReleaseRecords(cluster, RELEASE, undefined, call)),
  ]);
  return [
    ...(definitions ?? []).filter(({ metadata }) => OF_AGENTS.test(metadata.name)),
    ...(binding === undefined ? [] : [binding]),
    ...(records ?? []),
  ];
}

/** `Secret azure-arc-release/sh.helm.release.v1.azure-arc.v1` */
export function nameOf({ kind, metadata: { namespace, name } }: KubernetesObject): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}
