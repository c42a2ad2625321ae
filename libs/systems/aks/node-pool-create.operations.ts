import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { abandonDesiredState, reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  AbortContext,
  AbortOutcome,
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AksClient } from './aks.client.js';
import {
  agentPoolKind,
  describeAgentPool,
  managedClusterKind,
  observeManagedCluster,
  type ManagedClusterProperties,
} from './aks.kinds.js';
import { MOST_MINORS_BEHIND, MOST_NODES_OF_CLUSTER, MOST_POOLS_OF_CLUSTER } from './aks.limits.js';
import { clusterFindings, judgeCluster, judgeStopped, stoppedFindings } from './cluster.preflight.js';
import { clusterId, findPool, otherChangeOf, poolsOf } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';
import { compareVersions, isOfVersion, kubernetesVersion, minorsBehind } from './kubernetes-version.js';
import { commonPoolProperties, isWithinLimits, poolFields, subnetReference } from './node-pool.input.js';
import { judgeMachineSize, sizeFindings } from './machine-size.preflight.js';
import { addressesNeeded, judgeSubnet, subnetFindings } from './subnet.preflight.js';

/** Windows gives its machines longer names. */
const LONGEST_WINDOWS_NAME = 6;

const createInput = z.strictObject({
  cluster: resourceReference('The AKS cluster to add the pool to'),
  ...poolFields,
  kubernetesVersion: kubernetesVersion
    .optional()
    .describe('The Kubernetes version of the nodes; that of the control plane where absent.'),
  subnet: subnetReference
    .optional()
    .describe('The ARM id of the subnet of the nodes; that of the first pool where absent.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  ...clusterFindings,
  ...stoppedFindings,
  NODE_POOL_EXISTS: 'The node pool exists already as it was asked for.',
  NODE_POOL_EXISTS_DIFFERENT: 'A node pool of this name exists and is not what was asked for.',
  NODE_POOL_LIMIT: 'The cluster has as many node pools as AKS allows.',
  CLUSTER_NODE_LIMIT: 'The cluster would have more nodes than AKS allows.',
  SYSTEM_POOL_NEEDS_NODE: 'The system pods need a node: a system pool cannot be empty.',
  SYSTEM_POOL_NOT_SUITED: 'System pods run on Linux machines that stay: a system pool is neither Windows nor spot.',
  WINDOWS_NAME_TOO_LONG: 'The name of a Windows pool has 6 characters at most.',
  WINDOWS_NEEDS_AZURE_CNI: 'Windows nodes need Azure CNI, which this cluster has not.',
  AUTOSCALER_LIMITS_CONFLICT: 'The number of nodes is not between the limits of the autoscaler.',
  VERSION_NEWER_THAN_CONTROL_PLANE: 'Nodes cannot run a newer version than the control plane.',
  VERSION_TOO_OLD: 'The nodes would be more minor versions behind the control plane than Kubernetes allows.',
  SUBNET_IN_OTHER_NETWORK: 'All node pools of a cluster have to be in one virtual network.',
  ...subnetFindings,
  ...sizeFindings,
  ...coreFindings,
} as const satisfies Record<string, string>;

export function createNodePool(client: AksClient): OperationDefinition<typeof createInput> {
  return {
    type: 'aks.nodePool.create',
    title: 'Create a node pool',
    description:
      'Adds a node pool to an AKS cluster, and waits until its nodes are there. Waits first while another operation runs on the cluster, since AKS allows one at a time.',
    permission: 'aks/nodePools/write',
    input: createInput,
    references: { cluster: [managedClusterKind.name] },
    timeoutSeconds: 3600,
    findings: createFindings,
    target(input, references) {
      const id = newPoolId(input, references);
      return { id: id.toString(), kind: agentPoolKind.name, lock: clusterId(references).canonical };
    },
    preflight: (context) => preflightCreate(client, context),
    steps: [
      {
        name: 'create',
        description: 'Asks AKS for the node pool and waits until it is there.',
        run: (context) => runCreate(client, context),
        abort: (context) => abortCreate(client, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

type CreateReporter = FindingReporter<keyof typeof createFindings>;

async function preflightCreate(client: AksClient, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { input } = context;
  const cluster = clusterId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  const reading = await client.getCluster(cluster, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: cluster.toString() });
    return findings;
  }
  const described = judgeCluster(reading.body, say);
  judgeStopped(described, cluster.toString(), say);
  const existing = findPool(reading.body, newPoolId(input, context.references));
  if (existing !== undefined) {
    const difference = differenceOf(existing.poolRaw, input);
    if (difference === undefined) say('NODE_POOL_EXISTS', 'info', { name: input.name });
    else say('NODE_POOL_EXISTS_DIFFERENT', 'error', difference, 'Use another name, or delete the pool first.');
    return findings;
  }
  judgeShape(input, described, say);
  judgeVersion(input, described, say);
  const subnet = input.subnet ?? described.subnetIds[0];
  if (input.subnet !== undefined && described.virtualNetworkId !== null) {
    const network = input.subnet.slice(0, input.subnet.toLowerCase().lastIndexOf('/subnets/'));
    if (network.toLowerCase() !== described.virtualNetworkId.toLowerCase()) {
      say('SUBNET_IN_OTHER_NETWORK', 'error', { subnet: input.subnet, virtualNetwork: described.virtualNetworkId });
    }
  }
  if (subnet !== undefined) {
    const isFlat = described.networkPlugin === 'azure' && described.networkPluginMode === null;
    const addresses = addressesNeeded(input.count, input.maxPods, isFlat);
    await judgeSubnet(client, context, { subnet, addresses }, say);
  }
  const location = rawText(reading.body, 'location');
  if (location !== null) {
    const { vmSize, zones } = input;
    const subscriptionId = cluster.subscriptionId ?? '';
    const isSystem = input.mode === 'System';
    await judgeMachineSize(client, context, { subscriptionId, location, vmSize, zones, isSystem }, say);
  }
  await judgeCores(client, context, { id: cluster, location, nodes: input.count }, say);
  return findings;
}

function judgeShape(input: CreateInput, cluster: ManagedClusterProperties, say: CreateReporter): void {
  const { name, count, mode, osType, spot } = input;
  if (cluster.nodePoolCount >= MOST_POOLS_OF_CLUSTER) {
    say('NODE_POOL_LIMIT', 'error', { nodePools: cluster.nodePoolCount, limit: MOST_POOLS_OF_CLUSTER });
  }
  if (cluster.nodeCount + count > MOST_NODES_OF_CLUSTER) {
    say('CLUSTER_NODE_LIMIT', 'error', { nodes: cluster.nodeCount + count, limit: MOST_NODES_OF_CLUSTER });
  }
  if (mode === 'System' && count < 1) say('SYSTEM_POOL_NEEDS_NODE', 'error', { count });
  if (mode === 'System' && (osType === 'Windows' || spot)) {
    say('SYSTEM_POOL_NOT_SUITED', 'error', { osType, spot }, 'Ask for a pool of mode User.');
  }
  if (osType === 'Windows') {
    if (name.length > LONGEST_WINDOWS_NAME) say('WINDOWS_NAME_TOO_LONG', 'error', { name });
    if (cluster.networkPlugin !== 'azure') {
      say('WINDOWS_NEEDS_AZURE_CNI', 'error', { networkPlugin: cluster.networkPlugin });
    }
  }
  if (!isWithinLimits(input)) say('AUTOSCALER_LIMITS_CONFLICT', 'error', { count, ...input.autoscaler });
}

function judgeVersion(input: CreateInput, cluster: ManagedClusterProperties, say: CreateReporter): void {
  const { kubernetesVersion: wanted } = input;
  const running = cluster.currentKubernetesVersion ?? cluster.kubernetesVersion;
  if (wanted === undefined || running === null || isOfVersion(running, wanted)) return;
  const evidence = { wanted, controlPlane: running };
  if (compareVersions(wanted, running) > 0) {
    say('VERSION_NEWER_THAN_CONTROL_PLANE', 'error', evidence, 'Upgrade the control plane first.');
  } else if (minorsBehind(wanted, running) > MOST_MINORS_BEHIND) say('VERSION_TOO_OLD', 'error', evidence);
}

function runCreate(client: AksClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { input } = context;
  const id = newPoolId(input, context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is creating the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeCreate(client, context, id, reading),
      async write(reading) {
        if (reading.state === 'found') {
          // An earlier attempt has failed: the same body again makes Azure go on with it.
          return client.changeNodePool(id, reading, () => undefined, context);
        }
        return client.createNodePool(id, await poolBody(client, context), context);
      },
    },
    context,
  );
}

/** What there is of nodes by then stays, in a pool in the state `Canceled`. */
function abortCreate(client: AksClient, context: AbortContext<CreateInput>): Promise<AbortOutcome> {
  const id = newPoolId(context.input, context.references);
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is stopping the creation of the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeCreate(client, context, id, reading),
      abort: () => client.abortNodePool(id, context),
      stopped: (reading) =>
        reading.state === 'missing'
          ? `Nothing was made of the pool ${id.name}.`
          : `Azure has stopped the creation of the pool ${id.name}; what there is of it stays until it is deleted.`,
    },
    context.asked,
  );
}

/** @throws ControlError CONFLICT where another pool has the name. */
async function judgeCreate(
  client: AksClient,
  context: StepContext<CreateInput>,
  id: ArmId,
  reading: ArmReading,
): Promise<DesiredStateVerdict> {
  if (reading.state === 'missing') {
    // AKS answers 409 while anything else of the cluster changes: looking first spares it the request.
    const other = await otherChangeOf(client, clusterId(context.references), context);
    return other === undefined ? { verdict: 'different' } : { verdict: 'busy', message: other };
  }
  const raw = rawObject(reading.body, 'properties') ?? {};
  if (differenceOf(raw, context.input) !== undefined) {
    throw new ControlError('CONFLICT', `A pool ${id.name} exists that is not what was asked for.`, {
      remedy: 'Use another name, or delete the pool first.',
    });
  }
  const state = rawText(raw, 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `The pool ${id.name} is there.` };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `The pool ${id.name} is being deleted.` }
        : { verdict: 'underway', message: `The pool ${id.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Creating ${id.name}`, reading.body) };
  }
}

