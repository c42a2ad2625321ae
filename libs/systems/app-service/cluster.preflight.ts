import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { enable } from '../contract/cluster-work.failures.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { rawInteger, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { holdsAddress, type AddressPool } from './address-pool.js';
import type { AppServiceParts } from './app-service.parts.js';
import { CONNECTED_CLUSTER_KIND } from './placement.js';

/** What can be seen in the cluster alone. */
export const clusterFindings = {
  CLUSTER_CONNECT_OFF:
    'The feature cluster-connect is off: the operation waits until it is on, since custom locations go through it.',
  CLUSTER_OUT_OF_SIGHT: 'Pilothouse cannot look into the cluster: what is wrong in it shows later.',
  ADDRESS_IN_USE: 'A service of the cluster holds the address already.',
  ADDRESS_OUTSIDE_POOL: 'No pool of the load balancer of the cluster holds the address: it would never be given.',
} as const satisfies Record<string, string>;
type ClusterFinding = keyof typeof clusterFindings;

/** What App Service is to find in a cluster. */
export interface ClusterWish {
  cluster: ArmId;
  namespace: string;
  staticIp: string;
  /** Whether a load balancer is to give the address. */
  isBalanced: boolean;
}

/** The namespace of the agents of Arc, and those of them that listen at the cluster's end of the relay. */
export const AGENT_NAMESPACE = 'azure-arc';
const RELAY_AGENTS = ['clusterconnect-agent', 'kube-aad-proxy'];

const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
const SERVICE = { group: '', kind: 'Service' };
/** Of MetalLB, the load balancer of clusters on Azure Stack HCI. */
const ADDRESS_POOL = { group: 'metallb.io', kind: 'IPAddressPool' };

type Call = Pick<OperationContext<unknown>, 'correlationId' | 'signal'>;

export async function judgeCluster(
  parts: AppServiceParts,
  wish: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  try {
    await judgeAgents(parts, wish, context, say);
    await judgeAddress(parts, wish, context, say);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('CLUSTER_OUT_OF_SIGHT', 'info', { code: error.code });
  }
}

async function judgeAgents(
  parts: AppServiceParts,
  { cluster }: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  const missing = await missingAgents(parts, cluster, context);
  if (missing.length === 0) return;
  const evidence = { missing, command: featureCommand(cluster) };
  const remedy = 'Switch cluster-connect on; this operation goes on by itself.';
  say('CLUSTER_CONNECT_OFF', 'warning', evidence, remedy, [enable(cluster, ['cluster-connect'])]);
}

async function judgeAddress(
  parts: AppServiceParts,
  { cluster, namespace, staticIp, isBalanced }: ClusterWish,
  context: Call,
  say: FindingReporter<ClusterFinding>,
): Promise<void> {
  for (const service of await listObjects(parts, cluster, SERVICE, undefined, context)) {
    const own = rawText(service, 'metadata', 'namespace');
    if (own === namespace || !claims(service, staticIp)) continue;
    const name = rawText(service, 'metadata', 'name');
    say('ADDRESS_IN_USE', 'error', { staticIp, service: `${own}/${name}` }, 'Choose an address that is free.');
  }
  if (!isBalanced) return;
  const pools = (await listObjects(parts, cluster, ADDRESS_POOL, undefined, context)).map(poolOf);
  // Without any the load balancer is another one, of which nothing is known.
  if (pools.length === 0 || pools.some((pool) => holdsAddress(pool, staticIp))) return;
  const evidence = { staticIp, pools: pools.map(({ name, addresses }) => ({ name, addresses: [...addresses] })) };
  say('ADDRESS_OUTSIDE_POOL', 'error', evidence, 'Choose an address of a pool that no service holds.');
}

/** Whether a service has the address, or has asked for it. */
function claims(service: JsonObject, address: string): boolean {
  return (
    rawText(service, 'spec', 'loadBalancerIP') === address ||
    rawObjects(service, 'status', 'loadBalancer', 'ingress').some((ingress) => rawText(ingress, 'ip') === address)
  );
}

function poolOf(pool: JsonObject): AddressPool {
  return { name: rawText(pool, 'metadata', 'name') ?? '', addresses: rawTexts(pool, 'spec', 'addresses') };
}

/** Of the agents that cluster-connect consists of, those that do not run. @throws ControlError */
export async function missingAgents(parts: AppServiceParts, cluster: ArmId, context: Call): Promise<string[]> {
  const deployments = await listObjects(parts, cluster, DEPLOYMENT, AGENT_NAMESPACE, context);
  return RELAY_AGENTS.filter(
    (name) =>
      !deployments.some(
        (deployment) =>
          rawText(deployment, 'metadata', 'name') === name &&
          (rawInteger(deployment, 'status', 'availableReplicas') ?? 0) > 0,
      ),
  );
}

/** None where the cluster serves no such type. @throws ControlError */
async function listObjects(
  { kube }: AppServiceParts,
  cluster: ArmId,
  type: { group: string; kind: string },
  namespace: string | undefined,
  context: Call,
): Promise<JsonObject[]> {
  const client = kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: CONNECTED_CLUSTER_KIND });
  const resource = await client.findResource(type, context);
  const objects: JsonObject[] = [];
  if (resource === undefined) return objects;
  for await (const page of client.list(resource, namespace === undefined ? {} : { namespace }, context)) {
    if (page.restarted) objects.length = 0;
    objects.push(...page.items);
  }
  return objects;
}

export function featureCommand({ name, resourceGroup }: ArmId): string {
  return `az connectedk8s enable-features --name ${name} --resource-group ${resourceGroup ?? ''} --features cluster-connect custom-locations`;
}
