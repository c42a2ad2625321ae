import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesManifest, KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { ArcParts } from './arc-parts.js';
import { connectedClusterKind } from './connected-cluster.kind.js';

/** What came of a look into a cluster, which can be out of reach for us while Azure reaches it. */
export type Look<T> =
  | { look: 'seen'; value: T }
  | { look: 'no-access'; error: ControlError }
  | { look: 'unreachable'; error: ControlError };

export const reachFindings = {
  CLUSTER_ACCESS_MISSING: 'Pilothouse has no access to the Kubernetes API of the cluster.',
  CLUSTER_UNREACHABLE: 'The API server of the cluster does not answer.',
} as const satisfies Record<string, string>;

/** How access is given, by its route. */
const ACCESS_REMEDY =
  'Attach a kubeconfig with PUT /v1/clusters/{uid}/access; that of `az connectedk8s proxy` will do where there is no other.';

export function clientOf(parts: ArcParts, cluster: ArmId): ClusterClient {
  return parts.kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: connectedClusterKind.name });
}

/** @throws ControlError for whatever is no question of access. */
export async function lookInto<T>(work: () => Promise<T>): Promise<Look<T>> {
  try {
    return { look: 'seen', value: await work() };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    switch (error.code) {
      case 'CLUSTER_ACCESS_MISSING':
      case 'KUBERNETES_UNAUTHENTICATED':
      case 'KUBERNETES_FORBIDDEN':
        return { look: 'no-access', error };
      case 'KUBERNETES_UNAVAILABLE':
      case 'KUBERNETES_TIMEOUT':
      case 'KUBERNETES_THROTTLED':
        return { look: 'unreachable', error };
      default:
        // The way into the cluster can lead by Azure, which may refuse it.
        if (error.code.startsWith('AZURE_')) return { look: 'no-access', error };
        throw error;
    }
  }
}

/** Says what kept us from looking, where something did; what was seen, else. */
export function seenOr<T>(
  look: Look<T>,
  severity: 'error' | 'info',
  say: FindingReporter<keyof typeof reachFindings>,
): T | undefined {
  switch (look.look) {
    case 'seen':
      return look.value;
    case 'no-access':
      say('CLUSTER_ACCESS_MISSING', severity, { reason: look.error.message }, ACCESS_REMEDY);
      return undefined;
    case 'unreachable':
      say('CLUSTER_UNREACHABLE', severity, { reason: look.error.message });
      return undefined;
  }
}

/** For what is only added to something that is known without it: whatever is refused, it is then not added. */
export async function seenIfAny<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

/** undefined where the credential may not do this much: one that may do less than others is still good for the rest. */
export async function ifAllowed<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof ControlError && error.code === 'KUBERNETES_FORBIDDEN') return undefined;
    throw error;
  }
}

/** undefined also where the type is not served. */
export async function readObject(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  namespace: string | undefined,
  name: string,
  call: KubeCall,
): Promise<KubernetesObject | undefined> {
  const resource = await cluster.findResource(type, call);
  return resource === undefined ? undefined : cluster.get(resource, namespace, name, call);
}

/** Of all namespaces where none is given; none where the type is not served. */
export async function listObjects(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  namespace: string | undefined,
  call: KubeCall,
  labelSelector?: string,
): Promise<KubernetesObject[]> {
  const resource = await cluster.findResource(type, call);
  if (resource === undefined) return [];
  const options = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
  let objects: KubernetesObject[] = [];
  for await (const page of cluster.list(resource, options, call)) {
    objects = page.restarted ? [...page.items] : [...objects, ...page.items];
  }
  return objects;
}

/** Server-side apply of an object of the whole cluster. @throws ControlError */
export async function applyObject(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  name: string,
  content: JsonObject,
  call: KubeCall,
): Promise<void> {
  const resource = await cluster.findResource(type, call);
  if (resource === undefined) {
    throw new ControlError('KUBERNETES_NOT_FOUND', `The cluster does not serve the kind ${type.kind}.`);
  }
  const manifest: KubernetesManifest = {
    apiVersion: `${resource.group}/${resource.version}`,
    kind: type.kind,
    metadata: { name },
    ...content,
  };
  await cluster.apply(resource, undefined, manifest, { force: true }, call);
}

/** @param cluster as an operation names it */
export function deletionOf(
  cluster: string,
  { apiVersion, kind, metadata }: Pick<KubernetesObject, 'apiVersion' | 'kind' | 'metadata'>,
): RemedyOperation {
  const { namespace, name } = metadata;
  return {
    type: 'kubernetes.object.delete',
    input: { cluster, apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name },
  };
}

export async function deleteObject(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  name: string,
  call: KubeCall,
): Promise<void> {
  const resource = await cluster.findResource(type, call);
  if (resource !== undefined) await cluster.delete(resource, undefined, name, {}, call);
}
