import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
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
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import {
  describeManagedCluster,
  managedClusterKind,
  observeManagedCluster,
  type AgentPoolProperties,
  type ManagedClusterProperties,
} from './aks.kinds.js';
import { MOST_MINORS_BEHIND } from './aks.limits.js';
import {
  clusterFindings,
  judgeCluster,
  judgeStopped,
  judgeVirtualNodes,
  stoppedFindings,
  virtualNodeFindings,
} from './cluster.preflight.js';
import { changeUnderWay, clusterId, poolsOf, presentCluster } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';
import {
  compareVersions,
  isOfVersion,
  kubernetesVersion,
  meantVersion,
  minorsBehind,
  upgradesOfCluster,
} from './kubernetes-version.js';

const upgradeInput = z.strictObject({
  cluster: resourceReference('The AKS cluster to upgrade'),
  kubernetesVersion: kubernetesVersion.describe(
    'The Kubernetes version, such as `1.34` (its newest patch) or `1.34.2`.',
  ),
  controlPlaneOnly: z
    .boolean()
    .default(false)
    .describe('Whether the node pools stay at their versions, to be upgraded one by one later.'),
});
type UpgradeInput = z.output<typeof upgradeInput>;

const upgradeFindings = {
  ...clusterFindings,
  ...stoppedFindings,
  ...virtualNodeFindings,
  ...coreFindings,
  VERSION_NOT_OFFERED: 'AKS does not offer an upgrade of this cluster to this version.',
  VERSION_IS_OLDER: 'The cluster runs a newer version: AKS takes no cluster back.',
  VERSION_IS_PREVIEW: 'The Kubernetes version is a preview, without support.',
  UPGRADES_UNKNOWN: 'It could not be read what the cluster can be upgraded to.',
  ALREADY_AT_VERSION: 'The cluster is at this version already.',
  NODE_POOLS_FAR_BEHIND: 'Node pools would be more minor versions behind the control plane than Kubernetes allows.',
  NODE_POOLS_STAY_BEHIND: 'Only the control plane is upgraded: the node pools stay at their versions.',
  NODE_POOLS_STOPPED: 'Node pools are stopped: AKS upgrades them when they are started.',
  AUTO_UPGRADE_ON: 'AKS itself upgrades this cluster as well: both may want it at the same time.',
} as const satisfies Record<string, string>;

