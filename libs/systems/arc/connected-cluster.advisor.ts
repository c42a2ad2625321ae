import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { Kube } from '#libs/kube/kube.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../contract/advice.js';
import { ARC_AGENT_HOSTS } from '../contract/arc-agent-hosts.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { AGENT_FAULTS, agentFault } from './agent-faults.js';
import type { ArcClient } from './arc.client.js';
import { belongsElsewhere, lookAtAgents } from './arc-agents.js';
import { connectedClusterKind } from './connected-cluster.kind.js';
import { seenIfAny } from './reached-cluster.js';

const CODES = {
  ...AGENT_FAULTS,
  AGENTS_NEVER_REPORTED:
    'The cluster has been registered for a while, and no agents have ever reported: they are not installed, or do not reach Azure.',
} as const satisfies Record<string, string>;

/** Agents that are installed report within minutes. */
const AGENTS_REPORT_WITHIN_MS = 10 * 60_000;

/** Says what keeps the agents of a connected cluster from their work, as far as the cluster or else Azure shows it. */
export class ConnectedClusterAdvisor implements Advisor {
  readonly kind = connectedClusterKind.name;
  readonly codes = CODES;

  constructor(
    private readonly client: ArcClient,
    private readonly kube: Kube,
  ) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const picture = await seenIfAny(() => lookAtAgents(this.kube.cluster(object), context));
    const isOurs = picture !== undefined && !belongsElsewhere(picture, ArmId.parse(object.id));
    const fault = isOurs ? agentFault(picture) : undefined;
    if (fault === undefined) return this.#silence(object, context);
    const { code, evidence, remedy } = fault;
    const remedies = [{ description: remedy, operations: [] }];
    return [{ code, severity: 'error', cause: CODES[code], evidence, remedies }];
  }

  /** The index of Azure does not tell since when a cluster is registered: Azure itself is asked. */
  async #silence(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    if (!isSilent(object.properties)) return [];
    const registeredAt = silentSince(await this.client.get(ArmId.parse(object.id), context));
    if (registeredAt === undefined) return [];
    const description =
      'Install the agents: arc.cluster.connect, given the same cluster again, shows the command. Where they are installed, let the cluster reach the hosts that are named, by its proxy where there is one.';
    return [
      {
        code: 'AGENTS_NEVER_REPORTED',
        severity: 'error',
        cause: CODES.AGENTS_NEVER_REPORTED,
        evidence: { registeredAt, hosts: [...ARC_AGENT_HOSTS] },
        remedies: [{ description, operations: [] }],
      },
    ];
  }
}

/** By what Azure says of clusters that it has heard nothing from. */
function isSilent(properties: JsonObject): boolean {
  const status = rawText(properties, 'connectivityStatus')?.toLowerCase();
  return status === 'connecting' || status === 'agentnotinstalled';
}

/** undefined where agents have reported, or may still come. */
function silentSince(reading: ArmReading): string | undefined {
  if (reading.state === 'missing') return undefined;
  const properties = rawObject(reading.body, 'properties') ?? {};
  const createdAt = rawText(reading.body, 'systemData', 'createdAt');
  if (!isSilent(properties) || createdAt === null) return undefined;
  if (rawText(properties, 'lastConnectivityTime') !== null) return undefined;
  return reading.observedAt.getTime() - Date.parse(createdAt) > AGENTS_REPORT_WITHIN_MS ? createdAt : undefined;
}
