import type { Kube } from '#libs/kube/kube.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../contract/advice.js';
import { rawText } from '../contract/raw-reader.js';
import { lookAtAgents } from './arc-agents.js';
import { ATTACHED_CLUSTER } from './arc.types.js';
import { lookInto } from './reached-cluster.js';

const CODES = {
  CLUSTER_NOT_IN_AZURE: 'No agents of Azure Arc run in the cluster: Azure does not know of it.',
} as const satisfies Record<string, string>;

/**
 * Tells an attached cluster that nobody has registered with Azure from one that is: to make a cluster on Azure Stack HCI on
 * the host itself, for one, leaves it unknown there. One whose agents speak for a connected cluster is in Azure as that.
 */
export class AttachedClusterAdvisor implements Advisor {
  readonly kind = ATTACHED_CLUSTER;
  readonly codes = CODES;

  constructor(private readonly kube: Kube) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const look = await lookInto(() => lookAtAgents(this.kube.cluster(object), context));
    if (look.look !== 'seen' || look.value.agents.size > 0 || look.value.speaksFor !== null) return [];
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
