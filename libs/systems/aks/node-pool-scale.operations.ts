import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { abandonDesiredState, reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
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
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import { clusterOf } from './aks.collector.js';
import { agentPoolKind, describeAgentPool, describeManagedCluster, observeManagedCluster } from './aks.kinds.js';
import { MOST_NODES_OF_CLUSTER, MOST_NODES_OF_POOL } from './aks.limits.js';
import { findPool, nodePoolId, otherChangeOf, presentPool } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';

const scaleInput = z.strictObject({
  nodePool: resourceReference('The node pool to scale'),
  count: z.int().min(0).max(MOST_NODES_OF_POOL).describe('The number of nodes that the pool shall have.'),
});
type ScaleInput = z.output<typeof scaleInput>;

const scaleFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster of the node pool.',
  NODE_POOL_NOT_FOUND: 'The cluster has no node pool of this name.',
  CLUSTER_STOPPED: 'The cluster is stopped; it has to be started before its pools can be scaled.',
  NODE_POOL_STOPPED: 'The node pool is stopped; it has to be started before it can be scaled.',
  CLUSTER_FAILED: 'The last operation on the cluster has failed; scaling may fail for the same reason.',
  CLUSTER_BUSY: 'Another operation runs on the cluster; the scaling waits until it has ended.',
  HUB_CLUSTER_READ_ONLY: 'The cluster is the hub of a fleet: Azure denies changes to it.',
  AUTOSCALER_ENABLED: 'The cluster autoscaler decides the number of nodes of this pool.',
  NODE_POOL_TYPE_UNSUPPORTED: 'A pool of single virtual machines has no one count to set.',
  SYSTEM_POOL_NEEDS_NODE: 'The system pods need a node: a system pool cannot be scaled to zero.',
  CLUSTER_NODE_LIMIT: 'The cluster would have more nodes than AKS allows.',
  ...coreFindings,
  ALREADY_AT_COUNT: 'The pool has this number of nodes already.',
} as const satisfies Record<string, string>;

export function scaleNodePool(client: AksClient): OperationDefinition<typeof scaleInput> {
  return {
    type: 'aks.nodePool.scale',
    title: 'Scale a node pool',
    description:
      'Sets the number of nodes of an AKS node pool. Waits while another operation runs on the cluster, since AKS allows one at a time.',
    permission: 'aks/nodePools/write',
    input: scaleInput,
    references: { nodePool: [agentPoolKind.name] },
    timeoutSeconds: 3600,
    findings: scaleFindings,
    target(_input, references) {
      const id = nodePoolId(references);
      return { id: id.toString(), kind: agentPoolKind.name, lock: clusterOf(id).canonical };
    },
    preflight: (context) => preflightScale(client, context),
    steps: [
      {
        name: 'scale',
        description: 'Asks AKS for the number of nodes and waits until they are there.',
        run: (context) => runScale(client, context),
        abort: (context) => abortScale(client, context),
      },
    ],
    verify: (context) => verifyScale(client, context),
  };
}

async function preflightScale(client: AksClient, context: OperationContext<ScaleInput>): Promise<Finding[]> {
  const id = nodePoolId(context.references);
  const { count } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(scaleFindings, findings);
  const reading = await client.getCluster(clusterOf(id), context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: clusterOf(id).toString() });
    return findings;
  }
  const found = findPool(reading.body, id);
  if (found === undefined) {
    say('NODE_POOL_NOT_FOUND', 'error', { nodePool: id.toString() });
    return findings;
  }

  const { cluster, pool, poolRaw } = found;
  const { isFleetHub, nodeCount, nodeResourceGroup, powerState } = describeManagedCluster(cluster);
  const clusterState = rawText(cluster, 'provisioningState');
  const poolState = rawText(poolRaw, 'provisioningState');
  if (isFleetHub) say('HUB_CLUSTER_READ_ONLY', 'error', { nodeResourceGroup }, 'Change the fleet instead.');
  if (powerState === 'Stopped') {
    const operations = [{ type: 'aks.cluster.start', input: { cluster: clusterOf(id).toString() } }];
    say('CLUSTER_STOPPED', 'error', { powerState }, 'Start the cluster first.', operations);
  } else if (pool.powerState === 'Stopped') {
    const operations = [{ type: 'aks.nodePool.start', input: { nodePool: id.toString() } }];
    say('NODE_POOL_STOPPED', 'error', { powerState: pool.powerState }, 'Start the node pool first.', operations);
  }
  if (provisioningPhase(clusterState) === 'failed')
    say('CLUSTER_FAILED', 'warning', { provisioningState: clusterState });
  if (provisioningPhase(clusterState) === 'moving' || provisioningPhase(poolState) === 'moving') {
    say('CLUSTER_BUSY', 'warning', { cluster: clusterState, nodePool: poolState });
  }
  if (pool.autoscaling) {
    const remedy = 'Change the limits of the autoscaler, or switch it off for this pool.';
    say('AUTOSCALER_ENABLED', 'error', { minCount: pool.minCount, maxCount: pool.maxCount }, remedy);
  }
  if (pool.poolType === 'VirtualMachines') say('NODE_POOL_TYPE_UNSUPPORTED', 'error', { type: pool.poolType });
  if (count === 0 && pool.mode?.toLowerCase() === 'system') {
    say('SYSTEM_POOL_NEEDS_NODE', 'error', { mode: pool.mode }, 'Ask for one node at least.');
  }
  const added = count - (pool.count ?? 0);
  if (added > 0 && nodeCount + added > MOST_NODES_OF_CLUSTER) {
    say('CLUSTER_NODE_LIMIT', 'error', { nodes: nodeCount + added, limit: MOST_NODES_OF_CLUSTER });
  }
  if (added === 0 && provisioningPhase(poolState) === 'succeeded') say('ALREADY_AT_COUNT', 'info', { count });
  if (added > 0)
    await judgeCores(client, context, { id, location: rawText(reading.body, 'location'), nodes: added }, say);
  return findings;
}

