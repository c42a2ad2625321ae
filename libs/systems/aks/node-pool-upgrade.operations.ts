import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmId } from '#libs/kernel/arm-id.js';
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
import { rawObject, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import { clusterOf } from './aks.collector.js';
import { agentPoolKind, describeAgentPool, describeManagedCluster, observeManagedCluster } from './aks.kinds.js';
import { clusterFindings, judgeCluster, judgeStopped, stoppedFindings } from './cluster.preflight.js';
import { findPool, nodePoolId, otherChangeOf, presentPool } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';
import { compareVersions, isOfVersion, kubernetesVersion } from './kubernetes-version.js';

/** The step that fixes the version, so that a control plane that is upgraded meanwhile does not move the mark. */
const CHOOSE_STEP = 'choose-version';
const chosenOutput = z.object({ kubernetesVersion: z.string() });

const upgradeInput = z.strictObject({
  nodePool: resourceReference('The node pool to upgrade'),
  kubernetesVersion: kubernetesVersion
    .optional()
    .describe('The Kubernetes version of the nodes; that of the control plane where absent.'),
});
type UpgradeInput = z.output<typeof upgradeInput>;

const upgradeFindings = {
  ...clusterFindings,
  ...stoppedFindings,
  ...coreFindings,
  NODE_POOL_NOT_FOUND: 'The cluster has no node pool of this name.',
  NODE_POOL_STOPPED: 'The node pool is stopped; it has to be started before it can be upgraded.',
  VERSION_NEWER_THAN_CONTROL_PLANE: 'Nodes cannot run a newer version than the control plane.',
  VERSION_IS_OLDER: 'The nodes run a newer version: AKS takes no node pool back.',
  ALREADY_AT_VERSION: 'The nodes run this version already.',
  NODES_ARE_REPLACED: 'The nodes are drained and made anew, one after the other: their pods move.',
} as const satisfies Record<string, string>;

export function upgradeNodePool(client: AksClient): OperationDefinition<typeof upgradeInput> {
  return {
    type: 'aks.nodePool.upgrade',
    title: 'Upgrade a node pool',
    description:
      'Upgrades the nodes of an AKS node pool to a Kubernetes version, at most that of the control plane, and waits until all run it. Waits first while another operation runs on the cluster.',
    permission: 'aks/nodePools/write',
    input: upgradeInput,
    references: { nodePool: [agentPoolKind.name] },
    timeoutSeconds: 4 * 3600,
    findings: upgradeFindings,
    target(_input, references) {
      const id = nodePoolId(references);
      return { id: id.toString(), kind: agentPoolKind.name, lock: clusterOf(id).canonical };
    },
    preflight: (context) => preflightUpgrade(client, context),
    steps: [
      {
        name: CHOOSE_STEP,
        description: 'Fixes the version: that of the control plane, where none was asked for.',
        run: (context) => runChoose(client, context),
      },
      {
        name: 'upgrade',
        description: 'Asks AKS for the version of the nodes and waits until all run it.',
        run: (context) => runUpgrade(client, context),
        abort: (context) => abortUpgrade(client, context),
      },
    ],
    verify: (context) => verifyUpgrade(client, context),
  };
}

async function preflightUpgrade(client: AksClient, context: OperationContext<UpgradeInput>): Promise<Finding[]> {
  const id = nodePoolId(context.references);
  const cluster = clusterOf(id);
  const findings: Finding[] = [];
  const say = findingReporter(upgradeFindings, findings);
  const reading = await client.getCluster(cluster, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: cluster.toString() });
    return findings;
  }
  const found = findPool(reading.body, id);
  if (found === undefined) {
    say('NODE_POOL_NOT_FOUND', 'error', { nodePool: id.toString() });
    return findings;
  }
  const described = judgeCluster(reading.body, say);
  judgeStopped(described, cluster.toString(), say);
  if (described.powerState !== 'Stopped' && found.pool.powerState === 'Stopped') {
    say('NODE_POOL_STOPPED', 'error', { powerState: found.pool.powerState }, 'Start the node pool first.');
  }
  const controlPlane = described.currentKubernetesVersion ?? described.kubernetesVersion;
  const running = found.pool.currentKubernetesVersion ?? found.pool.kubernetesVersion;
  const wanted = context.input.kubernetesVersion ?? controlPlane;
  if (wanted === null) return findings;
  if (isOfVersion(running, wanted)) {
    say('ALREADY_AT_VERSION', 'info', { kubernetesVersion: running });
    return findings;
  }
  if (controlPlane !== null && compareVersions(wanted, controlPlane) > 0) {
    say('VERSION_NEWER_THAN_CONTROL_PLANE', 'error', { wanted, controlPlane }, 'Upgrade the control plane first.', [
      {
        type: 'aks.cluster.upgrade',
        input: { cluster: cluster.toString(), kubernetesVersion: wanted, controlPlaneOnly: true },
      },
    ]);
  }
  if (running !== null && compareVersions(wanted, running) < 0) {
    say('VERSION_IS_OLDER', 'error', { wanted, kubernetesVersion: running });
  }
  say('NODES_ARE_REPLACED', 'warning', { nodes: found.pool.count, from: running, to: wanted });
  // One node more is there for a while, before the first one goes.
  await judgeCores(client, context, { id, location: rawText(reading.body, 'location'), nodes: 1 }, say);
  return findings;
}

