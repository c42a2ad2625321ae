import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { listObjects } from './reached-cluster.js';

const SECRET = { group: '', kind: 'Secret' };

/**
 * What Helm has written down of a release, one secret for each of its revisions. Where they are gone, its name is free.
 * @param namespace all of them where it is not known
 */
export function findReleaseRecords(
  cluster: ClusterClient,
  release: string,
  namespace: string | undefined,
  call: KubeCall,
): Promise<KubernetesObject[]> {
  return listObjects(cluster, SECRET, namespace, call, `owner=helm,name=${release}`);
}