export function upgradeCluster(client: AksClient): OperationDefinition<typeof upgradeInput> {
  return {
    type: 'aks.cluster.upgrade',
    title: 'Upgrade an AKS cluster',
    description:
      'Upgrades the control plane of an AKS cluster to a Kubernetes version, then its node pools, and waits until all of it runs that version. Waits first while another operation runs on the cluster.',
    permission: 'aks/clusters/write',
    input: upgradeInput,
    references: { cluster: [managedClusterKind.name] },
    timeoutSeconds: 6 * 3600,
    findings: upgradeFindings,
    target(_input, references) {
      const id = clusterId(references);
      return { id: id.toString(), kind: managedClusterKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightUpgrade(client, context),
    steps: [
      {
        name: 'upgrade-control-plane',
        description: 'Asks AKS for the version of the control plane and waits until it runs it.',
        run: (context) => runUpgrade(client, context, CONTROL_PLANE),
        abort: (context) => abortUpgrade(client, context, CONTROL_PLANE),
      },
      {
        name: 'upgrade-node-pools',
        description: 'Asks AKS for the version of the node pools and waits until all their nodes run it.',
        run: (context) =>
          context.input.controlPlaneOnly
            ? Promise.resolve({ outcome: 'done', message: 'The node pools stay at their versions.' })
            : runUpgrade(client, context, NODE_POOLS),
        abort: (context) => abortUpgrade(client, context, NODE_POOLS),
      },
    ],
    verify: (context) => verifyUpgrade(client, context),
  };
}

/** One of the two parts that are upgraded one after the other. */
interface Part {
  what: string;
  /** Whether all of it runs the version. */
  isThere(body: JsonObject, version: string): boolean;
  /** Whether the version was asked for, for all of it. */
  isAsked(body: JsonObject, version: string): boolean;
  /** The states of what is not as wanted: those of other parts are their own affair. */
  states(body: JsonObject, version: string): (string | null)[];
  ask(body: JsonObject, version: string): void;
}

const CONTROL_PLANE: Part = {
  what: 'the control plane',
  isThere: (body, version) => isOfVersion(runningVersion(body), version),
  isAsked: (body, version) => isOfVersion(describeBody(body).kubernetesVersion, version),
  states: (body) => [rawText(body, 'properties', 'provisioningState')],
  ask: (body, version) => {
    memberObject(body, 'properties').kubernetesVersion = version;
  },
};

const NODE_POOLS: Part = {
  what: 'the node pools',
  isThere: (body, version) => poolsOf(body).every(({ pool }) => runsVersion(pool, version)),
  isAsked: (body, version) => poolsOf(body).every(({ pool }) => isOfVersion(pool.kubernetesVersion, version)),
  states(body, version) {
    const behind = poolsOf(body).filter(({ pool }) => !runsVersion(pool, version));
    if (behind.length === 0) return [];
    return [rawText(body, 'properties', 'provisioningState'), ...behind.map((pool) => pool.state)];
  },
  ask: (body, version) => {
    for (const profile of rawObjects(body, 'properties', 'agentPoolProfiles')) profile.orchestratorVersion = version;
  },
};

async function preflightUpgrade(client: AksClient, context: OperationContext<UpgradeInput>): Promise<Finding[]> {
  const id = clusterId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(upgradeFindings, findings);
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return findings;
  }
  const cluster = judgeCluster(reading.body, say);
  judgeStopped(cluster, id.toString(), say);
  judgeVirtualNodes(cluster, id.toString(), say);
  await judgeVersion(client, context, cluster, say);
  judgePools(context.input, reading.body, say);
  if (cluster.upgradeChannel !== null && cluster.upgradeChannel !== 'none') {
    say('AUTO_UPGRADE_ON', 'info', { upgradeChannel: cluster.upgradeChannel });
  }
  if (!context.input.controlPlaneOnly) {
    // Each upgrade brings one node more for a while, before it takes one away.
    await judgeCores(client, context, { id, location: rawText(reading.body, 'location'), nodes: 1 }, say);
  }
  return findings;
}

type UpgradeReporter = FindingReporter<keyof typeof upgradeFindings>;

async function judgeVersion(
  client: AksClient,
  context: OperationContext<UpgradeInput>,
  cluster: ManagedClusterProperties,
  say: UpgradeReporter,
): Promise<void> {
  const { kubernetesVersion: wanted } = context.input;
  const running = cluster.currentKubernetesVersion ?? cluster.kubernetesVersion;
  if (isOfVersion(running, wanted)) {
    say('ALREADY_AT_VERSION', 'info', { kubernetesVersion: running });
    return;
  }
  if (running !== null && compareVersions(wanted, running) < 0) {
    say('VERSION_IS_OLDER', 'error', { kubernetesVersion: running, wanted });
    return;
  }
  const offer = await upgradesOfCluster(client, clusterId(context.references), context);
  if (offer.state === 'unknown') {
    say('UPGRADES_UNKNOWN', 'info', { code: offer.problem.externalCode ?? offer.problem.code });
    return;
  }
  const meant = meantVersion(offer.versions, wanted);
  if (meant === undefined) {
    const offered = offer.versions.map(({ version }) => version);
    const remedy = 'Choose an offered version; minor versions are taken one after the other.';
    say('VERSION_NOT_OFFERED', 'error', { kubernetesVersion: running, wanted, offered }, remedy);
  } else if (meant.preview) say('VERSION_IS_PREVIEW', 'warning', { kubernetesVersion: meant.version });
}

function judgePools(input: UpgradeInput, body: JsonObject, say: UpgradeReporter): void {
  const pools = poolsOf(body);
  const behind = pools.filter(({ pool }) => {
    const version = pool.currentKubernetesVersion ?? pool.kubernetesVersion;
    return version !== null && minorsBehind(version, input.kubernetesVersion) > MOST_MINORS_BEHIND;
  });
  if (behind.length > 0) {
    const remedy = 'Upgrade the node pools first.';
    say('NODE_POOLS_FAR_BEHIND', 'error', { nodePools: behind.map(({ name }) => name) }, remedy);
  }
  if (input.controlPlaneOnly) {
    const versions = Object.fromEntries(pools.map(({ name, pool }) => [name, pool.currentKubernetesVersion]));
    say('NODE_POOLS_STAY_BEHIND', 'info', { versions }, 'Upgrade them with aks.nodePool.upgrade.');
    return;
  }
  const stopped = pools.filter(({ pool }) => pool.powerState === 'Stopped').map(({ name }) => name);
  if (stopped.length > 0 && stopped.length < pools.length) {
    say('NODE_POOLS_STOPPED', 'warning', { nodePools: stopped });
  }
}

function runUpgrade(client: AksClient, context: StepContext<UpgradeInput>, part: Part): Promise<StepOutcome> {
  const id = clusterId(context.references);
  const { kubernetesVersion: version } = context.input;
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is upgrading ${part.what} of ${id.name} to ${version}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgeUpgrade(id, version, part, reading),
      write: (reading) =>
        client.changeCluster(id, presentCluster(reading, id), (body) => part.ask(body, version), context),
    },
    context,
  );
}