async function verifyCreate(client: AksClient, context: OperationContext<CreateInput>): Promise<Verification> {
  const id = newPoolId(context.input, context.references);
  const reading = await client.getCluster(clusterId(context.references), context);
  const found = reading.state === 'missing' ? undefined : findPool(reading.body, id);
  if (reading.state === 'missing' || found === undefined) {
    return { verdict: 'missed', message: `The pool ${id.name} is not there.` };
  }
  const state = rawText(found.poolRaw, 'provisioningState');
  const phase = provisioningPhase(state);
  if (phase === 'moving') {
    const retryAfterSeconds = client.arm.pollIntervalSeconds;
    return { verdict: 'pending', message: `The pool ${id.name} is ${state}.`, retryAfterSeconds };
  }
  const difference = differenceOf(found.poolRaw, context.input);
  if (phase !== 'succeeded' || difference !== undefined) {
    return { verdict: 'missed', message: `The pool ${id.name} is not as it was asked for (${state ?? 'no state'}).` };
  }
  const { count, currentKubernetesVersion } = found.pool;
  return {
    verdict: 'reached',
    result: { nodePool: id.toString(), uid: id.uid, count, kubernetesVersion: currentKubernetesVersion },
    observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
    absent: [],
  };
}

function newPoolId(input: CreateInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return clusterId(references).child('agentPools', input.name);
}

