import { z } from 'zod';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import { judgeRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import { clusterOf } from './aks.collector.js';
import { agentPoolKind, observeManagedCluster } from './aks.kinds.js';
import { clusterFindings, judgeCluster, judgeStopped, stoppedFindings } from './cluster.preflight.js';
import { findPool, nodePoolId, otherChangeOf, poolsOf } from './cluster.reading.js';

const deleteInput = z.strictObject({ nodePool: resourceReference('The node pool to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  ...clusterFindings,
  ...stoppedFindings,
  NODE_POOL_GONE: 'The node pool is gone already.',
  LAST_SYSTEM_POOL: 'The cluster has no other system pool: the system pods would have no node.',
  NODES_ARE_DELETED: 'The nodes are deleted; their pods are placed on other nodes, where there is room for them.',
} as const satisfies Record<string, string>;

export function deleteNodePool(client: AksClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'aks.nodePool.delete',
    title: 'Delete a node pool',
    description:
      'Deletes a node pool of an AKS cluster with its nodes, and waits until it is gone. Waits first while another operation runs on the cluster, since AKS allows one at a time.',
    permission: 'aks/nodePools/delete',
    input: deleteInput,
    references: { nodePool: [agentPoolKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target(_input, references) {
      const id = nodePoolId(references);
      return { id: id.toString(), kind: agentPoolKind.name, lock: clusterOf(id).canonical };
    },
    preflight: (context) => preflightDelete(client, context),
    steps: [
      {
        name: 'delete',
        description: 'Asks AKS to delete the node pool and waits until it is gone.',
        run: (context) => runDelete(client, context),
      },
    ],
    verify: (context) => verifyDelete(client, context),
  };
}

async function preflightDelete(client: AksClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = nodePoolId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const reading = await client.getCluster(clusterOf(id), context);
  const found = reading.state === 'missing' ? undefined : findPool(reading.body, id);
  if (reading.state === 'missing' || found === undefined) {
    say('NODE_POOL_GONE', 'info', { nodePool: id.toString() });
    return findings;
  }
  judgeStopped(judgeCluster(reading.body, say), clusterOf(id).toString(), say);
  const isSystem = (mode: string | null): boolean => mode?.toLowerCase() === 'system';
  const others = poolsOf(reading.body).filter(
    ({ name, pool }) => isSystem(pool.mode) && name.toLowerCase() !== id.name.toLowerCase(),
  );
  if (isSystem(found.pool.mode) && others.length === 0) {
    say('LAST_SYSTEM_POOL', 'error', { mode: found.pool.mode }, 'Create another system pool first.');
  }
  say('NODES_ARE_DELETED', 'warning', { nodes: found.pool.count });
  return findings;
}

function runDelete(client: AksClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = nodePoolId(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeDelete(client, context, reading),
      write: () => client.deleteNodePool(id, context),
    },
    context,
  );
}

async function judgeDelete(
  client: AksClient,
  context: StepContext<DeleteInput>,
  reading: ArmReading,
): Promise<DesiredStateVerdict> {
  const id = nodePoolId(context.references);
  const verdict = judgeRemoval(`The pool ${id.name}`, reading, failedOperationError);
  if (verdict.verdict !== 'different') return verdict;
  // AKS answers 409 while anything else of the cluster changes: looking first spares it the request.
  const other = await otherChangeOf(client, clusterOf(id), context);
  return other === undefined ? verdict : { verdict: 'busy', message: other };
}

async function verifyDelete(client: AksClient, context: OperationContext<DeleteInput>): Promise<Verification> {
  const id = nodePoolId(context.references);
  const reading = await client.getCluster(clusterOf(id), context);
  const found = reading.state === 'missing' ? undefined : findPool(reading.body, id);
  if (reading.state === 'missing' || found === undefined) {
    const observations =
      reading.state === 'missing'
        ? []
        : observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' });
    return { verdict: 'reached', result: { removed: id.toString() }, observations, absent: [context.target] };
  }
  const state = rawText(found.poolRaw, 'provisioningState');
  const retryAfterSeconds = client.arm.pollIntervalSeconds;
  return provisioningPhase(state) === 'moving'
    ? { verdict: 'pending', message: `The pool ${id.name} is ${state}.`, retryAfterSeconds }
    : { verdict: 'missed', message: `The pool ${id.name} is still there (${state ?? 'in no known state'}).` };
}