/** What is upgraded by then stays so: nothing goes back. */
function abortUpgrade(client: AksClient, context: AbortContext<UpgradeInput>, part: Part): Promise<AbortOutcome> {
  const id = clusterId(context.references);
  const { kubernetesVersion: version } = context.input;
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is stopping the upgrade of ${part.what} of ${id.name}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgeUpgrade(id, version, part, reading),
      abort: () => client.abortCluster(id, context),
      stopped: (reading) => {
        const running = reading.state === 'missing' ? null : runningVersion(reading.body);
        return `Azure has stopped the upgrade of ${part.what} of ${id.name}, whose control plane runs ${running ?? 'an unknown version'}.`;
      },
    },
    context.asked,
  );
}

/** @throws ControlError AZURE_NOT_FOUND. */
function judgeUpgrade(id: ArmId, version: string, part: Part, reading: ArmReading): DesiredStateVerdict {
  const { body } = presentCluster(reading, id);
  const isAsked = part.isAsked(body, version) || part.isThere(body, version);
  const moving = changeUnderWay(body);
  if (moving !== undefined) return { verdict: isAsked ? 'underway' : 'busy', message: moving };
  const phases = part.states(body, version).map(provisioningPhase);
  if (isAsked && phases.some((phase) => phase === 'failed' || phase === 'canceled')) {
    return { verdict: 'failed', error: failedOperationError(`Upgrading ${id.name}`, body) };
  }
  if (part.isThere(body, version)) {
    return { verdict: 'reached', message: `Of ${id.name}, ${part.what} run ${version}.` };
  }
  return { verdict: 'different' };
}

async function verifyUpgrade(client: AksClient, context: OperationContext<UpgradeInput>): Promise<Verification> {
  const id = clusterId(context.references);
  const { kubernetesVersion: version, controlPlaneOnly } = context.input;
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') {
    return { verdict: 'missed', message: `The cluster ${id.name} is not there any more.` };
  }
  const moving = changeUnderWay(reading.body);
  if (moving !== undefined) {
    return { verdict: 'pending', message: moving, retryAfterSeconds: client.arm.pollIntervalSeconds };
  }
  const parts = controlPlaneOnly ? [CONTROL_PLANE] : [CONTROL_PLANE, NODE_POOLS];
  const missed = parts.find((part) => !part.isThere(reading.body, version));
  if (missed !== undefined) {
    return { verdict: 'missed', message: `Of ${id.name}, ${missed.what} do not run ${version}.` };
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) !== 'succeeded') {
    return { verdict: 'missed', message: `The cluster ${id.name} is ${state ?? 'in no known state'}.` };
  }
  const nodePools: Json = Object.fromEntries(
    poolsOf(reading.body).map(({ name, pool }) => [name, pool.currentKubernetesVersion]),
  );
  return {
    verdict: 'reached',
    result: { cluster: id.toString(), kubernetesVersion: runningVersion(reading.body), nodePools },
    observations: observeManagedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' }),
    absent: [],
  };
}

function runsVersion(pool: AgentPoolProperties, version: string): boolean {
  return isOfVersion(pool.currentKubernetesVersion ?? pool.kubernetesVersion, version);
}

function describeBody(body: JsonObject): ManagedClusterProperties {
  return describeManagedCluster(rawObject(body, 'properties') ?? {});
}

function runningVersion(body: JsonObject): string | null {
  const { currentKubernetesVersion, kubernetesVersion: asked } = describeBody(body);
  return currentKubernetesVersion ?? asked;
}
