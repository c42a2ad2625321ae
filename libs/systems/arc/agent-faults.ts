import type { JsonObject } from '#libs/kernel/json.js';
import { ARC_AGENT_HOSTS } from '../contract/arc-agent-hosts.js';
import type { AgentPicture } from './arc-agents.js';

/** What keeps agents that are installed from doing their work. */
export const AGENT_FAULTS = {
  AGENTS_WITHOUT_IDENTITY:
    'The agents are installed and have no certificate: they do not reach Azure, or the clock of the cluster is wrong.',
  PROXY_CERTIFICATE_MISSING:
    'The proxy of cluster connect does not start: its certificate has not come from Azure into the cluster.',
  PROXY_PODS_REFUSED: 'The cluster refuses the pods of the proxy of cluster connect: a policy or a limit forbids them.',
} as const satisfies Record<string, string>;
export type AgentFaultCode = keyof typeof AGENT_FAULTS;

export interface AgentFault {
  code: AgentFaultCode;
  evidence: JsonObject;
  remedy: string;
}

/** undefined where no agents are installed, or nothing known keeps them from their work. */
export function agentFault(picture: AgentPicture): AgentFault | undefined {
  if (picture.agents.size === 0) return undefined;
  const unavailable = unavailableAgents(picture);
  // Without it no other certificate comes either.
  if (picture.certificates.identity === false) {
    return {
      code: 'AGENTS_WITHOUT_IDENTITY',
      evidence: { secret: 'azure-identity-certificate', hosts: [...ARC_AGENT_HOSTS], unavailable },
      remedy:
        'Let the cluster reach the hosts that are named, by its proxy where there is one, and set its clock. Where the certificate does not come then, disconnect the cluster and connect it anew.',
    };
  }
  if (picture.agents.get('kube-aad-proxy') !== false) return undefined;
  if (picture.proxyRefusal !== null) {
    return {
      code: 'PROXY_PODS_REFUSED',
      evidence: { message: picture.proxyRefusal, unavailable },
      remedy:
        'Let the service account azure-arc-kube-aad-proxy-sa of the namespace azure-arc run its pods. On OpenShift: `oc adm policy add-scc-to-user privileged system:serviceaccount:azure-arc:azure-arc-kube-aad-proxy-sa`.',
    };
  }
  if (picture.certificates.proxy === false) {
    return {
      code: 'PROXY_CERTIFICATE_MISSING',
      evidence: { secret: 'kube-aad-proxy-certificate', unavailable },
      remedy:
        'See that the cluster resolves the names of Azure and that its clock is right. Where the certificate does not come then, disconnect the cluster and connect it under another name.',
    };
  }
  return undefined;
}

/** How agents that are installed are doing, for a message; undefined where none are installed. */
export function agentNews(picture: AgentPicture): string | undefined {
  if (picture.agents.size === 0) return undefined;
  const fault = agentFault(picture);
  const unavailable = unavailableAgents(picture);
  const which = unavailable.length === 0 ? '' : ` Not available: ${unavailable.join(', ')}.`;
  if (fault !== undefined) return `${AGENT_FAULTS[fault.code]} ${fault.remedy}${which}`;
  return unavailable.length === 0
    ? 'The agents are installed and run, and have not reported to Azure yet.'
    : `The agents are installed.${which}`;
}

function unavailableAgents({ agents }: AgentPicture): string[] {
  return [...agents].flatMap(([name, isAvailable]) => (isAvailable ? [] : [name])).sort();
}
