import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { abandonDesiredState, reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
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
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import { clusterOf } from './aks.collector.js';
import { agentPoolKind, observeManagedCluster } from './aks.kinds.js';
import { clusterFindings, judgeCluster, judgeStopped, stoppedFindings } from './cluster.preflight.js';
import { findPool, nodePoolId, otherChangeOf, presentPool, type PoolInCluster } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';

type Power = 'Running' | 'Stopped';

/** The words of both directions. */
const WORDS = {
  Running: { action: 'start', state: 'starting', doing: 'starting' },
  Stopped: { action: 'stop', state: 'stopping', doing: 'stopping' },
} as const;

const startInput = z.strictObject({ nodePool: resourceReference('The node pool to start') });
const stopInput = z.strictObject({ nodePool: resourceReference('The node pool to stop') });
type PowerInput = z.output<typeof startInput>;

const poolFindings = {
  ...clusterFindings,
  ...stoppedFindings,
  NODE_POOL_NOT_FOUND: 'The cluster has no node pool of this name.',
} as const satisfies Record<string, string>;

const startFindings = {
  ...poolFindings,
  ...coreFindings,
  ALREADY_RUNNING: 'The node pool runs already.',
} as const satisfies Record<string, string>;

const stopFindings = {
  ...poolFindings,
  ALREADY_STOPPED: 'The node pool is stopped already.',
  SYSTEM_POOL: 'The node pool carries the system pods: AKS stops only user pools.',
  NODES_STOP: 'All nodes of the pool stop; their pods are placed on other nodes, where there is room for them.',
} as const satisfies Record<string, string>;

export function startNodePool(client: AksClient): OperationDefinition<typeof startInput> {
  return {
    ...powerDefinition(client, 'Running'),
    type: 'aks.nodePool.start',
    title: 'Start a node pool',
    description: 'Starts the nodes of a stopped AKS node pool, and waits until they run.',
    input: startInput,
    findings: startFindings,
    preflight: (context) => preflightStart(client, context),
  };
}

export function stopNodePool(client: AksClient): OperationDefinition<typeof stopInput> {
  return {
    ...powerDefinition(client, 'Stopped'),
    type: 'aks.nodePool.stop',
    title: 'Stop a node pool',
    description: 'Stops the nodes of an AKS user pool, which then cost nothing, and waits until they are stopped.',
    input: stopInput,
    findings: stopFindings,
    preflight: (context) => preflightStop(client, context),
  };
}

function powerDefinition(client: AksClient, wanted: Power) {
  const { action, doing } = WORDS[wanted];
  return {
    permission: 'aks/nodePools/power/write',
    references: { nodePool: [agentPoolKind.name] },
    timeoutSeconds: 3600,
    target(_input: PowerInput, references: OperationContext<PowerInput>['references']) {
      const id = nodePoolId(references);
      return { id: id.toString(), kind: agentPoolKind.name, lock: clusterOf(id).canonical };
    },
    steps: [
      {
        name: action,
        description: `Asks AKS for ${doing} the node pool and waits until it is so.`,
        run: (context: StepContext<PowerInput>) => runPower(client, context, wanted),
        abort: (context: AbortContext<PowerInput>) => abortPower(client, context, wanted),
      },
    ],
    verify: (context: OperationContext<PowerInput>) => verifyPower(client, context, wanted),
  };
}

async function preflightStart(client: AksClient, context: OperationContext<PowerInput>): Promise<Finding[]> {
  const id = nodePoolId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(startFindings, findings);
  const found = await judgePool(client, context, say);
  if (found === undefined) return findings;
  const { count, powerState } = found.pool;
  if (powerState !== 'Stopped') say('ALREADY_RUNNING', 'info', { powerState });
  else await judgeCores(client, context, { id, location: found.location, nodes: count ?? 0 }, say);
  return findings;
}

async function preflightStop(client: AksClient, context: OperationContext<PowerInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(stopFindings, findings);
  const found = await judgePool(client, context, say);
  if (found === undefined) return findings;
  const { count, mode, powerState } = found.pool;
  if (powerState === 'Stopped') {
    say('ALREADY_STOPPED', 'info', { powerState });
    return findings;
  }
  if (mode?.toLowerCase() === 'system') {
    const remedy = 'Stop the cluster (aks.cluster.stop), or make another pool the system pool first.';
    say('SYSTEM_POOL', 'error', { mode }, remedy);
  }
  say('NODES_STOP', 'warning', { nodes: count });
  return findings;
}

/** @returns the pool with the location of its cluster; undefined where it is not there, which is said. */
async function judgePool(
  client: AksClient,
  context: OperationContext<PowerInput>,
  say: FindingReporter<keyof typeof poolFindings>,
): Promise<(PoolInCluster & { location: string | null }) | undefined> {
  const id = nodePoolId(context.references);
  const cluster = clusterOf(id);
  const reading = await client.getCluster(cluster, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: cluster.toString() });
    return undefined;
  }
  const found = findPool(reading.body, id);
  if (found === undefined) {
    say('NODE_POOL_NOT_FOUND', 'error', { nodePool: id.toString() });
    return undefined;
  }
  judgeStopped(judgeCluster(reading.body, say), cluster.toString(), say);
  return { ...found, location: rawText(reading.body, 'location') };
}

