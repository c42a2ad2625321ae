import type { Kube } from '#libs/kube/kube.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../contract/advice.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { rawText } from '../contract/raw-reader.js';
import { lookAtAgents } from './arc-agents.js';
import { ATTACHED_CLUSTER } from './arc.types.js';
import { seenIfAny } from './reached-cluster.js';

const CODES = {
  CLUSTER_NOT_IN_AZURE: 'No agents of Azure Arc run in the cluster: Azure does not know of it.',
} as const satisfies Record<string, string>;

/** The API servers of AKS, in each of its clouds. */
const AKS_SERVER = /\.(azmk8s\.io|azk8s\.cn|aks\.containerservice\.azure\.us)(:\d+)?$/i;
const NODE = { group: '', kind: 'Node' };

/**
 * Tells an attached cluster that nobody has registered with Azure from one that is: to make a cluster on Azure Stack HCI on
 * the host itself, for one, leaves it unknown there. One whose agents speak for a connected cluster is in Azure as that, and one of AKS needs no agents to be there.
 */
export class AttachedClusterAdvisor implements Advisor {
  readonly kind = ATTACHED_CLUSTER;
  readonly codes = CODES;

  constructor(private readonly kube: Kube) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    if (AKS_SERVER.test(rawText(object.properties, 'server') ?? '')) return [];
    const cluster = this.kube.cluster(object);
    const seen = await seenIfAny(async () => ({
      agents: await lookAtAgents(cluster, context),
      runsInAzure: await runsInAzure(cluster, context),
    }));
    if (seen === undefined || seen.runsInAzure) return [];
    if (seen.agents.agents.size > 0 || seen.agents.speaksFor !== null) return [];
    // Where in Azure it is to appear nobody but the caller can say: the operation cannot come ready.
    const description = `Register it and have its agents installed: arc.cluster.connect with the subscription, resource group, region and name that it is to have there, and attachedCluster: ${object.id}.`;
    return [
      {
        code: 'CLUSTER_NOT_IN_AZURE',
        severity: 'info',
        cause: CODES.CLUSTER_NOT_IN_AZURE,
        evidence: { server: rawText(object.properties, 'server'), agents: [] },
        remedies: [{ description, operations: [] }],
      },
    ];
  }
}

/** Told by one node: a cluster has them all from one place. */
async function runsInAzure(cluster: ClusterClient, call: KubeCall): Promise<boolean> {
  const resource = await cluster.findResource(NODE, call);
  if (resource === undefined) return false;
  for await (const { items } of cluster.list(resource, { limit: 1 }, call)) {
    return items.some((node) => rawText(node, 'spec', 'providerID')?.startsWith('azure://') === true);
  }
  return false;
}
