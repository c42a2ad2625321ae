import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
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
import { rawObject, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import { clusterOf } from './aks.collector.js';
import {
  agentPoolKind,
  describeAgentPool,
  describeManagedCluster,
  observeManagedCluster,
  type AgentPoolProperties,
  type ManagedClusterProperties,
} from './aks.kinds.js';
import {
  clusterFindings,
  judgeCluster,
  judgeStopped,
  judgeVirtualNodes,
  stoppedFindings,
  virtualNodeFindings,
} from './cluster.preflight.js';
import { findPool, nodePoolId, otherChangeOf, presentPool } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';
import { compareVersions, isOfVersion, kubernetesVersion } from './kubernetes-version.js';
import { isAtImage, judgeNodeImage, latestNodeImage } from './node-image.js';

/** The step that fixes the version, so that a control plane that is upgraded meanwhile does not move the mark. */
const CHOOSE_STEP = 'choose-version';
const chosenOutput = z.union([z.object({ kubernetesVersion: z.string() }), z.object({ nodeImageVersion: z.string() })]);
type Chosen = z.output<typeof chosenOutput>;

const upgradeInput = z.strictObject({
  nodePool: resourceReference('The node pool to upgrade'),
  kubernetesVersion: kubernetesVersion
    .optional()
    .describe('The Kubernetes version of the nodes; that of the control plane where absent.'),
  nodeImageOnly: z
    .boolean()
    .default(false)
    .describe('Whether the nodes stay at their Kubernetes version, and only get the newest image of their family.'),
});
type UpgradeInput = z.output<typeof upgradeInput>;

const upgradeFindings = {
  ...clusterFindings,
  ...stoppedFindings,
  ...virtualNodeFindings,
  ...coreFindings,
  NODE_POOL_NOT_FOUND: 'The cluster has no node pool of this name.',
  NODE_POOL_STOPPED: 'The node pool is stopped; it has to be started before it can be upgraded.',
  VERSION_NEWER_THAN_CONTROL_PLANE: 'Nodes cannot run a newer version than the control plane.',
  VERSION_IS_OLDER: 'The nodes run a newer version: AKS takes no node pool back.',
  ALREADY_AT_VERSION: 'The nodes run this version already.',
  ALREADY_AT_IMAGE: 'The nodes run the newest image of their family already.',
  NODE_IMAGE_UNKNOWN: 'It could not be read which image is the newest for the nodes.',
  NODES_ARE_REPLACED: 'The nodes are drained and made anew, one after the other: their pods move.',
} as const satisfies Record<string, string>;

type Say = FindingReporter<keyof typeof upgradeFindings>;

export function upgradeNodePool(client: AksClient): OperationDefinition<typeof upgradeInput> {
  return {
    type: 'aks.nodePool.upgrade',
    title: 'Upgrade a node pool',
    description:
      'Upgrades the nodes of an AKS node pool to a Kubernetes version, at most that of the control plane, or only to their newest image, and waits until all run it. Waits first while another operation runs on the cluster.',
    permission: 'aks/nodePools/write',
    input: upgradeInput,
    references: { nodePool: [agentPoolKind.name] },
    timeoutSeconds: 4 * 3600,
    findings: upgradeFindings,
    target({ kubernetesVersion: version, nodeImageOnly }, references) {
      const id = nodePoolId(references);
      if (nodeImageOnly && version !== undefined) {
        const message = 'nodeImageOnly leaves the Kubernetes version as it is: it cannot go with kubernetesVersion.';
        throw new ControlError('INVALID_REQUEST', message, { violations: [{ path: 'kubernetesVersion', message }] });
      }
      return { id: id.toString(), kind: agentPoolKind.name, lock: clusterOf(id).canonical };
    },
    preflight: (context) => preflightUpgrade(client, context),
    steps: [
      {
        name: CHOOSE_STEP,
        description: 'Fixes the version: that of the control plane, where none was asked for, or the newest image.',
        run: (context) => runChoose(client, context),
      },
      {
        name: 'upgrade',
        description: 'Asks AKS for the version or the image of the nodes and waits until all run it.',
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
    const operations = [{ type: 'aks.nodePool.start', input: { nodePool: id.toString() } }];
    say('NODE_POOL_STOPPED', 'error', { powerState: 'Stopped' }, 'Start the node pool first.', operations);
  }
  if (context.input.nodeImageOnly) {
    const isThere = await judgeImageOf(client, context, found.pool, say);
    if (isThere) return findings;
  } else if (judgeVersionOf(context, described, found.pool, say)) return findings;
  judgeVirtualNodes(described, cluster.toString(), say);
  // One node more is there for a while, before the first one goes.
  await judgeCores(client, context, { id, location: rawText(reading.body, 'location'), nodes: 1 }, say);
  return findings;
}

/** @returns whether there is nothing to do */
async function judgeImageOf(
  client: AksClient,
  context: OperationContext<UpgradeInput>,
  pool: AgentPoolProperties,
  say: Say,
): Promise<boolean> {
  const { nodeImageVersion } = pool;
  try {
    const latest = await latestNodeImage(client, nodePoolId(context.references), context);
    if (isAtImage(nodeImageVersion, latest)) {
      say('ALREADY_AT_IMAGE', 'info', { nodeImageVersion });
      return true;
    }
    say('NODES_ARE_REPLACED', 'warning', { nodes: pool.count, from: nodeImageVersion, to: latest });
  } catch (error) {
    // What passes by itself says nothing about the image.
    if (!(error instanceof ControlError) || error.retryable) throw error;
    const evidence = { nodeImageVersion, code: error.externalCode ?? error.code };
    say('NODE_IMAGE_UNKNOWN', 'error', evidence, error.remedy);
  }
  return false;
}

/** @returns whether there is nothing to do, or nothing is known */
function judgeVersionOf(
  context: OperationContext<UpgradeInput>,
  described: ManagedClusterProperties,
  pool: AgentPoolProperties,
  say: Say,
): boolean {
  const cluster = clusterOf(nodePoolId(context.references));
  const controlPlane = described.currentKubernetesVersion ?? described.kubernetesVersion;
  const running = pool.currentKubernetesVersion ?? pool.kubernetesVersion;
  const wanted = context.input.kubernetesVersion ?? controlPlane;
  if (wanted === null) return true;
  if (isOfVersion(running, wanted)) {
    say('ALREADY_AT_VERSION', 'info', { kubernetesVersion: running });
    return true;
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
  say('NODES_ARE_REPLACED', 'warning', { nodes: pool.count, from: running, to: wanted });
  return false;
}

async function runChoose(client: AksClient, context: StepContext<UpgradeInput>): Promise<StepOutcome> {
  const { kubernetesVersion: wanted, nodeImageOnly } = context.input;
  if (nodeImageOnly) {
    const nodeImageVersion = await latestNodeImage(client, nodePoolId(context.references), context);
    return { outcome: 'done', message: `The newest image is ${nodeImageVersion}.`, output: { nodeImageVersion } };
  }
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
  const chosen = chosenBy(context);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is upgrading the pool ${id.name} to ${nameOf(chosen)}.`,
      read: () => client.getNodePool(id, context),
      judge: (reading) => judgeUpgrade(client, context, id, reading),
      write: (reading) =>
        'nodeImageVersion' in chosen
          ? client.upgradeNodeImage(id, context)
          : client.changeNodePool(
              id,
              presentPool(reading, id),
              (body) => {
                memberObject(body, 'properties').orchestratorVersion = chosen.kubernetesVersion;
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
  const chosen = chosenBy(context);
  if ('nodeImageVersion' in chosen) return judgeNodeImage(client, id, chosen.nodeImageVersion, reading, context);
  const { kubernetesVersion: version } = chosen;
  const { body } = presentPool(reading, id);
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
  const chosen = chosenBy(context);
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
  const { currentKubernetesVersion, kubernetesVersion: asked, nodeImageVersion } = found.pool;
  const running = 'nodeImageVersion' in chosen ? nodeImageVersion : (currentKubernetesVersion ?? asked);
  const isThere =
    'nodeImageVersion' in chosen
      ? isAtImage(nodeImageVersion, chosen.nodeImageVersion)
      : isOfVersion(running, chosen.kubernetesVersion);
  if (!isThere || provisioningPhase(state) !== 'succeeded') {
    const message = `The pool ${id.name} is ${state ?? 'in no known state'} and runs ${running ?? 'an unknown version'}; ${nameOf(chosen)} was asked for.`;
    return { verdict: 'missed', message };
  }
  return {
    verdict: 'reached',
    result: { nodePool: id.toString(), kubernetesVersion: currentKubernetesVersion ?? asked, nodeImageVersion },
    observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
    absent: [],
  };
}

function chosenBy({ outputs }: OperationContext<UpgradeInput>): Chosen {
  return chosenOutput.parse(outputs[CHOOSE_STEP]);
}

function nameOf(chosen: Chosen): string {
  return 'nodeImageVersion' in chosen ? chosen.nodeImageVersion : chosen.kubernetesVersion;
}
