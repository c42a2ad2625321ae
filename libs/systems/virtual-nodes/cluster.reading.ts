import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient, ListOptions } from '#libs/kube/cluster-client.js';
import type { ApiResource, KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { PULL_SECRET_TYPES, pullSecretOf, type PullSecret } from '../contract/pull-secret.js';
import { rawObjects, rawText } from '../contract/raw-reader.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';

export const NODE = { group: '', kind: 'Node' };
export const POD = { group: '', kind: 'Pod' };
export const SECRET = { group: '', kind: 'Secret' };

/** How often a refused write is tried anew at once when others were faster. */
const MOST_TRIES = 5;

export const clusterFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  HUB_CLUSTER_READ_ONLY: 'The cluster is the hub of a fleet: Azure denies changes to it.',
  CLUSTER_STOPPED: 'The cluster is stopped.',
  CLUSTER_FAILED: 'The last operation on the cluster has failed; the change may fail for the same reason.',
  CLUSTER_BUSY: 'Another operation runs on the cluster; the change waits until it has ended.',
} as const satisfies Record<string, string>;

/** What keeps AKS from changing the cluster now. */
export function judgeCluster(cluster: JsonObject, id: ArmId, say: FindingReporter<keyof typeof clusterFindings>): void {
  const nodeResourceGroup = rawText(cluster, 'properties', 'nodeResourceGroup');
  if (/^MC_FL_/i.test(nodeResourceGroup ?? '')) say('HUB_CLUSTER_READ_ONLY', 'error', { nodeResourceGroup });
  const powerState = rawText(cluster, 'properties', 'powerState', 'code');
  if (powerState === 'Stopped') {
    say('CLUSTER_STOPPED', 'error', { powerState }, 'Start the cluster first.', [
      { type: 'aks.cluster.start', input: { cluster: id.toString() } },
    ]);
  }
  const provisioningState = rawText(cluster, 'properties', 'provisioningState');
  if (provisioningPhase(provisioningState) === 'failed') say('CLUSTER_FAILED', 'warning', { provisioningState });
  const moving = movingParts(cluster);
  if (moving.length > 0) say('CLUSTER_BUSY', 'warning', { states: Object.fromEntries(moving) });
}

/** What of the cluster and its pools is being changed, in words; undefined when all of it is at rest. */
export function changeUnderWay(cluster: JsonObject): string | undefined {
  const [first] = movingParts(cluster);
  return first === undefined ? undefined : `Another operation runs on the cluster: ${first[0]} is ${first[1]}.`;
}

/** AKS makes one change at a time of a cluster with all its pools, and names it at the part that it is about. */
function movingParts(cluster: JsonObject): [string, string][] {
  const pools = rawObjects(cluster, 'properties', 'agentPoolProfiles').map((pool) => [
    rawText(pool, 'name') ?? '',
    rawText(pool, 'provisioningState'),
  ]);
  const whole = [rawText(cluster, 'name') ?? '', rawText(cluster, 'properties', 'provisioningState')];
  return [whole, ...pools].flatMap(([name = null, state = null]): [string, string][] =>
    name !== null && state !== null && provisioningPhase(state) === 'moving' ? [[name, state]] : [],
  );
}

export function kubernetesOf({ kube }: VirtualNodesParts, cluster: ArmId): ClusterClient {
  return kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: 'ManagedCluster' });
}

/** All objects of a type; none where the cluster does not serve it. */
export async function listObjects(
  client: ClusterClient,
  type: { group: string; kind: string },
  options: ListOptions,
  call: KubeCall,
): Promise<KubernetesObject[]> {
  const resource = await client.findResource(type, call);
  if (resource === undefined) return [];
  let objects: KubernetesObject[] = [];
  for await (const page of client.list(resource, options, call)) {
    objects = page.restarted ? [...page.items] : [...objects, ...page.items];
  }
  return objects;
}

/** undefined also where the cluster does not serve the type. */
export async function readObject(
  client: ClusterClient,
  type: { group: string; kind: string },
  namespace: string | undefined,
  name: string,
  call: KubeCall,
): Promise<KubernetesObject | undefined> {
  const resource = await client.findResource(type, call);
  return resource === undefined ? undefined : client.get(resource, namespace, name, call);
}

/** The nodes of a cluster that are no machines. */
export async function virtualNodesOf(client: ClusterClient, call: KubeCall): Promise<KubernetesObject[]> {
  const nodes = await listObjects(client, NODE, {}, call);
  return nodes.filter((node) => virtualNatureOf(node).nature !== 'none');
}

export function podsOn(client: ClusterClient, node: string, call: KubeCall): Promise<KubernetesObject[]> {
  return listObjects(client, POD, { fieldSelector: `spec.nodeName=${node}` }, call);
}

/** The secrets for registries of a namespace, without their credentials; undefined where they may not be seen. */
export async function pullSecretsIn(
  client: ClusterClient,
  namespace: string,
  call: KubeCall,
): Promise<PullSecret[] | undefined> {
  const secrets = new Map<string, PullSecret>();
  try {
    for (const type of PULL_SECRET_TYPES) {
      for (const secret of await listObjects(client, SECRET, { namespace, fieldSelector: `type=${type}` }, call)) {
        const known = pullSecretOf(secret);
        if (known !== undefined) secrets.set(known.name, known);
      }
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    return undefined;
  }
  return [...secrets.values()];
}

/** What a refusal to look says, where it is one of access or reach; rethrown, else. */
export function outOfReach(error: unknown): ControlError {
  if (error instanceof ControlError && /^(CLUSTER_ACCESS_MISSING|KUBERNETES_)/.test(error.code)) return error;
  throw error;
}

/**
 * Changes what others may be changing at the same time: looks, decides, and writes only if nothing has changed since.
 * @param decide what to merge into the object; undefined where it is as wanted.
 * @throws ControlError KUBERNETES_NOT_FOUND
 */
export async function mergeInto(
  client: ClusterClient,
  resource: ApiResource,
  namespace: string | undefined,
  name: string,
  decide: (object: KubernetesObject) => JsonObject | undefined,
  call: KubeCall,
): Promise<'made' | 'none' | 'busy'> {
  for (let attempt = 1; attempt <= MOST_TRIES; attempt++) {
    const object = await client.get(resource, namespace, name, call);
    if (object === undefined) {
      throw new ControlError('KUBERNETES_NOT_FOUND', `The ${resource.kind} ${name} is not there any more.`);
    }
    const wanted = decide(object);
    if (wanted === undefined) return 'none';
    const { resourceVersion } = object.metadata;
    const patch = resourceVersion === undefined ? wanted : { ...wanted, metadata: { resourceVersion } };
    try {
      await client.patch(resource, namespace, name, { type: 'merge', patch }, {}, call);
      return 'made';
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_CONFLICT') throw error;
    }
  }
  return 'busy';
}
