import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { referencedArmId } from '../contract/arm-reference.js';
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
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AksHciClient } from './aks-hci.client.js';
import {
  PROVISIONED_CLUSTER_TYPE,
  describeProvisionedCluster,
  observeProvisionedCluster,
  observeProvisionedPool,
  provisionedClusterKind,
} from './aks-hci.kinds.js';
import { compareVersions, minorSteps, type OsSku, type OsType } from './host.offer.js';
import { VERSION_FINDINGS, findVersion, judgeVersion, readOffer } from './host.preflight.js';
import { freeAddresses } from './network.rules.js';
import { failureOf, recognising } from './provisioning.failure.js';

const upgradeInput = z.strictObject({
  cluster: resourceReference('The provisioned cluster to upgrade'),
  kubernetesVersion: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[A-Za-z0-9.]+)?$/, 'must be a whole version such as 1.30.4')
    .describe('The Kubernetes version that control plane and nodes shall have.'),
});
type UpgradeInput = z.output<typeof upgradeInput>;

const upgradeFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_BUSY: 'Another operation runs on the cluster; the upgrade waits until it has ended.',
  CLUSTER_FAILED: 'The last operation on the cluster has failed; the upgrade may fail for the same reason.',
  VERSION_IS_OLDER: 'The cluster has a newer version; clusters cannot go back.',
  VERSION_SKIPS_MINOR: 'Clusters are upgraded by one minor version at a time.',
  UPGRADE_NOT_OFFERED: 'The host does not offer this step from the present version.',
  ALREADY_AT_VERSION: 'The cluster has this version already.',
  ADDRESSES_SHORT: 'The logical network has no free address for the additional machine that upgrades need.',
  ...VERSION_FINDINGS,
} as const satisfies Record<string, string>;

export function upgradeCluster(client: AksHciClient): OperationDefinition<typeof upgradeInput> {
  return {
    type: 'hci.cluster.upgrade',
    title: 'Upgrade a workload cluster on Azure Stack HCI',
    description: 'Brings control plane and nodes of a provisioned cluster to another version of Kubernetes.',
    permission: 'hci/clusters/write',
    input: upgradeInput,
    references: { cluster: [provisionedClusterKind.name] },
    timeoutSeconds: 4 * 3600,
    findings: upgradeFindings,
    target(_input, references) {
      const id = instanceIdOf(references);
      return { id: id.toString(), kind: provisionedClusterKind.name, lock: (id.parent ?? id).canonical };
    },
    preflight: (context) => preflightUpgrade(client, context),
    plan: (context) => planUpgrade(client, context),
    steps: [
      {
        name: 'upgrade',
        description: 'Asks for the version and waits until every node has it.',
        run: (context) => runUpgrade(client, context),
      },
    ],
    verify: (context) => verifyUpgrade(client, context),
  };
}

async function preflightUpgrade(client: AksHciClient, context: OperationContext<UpgradeInput>): Promise<Finding[]> {
  const id = instanceIdOf(context.references);
  const wanted = context.input.kubernetesVersion;
  const findings: Finding[] = [];
  const say = findingReporter(upgradeFindings, findings);
  const reading = await client.getInstance(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return findings;
  }
  const properties = propertiesOf(reading.body);
  const state = rawText(properties, 'provisioningState');
  if (provisioningPhase(state) === 'moving') say('CLUSTER_BUSY', 'warning', { provisioningState: state });
  if (provisioningPhase(state) === 'failed') say('CLUSTER_FAILED', 'warning', { provisioningState: state });
  const present = rawText(properties, 'kubernetesVersion');
  if (present === wanted) {
    say('ALREADY_AT_VERSION', 'info', { kubernetesVersion: wanted });
    return findings;
  }
  if (present !== null && compareVersions(wanted, present) < 0) {
    say('VERSION_IS_OLDER', 'error', { present, wanted });
    return findings;
  }
  if (present !== null && minorSteps(present, wanted) > 1) {
    say('VERSION_SKIPS_MINOR', 'error', { present, wanted }, 'Upgrade to the next minor version first.');
  }
  const customLocation = ArmId.tryParse(rawText(reading.body, 'extendedLocation', 'name') ?? '');
  if (customLocation !== undefined) {
    const { versions } = await readOffer(client, customLocation, context);
    judgeVersion(versions, wanted, nodesOf(properties), say);
    const offered = present === null ? undefined : findVersion(versions ?? [], present)?.upgrades;
    if (offered !== undefined && offered.length > 0 && !offered.includes(wanted)) {
      say('UPGRADE_NOT_OFFERED', 'error', { present, wanted, offered }, 'Choose one of the offered steps.');
    }
  }
  for (const network of describeProvisionedCluster(properties).logicalNetworkIds) {
    const found = await client.getLogicalNetwork(ArmId.parse(network), context);
    const free = found.state === 'missing' ? null : freeAddresses(found.body);
    const remedy = 'Extend the address pool of the logical network.';
    if (free === 0) say('ADDRESSES_SHORT', 'warning', { logicalNetwork: network, available: free, needed: 1 }, remedy);
  }
  return findings;
}

