import type { KubeCall } from './cluster-access.js';
import type { ClusterClient } from './cluster-client.js';
import type { KubernetesObject } from './kubernetes-object.js';

const SECRET = { group: '', kind: 'Secret' };

/**
 * What Helm has written down of a release, one secret for each of its revisions. Where they are gone, its name is free.
 * @param namespace all of them where it is not known
 * @throws ControlError
 */
export async function findReleaseRecords(
  cluster: ClusterClient,
  release: string,
  namespace: string | undefined,
  call: KubeCall,
): Promise<KubernetesObject[]> {
  const resource = await cluster.findResource(SECRET, call);
  if (resource === undefined) return [];
  const options = { ...(namespace === undefined ? {} : { namespace }), labelSelector: `owner=helm,name=${release}` };
  let records: KubernetesObject[] = [];
  for await (const page of cluster.list(resource, options, call)) {
    records = page.restarted ? [...page.items] : [...records, ...page.items];
  }
  return records;
}