async function runChoose(client: AksClient, context: StepContext<UpgradeInput>): Promise<StepOutcome> {
  const { kubernetesVersion: wanted } = context.input;
  if (wanted !== undefined) {
    return { outcome: 'done', message: `The version ${wanted} was asked for.`, output: { kubernetesVersion: wanted } };
  }
  const cluster = clusterOf(nodePoolId(context.references));
  const reading = await client.getCluster(cluster, context);
  const described =
    reading.state === 'missing' ? undefined : describeManagedCluster(rawObject(reading.body, 'properties') ?? {});
  const version = described?.currentKubernetesVersion ?? described?.kubernetesVersion;
  if (version === undefined || version === null) {
    throw new ControlError('AZURE_NOT_FOUND', `The version of the cluster ${cluster.name} could not be read.`);
  }
  return {
    outcome: 'done',
    message: `The control plane runs ${version}.`,
    output: { kubernetesVersion: version },
  };
}

function runUpgrade(client: AksClient, context: StepContext<UpgradeInput>): Promise<StepOutcome> {
  const id = nodePoolId(context.references);
  const version = chosenVersion(context);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is upgrading the pool ${id.name} to ${version}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeUpgrade(client, context, id, reading),
      write: (reading) =>
        client.changeNodePool(
          id,
          presentPool(reading, id),
          (body) => {
            memberObject(body, 'properties').orchestratorVersion = version;
          },
          context,
        ),
    },
    context,
  );
}

/** Nodes that were made anew by then stay so. */
function abortUpgrade(client: AksClient, context: AbortContext<UpgradeInput>): Promise<AbortOutcome> {
  const id = nodePoolId(context.references);
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is stopping the upgrade of the pool ${id.name}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeUpgrade(client, context, id, reading),
      abort: () => client.abortNodePool(id, context),
      stopped: (reading) => {
        const state = reading.state === 'missing' ? 'gone' : rawText(reading.body, 'properties', 'provisioningState');
        return `Azure has stopped the upgrade of the pool ${id.name}, which is ${state ?? 'in no known state'}.`;
      },
    },
    context.asked,
  );
}

/** @throws ControlError AZURE_NOT_FOUND. */
async function judgeUpgrade(
  client: AksClient,
  context: StepContext<UpgradeInput>,
  id: ArmId,
  reading: ArmReading,
): Promise<DesiredStateVerdict> {
  const { body } = presentPool(reading, id);
  const version = chosenVersion(context);
  const raw = rawObject(body, 'properties') ?? {};
  const pool = describeAgentPool(raw);
  const state = rawText(raw, 'provisioningState');
  const phase = provisioningPhase(state);
  const isThere = isOfVersion(pool.currentKubernetesVersion ?? pool.kubernetesVersion, version);
  if (isThere || isOfVersion(pool.kubernetesVersion, version)) {
    switch (phase) {
      case 'moving':
        return { verdict: 'underway', message: `The pool ${id.name} is on its way to ${version} (${state}).` };
      case 'failed':
      case 'canceled':
        return { verdict: 'failed', error: failedOperationError(`Upgrading ${id.name}`, body) };
      case 'succeeded':
      case 'unknown':
        if (isThere) return { verdict: 'reached', message: `The pool ${id.name} runs ${version}.` };
    }
  }
  if (phase === 'moving') {
    return { verdict: 'busy', message: `The pool ${id.name} is being changed by someone else (${state}).` };
  }
  // AKS answers 409 while anything else of the cluster changes: looking first spares it the request.
  const other = await otherChangeOf(client, clusterOf(id), context);
  return other === undefined ? { verdict: 'different' } : { verdict: 'busy', message: other };
}

async function verifyUpgrade(client: AksClient, context: OperationContext<UpgradeInput>): Promise<Verification> {
  const id = nodePoolId(context.references);
  const version = chosenVersion(context);
  const reading = await client.getCluster(clusterOf(id), context);
  const found = reading.state === 'missing' ? undefined : findPool(reading.body, id);
  if (reading.state === 'missing' || found === undefined) {
    return { verdict: 'missed', message: `The pool ${id.name} is not there any more.` };
  }
  const state = rawText(found.poolRaw, 'provisioningState');
  if (provisioningPhase(state) === 'moving') {
    const retryAfterSeconds = client.arm.pollIntervalSeconds;
    return { verdict: 'pending', message: `The pool ${id.name} is ${state}.`, retryAfterSeconds };
  }
  const running = found.pool.currentKubernetesVersion ?? found.pool.kubernetesVersion;
  if (!isOfVersion(running, version) || provisioningPhase(state) !== 'succeeded') {
    const message = `The pool ${id.name} is ${state ?? 'in no known state'} and runs ${running ?? 'an unknown version'}; ${version} was asked for.`;
    return { verdict: 'missed', message };
  }
  return {
    verdict: 'reached',
    result: { nodePool: id.toString(), kubernetesVersion: running },
    observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
    absent: [],
  };
}

function chosenVersion({ outputs }: OperationContext<UpgradeInput>): string {
  return chosenOutput.parse(outputs[CHOOSE_STEP]).kubernetesVersion;
}
