import type { Kube } from '#libs/kube/kube.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../contract/advice.js';
import { AGENT_FAULTS, agentFault } from './agent-faults.js';
import { lookAtAgents } from './arc-agents.js';
import { connectedClusterKind } from './connected-cluster.kind.js';
import { lookInto } from './reached-cluster.js';

/** Says what keeps the agents of a connected cluster from their work, where there is a way into the cluster. */
export class ConnectedClusterAdvisor implements Advisor {
  readonly kind = connectedClusterKind.name;
  readonly codes = AGENT_FAULTS;

  constructor(private readonly kube: Kube) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const look = await lookInto(() => lookAtAgents(this.kube.cluster(object), context));
    const fault = look.look === 'seen' ? agentFault(look.value) : undefined;
    if (fault === undefined) return [];
    const { code, evidence, remedy } = fault;
    const remedies = [{ description: remedy, operations: [] }];
    return [{ code, severity: 'error', cause: AGENT_FAULTS[code], evidence, remedies }];
  }
}
