import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { abandonDesiredState, reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
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
import { managedClusterKind, observeManagedCluster } from './aks.kinds.js';
import { clusterFindings, judgeCluster, judgeVirtualNodes, virtualNodeFindings } from './cluster.preflight.js';
import { changeUnderWay, clusterId, presentCluster } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';

type Power = 'Running' | 'Stopped';

/** The words of both directions. */
const WORDS = {
  Running: { action: 'start', state: 'starting', doing: 'starting' },
  Stopped: { action: 'stop', state: 'stopping', doing: 'stopping' },
} as const;

const startInput = z.strictObject({ cluster: resourceReference('The AKS cluster to start') });
const stopInput = z.strictObject({ cluster: resourceReference('The AKS cluster to stop') });
type PowerInput = z.output<typeof startInput>;

const startFindings = {
  ...clusterFindings,
  ...coreFindings,
  ALREADY_RUNNING: 'The cluster runs already.',
} as const satisfies Record<string, string>;

const stopFindings = {
  ...clusterFindings,
  ...virtualNodeFindings,
  ALREADY_STOPPED: 'The cluster is stopped already.',
  WORKLOADS_STOP:
    'All that runs on the nodes stops with the cluster; its API server answers nobody until it is started.',
} as const satisfies Record<string, string>;

export function startCluster(client: AksClient): OperationDefinition<typeof startInput> {
  return {
    ...powerDefinition(client, 'Running'),
    type: 'aks.cluster.start',
    title: 'Start an AKS cluster',
    description: 'Starts a stopped AKS cluster and its nodes, and waits until it runs.',
    input: startInput,
    findings: startFindings,
    preflight: (context) => preflightStart(client, context),
  };
}

export function stopCluster(client: AksClient): OperationDefinition<typeof stopInput> {
  return {
    ...powerDefinition(client, 'Stopped'),
    type: 'aks.cluster.stop',
    title: 'Stop an AKS cluster',
    description: 'Stops an AKS cluster and its nodes, which then cost nothing, and waits until it is stopped.',
    input: stopInput,
    findings: stopFindings,
    preflight: (context) => preflightStop(client, context),
  };
}

function powerDefinition(client: AksClient, wanted: Power) {
  const { action, doing } = WORDS[wanted];
  return {
    permission: 'aks/clusters/power/write',
    references: { cluster: [managedClusterKind.name] },
    timeoutSeconds: 3600,
    target(_input: PowerInput, references: OperationContext<PowerInput>['references']) {
      const id = clusterId(references);
      return { id: id.toString(), kind: managedClusterKind.name, lock: id.canonical };
    },
    steps: [
      {
        name: action,
        description: `Asks AKS for ${doing} the cluster and waits until it is so.`,
        run: (context: StepContext<PowerInput>) => runPower(client, context, wanted),
        abort: (context: AbortContext<PowerInput>) => abortPower(client, context, wanted),
      },
    ],
    verify: (context: OperationContext<PowerInput>) => verifyPower(client, context, wanted),
  };
}

async function preflightStart(client: AksClient, context: OperationContext<PowerInput>): Promise<Finding[]> {
  const id = clusterId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(startFindings, findings);
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return findings;
  }
  const { powerState, nodeCount } = judgeCluster(reading.body, say);
  if (powerState === 'Running') say('ALREADY_RUNNING', 'info', { powerState });
  else await judgeCores(client, context, { id, location: rawText(reading.body, 'location'), nodes: nodeCount }, say);
  return findings;
}

async function preflightStop(client: AksClient, context: OperationContext<PowerInput>): Promise<Finding[]> {
  const id = clusterId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(stopFindings, findings);
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return findings;
  }
  const cluster = judgeCluster(reading.body, say);
  const { powerState, nodeCount } = cluster;
  if (powerState === 'Stopped') {
    say('ALREADY_STOPPED', 'info', { powerState });
    return findings;
  }
  judgeVirtualNodes(cluster, id.toString(), say);
  say('WORKLOADS_STOP', 'warning', { nodeCount });
  return findings;
}

function runPower(client: AksClient, context: StepContext<PowerInput>, wanted: Power): Promise<StepOutcome> {
  const id = clusterId(context.references);
  const { action, doing } = WORDS[wanted];
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is ${doing} the cluster ${id.name}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgePower(id, reading, wanted),
      write: () => client.switchCluster(id, action, context),
    },
    context,
  );
}

function abortPower(client: AksClient, context: AbortContext<PowerInput>, wanted: Power): Promise<AbortOutcome> {
  const id = clusterId(context.references);
  const { doing } = WORDS[wanted];
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is breaking off the ${doing} of the cluster ${id.name}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgePower(id, reading, wanted),
      abort: () => client.abortCluster(id, context),
      stopped: (reading) => {
        const power = reading.state === 'missing' ? 'gone' : rawText(reading.body, 'properties', 'powerState', 'code');
        return `Azure has stopped the ${doing} of the cluster ${id.name}, which is ${power ?? 'in no known state'}.`;
      },
    },
    context.asked,
  );
}

/** @throws ControlError AZURE_NOT_FOUND. */
function judgePower(id: ArmId, reading: ArmReading, wanted: Power): DesiredStateVerdict {
  const { body } = presentCluster(reading, id);
  const state = rawText(body, 'properties', 'provisioningState');
  const power = rawText(body, 'properties', 'powerState', 'code');
  const phase = provisioningPhase(state);
  if (phase === 'moving' && state?.toLowerCase() === WORDS[wanted].state) {
    return { verdict: 'underway', message: `The cluster ${id.name} is ${state}.` };
  }
  const other = changeUnderWay(body);
  if (other !== undefined) return { verdict: 'busy', message: other };
  if (power === wanted) return { verdict: 'reached', message: `The cluster ${id.name} is ${power}.` };
  if (phase === 'failed' || phase === 'canceled') {
    return { verdict: 'failed', error: failedOperationError(`${WORDS[wanted].action} ${id.name}`, body) };
  }
  return { verdict: 'different' };
}

async function verifyPower(
  client: AksClient,
  context: OperationContext<PowerInput>,
  wanted: Power,
): Promise<Verification> {
  const id = clusterId(context.references);
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') {
    return { verdict: 'missed', message: `The cluster ${id.name} is not there any more.` };
  }
  const verdict = judgePower(id, reading, wanted);
  switch (verdict.verdict) {
    case 'reached':
      return {
        verdict: 'reached',
        result: { cluster: id.toString(), powerState: wanted },
        observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
        absent: [],
        ...(wanted === 'Running' ? { opened: [id.uid] } : {}),
      };
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `The cluster ${id.name} is not ${wanted}.` };
  }
}