function runScale(client: AksClient, context: StepContext<ScaleInput>): Promise<StepOutcome> {
  const id = nodePoolId(context.references);
  const { count } = context.input;
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is scaling the pool ${id.name} to ${count} nodes.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeScale(client, context, id, reading),
      write: (reading) =>
        client.changeNodePool(
          id,
          presentPool(reading, id),
          (body) => {
            memberObject(body, 'properties').count = count;
          },
          context,
        ),
    },
    context,
  );
}

/** Azure keeps the number that was asked for; what there is of nodes by then stays. */
function abortScale(client: AksClient, context: AbortContext<ScaleInput>): Promise<AbortOutcome> {
  const id = nodePoolId(context.references);
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is stopping the scaling of the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeScale(client, context, id, reading),
      abort: () => client.abortNodePool(id, context),
      stopped: (reading) => {
        const state = reading.state === 'missing' ? 'gone' : rawText(reading.body, 'properties', 'provisioningState');
        return `Azure has stopped the scaling of the pool ${id.name}, which is ${state ?? 'in no known state'}.`;
      },
    },
    context.asked,
  );
}

async function judgeScale(
  client: AksClient,
  context: StepContext<ScaleInput>,
  id: ArmId,
  reading: ArmReading,
): Promise<DesiredStateVerdict> {
  const { body } = presentPool(reading, id);
  const raw = memberObject(body, 'properties');
  const state = rawText(raw, 'provisioningState');
  const phase = provisioningPhase(state);
  const pool = describeAgentPool(raw);
  if (pool.count === context.input.count) {
    switch (phase) {
      case 'succeeded':
      case 'unknown':
        return { verdict: 'reached', message: `The pool ${id.name} has ${pool.count} nodes.` };
      case 'moving':
        return { verdict: 'underway', message: `The pool ${id.name} is on its way to ${pool.count} nodes (${state}).` };
      case 'failed':
      case 'canceled':
        return { verdict: 'failed', error: failedOperationError(`Scaling ${id.name}`, body) };
    }
  }
  if (phase === 'moving')
    return { verdict: 'busy', message: `The pool ${id.name} is being changed by someone else (${state}).` };
  // AKS answers 409 while anything else of the cluster changes: looking first spares it the request.
  const other = await otherChangeOf(client, clusterOf(id), context);
  if (other !== undefined) return { verdict: 'busy', message: other };
  if (pool.autoscaling) {
    throw new ControlError('CONFLICT', `The autoscaler has been switched on for the pool ${id.name}.`, {
      remedy: 'Change the limits of the autoscaler instead.',
    });
  }
  return { verdict: 'different' };
}

async function verifyScale(client: AksClient, context: OperationContext<ScaleInput>): Promise<Verification> {
  const id = nodePoolId(context.references);
  const { count } = context.input;
  const reading = await client.getCluster(clusterOf(id), context);
  const found = reading.state === 'missing' ? undefined : findPool(reading.body, id);
  if (reading.state === 'missing' || found === undefined) {
    return { verdict: 'missed', message: `The pool ${id.name} is not there any more.` };
  }
  const state = rawText(found.poolRaw, 'provisioningState');
  if (provisioningPhase(state) === 'moving') {
    return {
      verdict: 'pending',
      message: `The pool ${id.name} is ${state}.`,
      retryAfterSeconds: client.arm.pollIntervalSeconds,
    };
  }
  if (found.pool.count !== count || provisioningPhase(state) !== 'succeeded') {
    return {
      verdict: 'missed',
      message: `The pool ${id.name} is ${state ?? 'in no known state'} with ${found.pool.count ?? 'an unknown number of'} nodes; ${count} were asked for.`,
    };
  }
  return {
    verdict: 'reached',
    result: { nodePool: id.toString(), count, provisioningState: state },
    observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
    absent: [],
  };
}