function runPower(client: AksClient, context: StepContext<PowerInput>, wanted: Power): Promise<StepOutcome> {
  const id = nodePoolId(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is ${WORDS[wanted].doing} the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgePower(client, context, reading, wanted),
      write: (reading) =>
        client.changeNodePool(
          id,
          presentPool(reading, id),
          (body) => {
            memberObject(body, 'properties').powerState = { code: wanted };
          },
          context,
        ),
    },
    context,
  );
}

function abortPower(client: AksClient, context: AbortContext<PowerInput>, wanted: Power): Promise<AbortOutcome> {
  const id = nodePoolId(context.references);
  const { doing } = WORDS[wanted];
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is breaking off the ${doing} of the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgePower(client, context, reading, wanted),
      abort: () => client.abortNodePool(id, context),
      stopped: (reading) => {
        const power = reading.state === 'missing' ? 'gone' : powerOf(reading);
        return `Azure has broken off the ${doing} of the pool ${id.name}, which is ${power ?? 'in no known state'}.`;
      },
    },
    context.asked,
  );
}

function powerOf(reading: Extract<ArmReading, { state: 'found' }>): string | null {
  return rawText(reading.body, 'properties', 'powerState', 'code');
}

/** @throws ControlError AZURE_NOT_FOUND. */
async function judgePower(
  client: AksClient,
  context: OperationContext<PowerInput>,
  reading: ArmReading,
  wanted: Power,
): Promise<DesiredStateVerdict> {
  const id: ArmId = nodePoolId(context.references);
  const pool = presentPool(reading, id);
  const state = rawText(pool.body, 'properties', 'provisioningState');
  const isThere = powerOf(pool) === wanted;
  switch (provisioningPhase(state)) {
    case 'moving':
      return isThere || state?.toLowerCase() === WORDS[wanted].state
        ? { verdict: 'underway', message: `The pool ${id.name} is ${state}.` }
        : { verdict: 'busy', message: `The pool ${id.name} is being changed by someone else (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`${WORDS[wanted].action} ${id.name}`, pool.body) };
    case 'succeeded':
    case 'unknown':
      break;
  }
  if (isThere) return { verdict: 'reached', message: `The pool ${id.name} is ${wanted}.` };
  // AKS answers 409 while anything else of the cluster changes: looking first spares it the request.
  const other = await otherChangeOf(client, clusterOf(id), context);
  return other === undefined ? { verdict: 'different' } : { verdict: 'busy', message: other };
}

async function verifyPower(
  client: AksClient,
  context: OperationContext<PowerInput>,
  wanted: Power,
): Promise<Verification> {
  const id = nodePoolId(context.references);
  const cluster = clusterOf(id);
  const reading = await client.getCluster(cluster, context);
  const found = reading.state === 'missing' ? undefined : findPool(reading.body, id);
  if (reading.state === 'missing' || found === undefined) {
    return { verdict: 'missed', message: `The pool ${id.name} is not there any more.` };
  }
  const state = rawText(found.poolRaw, 'provisioningState');
  const phase = provisioningPhase(state);
  if (phase === 'moving') {
    const retryAfterSeconds = client.arm.pollIntervalSeconds;
    return { verdict: 'pending', message: `The pool ${id.name} is ${state}.`, retryAfterSeconds };
  }
  if (found.pool.powerState !== wanted || phase !== 'succeeded') {
    const power = found.pool.powerState ?? 'in no known state';
    return { verdict: 'missed', message: `The pool ${id.name} is ${power} (${state ?? 'in no known state'}).` };
  }
  return {
    verdict: 'reached',
    result: { nodePool: id.toString(), powerState: wanted },
    observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
    absent: [],
    opened: [cluster.uid],
  };
}