/** What cannot be changed and is not as asked for, as evidence; undefined when there is no such difference. */
function differenceOf(raw: JsonObject, input: CreateInput): JsonObject | undefined {
  const pool = describeAgentPool(raw);
  if (pool.vmSize !== null && pool.vmSize.toLowerCase() !== input.vmSize.toLowerCase()) return { vmSize: pool.vmSize };
  if (pool.osType !== null && pool.osType !== input.osType) return { osType: pool.osType };
  if (pool.mode !== null && pool.mode !== input.mode) return { mode: pool.mode };
  if (pool.spot !== input.spot) return { spot: pool.spot };
  return undefined;
}

/** Nodes join the network of those that are there, unless another subnet is asked for. */
async function poolBody(client: AksClient, context: StepContext<CreateInput>): Promise<JsonObject> {
  const { input } = context;
  const reading = await client.getCluster(clusterId(context.references), context);
  const present = reading.state === 'missing' ? [] : poolsOf(reading.body);
  const subnet = input.subnet ?? present.find(({ pool }) => pool.subnetId !== null)?.pool.subnetId ?? undefined;
  return {
    properties: {
      ...commonPoolProperties(input, subnet),
      mode: input.mode,
      osType: input.osType,
      ...(input.kubernetesVersion === undefined ? {} : { orchestratorVersion: input.kubernetesVersion }),
      ...(input.nodeLabels === undefined ? {} : { nodeLabels: { ...input.nodeLabels } }),
      ...(input.nodeTaints === undefined ? {} : { nodeTaints: [...input.nodeTaints] }),
      ...(input.spot ? { scaleSetPriority: 'Spot', scaleSetEvictionPolicy: 'Delete', spotMaxPrice: -1 } : {}),
    },
  };
}