async function planUpgrade(client: AksHciClient, context: OperationContext<UpgradeInput>): Promise<Json> {
  const id = instanceIdOf(context.references);
  const reading = await client.getInstance(id, context);
  const before = reading.state === 'missing' ? null : rawText(propertiesOf(reading.body), 'kubernetesVersion');
  const after = context.input.kubernetesVersion;
  return { cluster: id.toString(), action: before === null || before === after ? 'none' : 'upgrade', before, after };
}

function runUpgrade(client: AksHciClient, context: StepContext<UpgradeInput>): Promise<StepOutcome> {
  const id = instanceIdOf(context.references);
  const cluster = id.parent ?? id;
  const { kubernetesVersion } = context.input;
  return recognising(cluster, () =>
    reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: `The host is upgrading ${cluster.name} to ${kubernetesVersion}.`,
        read: () => client.getInstance(id, context),
        judge: (reading) => judgeUpgrade(id, kubernetesVersion, reading),
        write: (reading) =>
          client.changeInstance(id, presentBody(reading, id), (body) => withVersion(body, kubernetesVersion), context),
      },
      context,
    ),
  );
}

/** What the pools have is told, not asked for: it follows the control plane. */
function withVersion(body: JsonObject, kubernetesVersion: string): void {
  const properties = memberObject(body, 'properties');
  properties.kubernetesVersion = kubernetesVersion;
  for (const pool of rawObjects(properties, 'agentPoolProfiles')) Reflect.deleteProperty(pool, 'kubernetesVersion');
}

function judgeUpgrade(id: ArmId, wanted: string, reading: ArmReading): DesiredStateVerdict {
  const body = presentBody(reading, id);
  const cluster = id.parent ?? id;
  const state = rawText(body, 'properties', 'provisioningState');
  const phase = provisioningPhase(state);
  if (rawText(body, 'properties', 'kubernetesVersion') !== wanted) {
    return phase === 'moving'
      ? { verdict: 'busy', message: `The cluster ${cluster.name} is being changed by someone else (${state}).` }
      : { verdict: 'different' };
  }
  switch (phase) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `The cluster ${cluster.name} has the version ${wanted}.` };
    case 'moving':
      return { verdict: 'underway', message: `The cluster ${cluster.name} is on its way to ${wanted} (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failureOf(`Upgrading ${cluster.name}`, body, cluster) };
  }
}

async function verifyUpgrade(client: AksHciClient, context: OperationContext<UpgradeInput>): Promise<Verification> {
  const id = instanceIdOf(context.references);
  const cluster = id.parent ?? id;
  const reading = await client.getInstance(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The cluster ${cluster.name} is gone.` };
  const verdict = judgeUpgrade(id, context.input.kubernetesVersion, reading);
  switch (verdict.verdict) {
    case 'reached': {
      const connected = await client.getConnectedCluster(cluster, context);
      const location = connected.state === 'missing' ? null : rawText(connected.body, 'location');
      const surroundings = { observedAt: reading.observedAt, source: 'OPERATION' as const, location };
      const observations = [observeProvisionedCluster(reading.body, surroundings)];
      for await (const { items, observedAt } of client.listPools(id, context)) {
        observations.push(...items.map((item) => observeProvisionedPool(item, { ...surroundings, observedAt })));
      }
      const { kubernetesVersion } = context.input;
      return {
        verdict: 'reached',
        result: { provisionedCluster: id.toString(), kubernetesVersion },
        observations,
        absent: [],
      };
    }
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `The cluster ${cluster.name} has another version than was asked for.` };
  }
}

function nodesOf(properties: JsonObject): { osType: OsType; osSku: OsSku }[] {
  return rawObjects(properties, 'agentPoolProfiles').map((pool) =>
    rawText(pool, 'osType')?.toLowerCase() === 'windows'
      ? { osType: 'Windows', osSku: rawText(pool, 'osSKU') === 'Windows2019' ? 'Windows2019' : 'Windows2022' }
      : { osType: 'Linux', osSku: 'CBLMariner' },
  );
}

function propertiesOf(body: JsonObject): JsonObject {
  return rawObject(body, 'properties') ?? {};
}

function presentBody(reading: ArmReading, id: ArmId): JsonObject {
  if (reading.state === 'found') return reading.body;
  throw new ControlError('AZURE_NOT_FOUND', `The cluster ${(id.parent ?? id).name} is not there any more.`);
}

function instanceIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'cluster', PROVISIONED_CLUSTER_TYPE);
}
