import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { ARC_AGENT_HOSTS } from '../contract/arc-agent-hosts.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { LOGICAL_NETWORK_TYPE, type AksHciClient } from './aks-hci.client.js';
import {
  CONNECTED_CLUSTER_TYPE,
  CUSTOM_LOCATION_TYPE,
  describeProvisionedCluster,
  instanceOf,
  isOfHost,
  observeProvisionedCluster,
  observeProvisionedPool,
  provisionedClusterKind,
} from './aks-hci.kinds.js';
import { CONTROL_PLANE_COUNTS, MOST_NODES_OF_CLUSTER, MOST_POOLS_OF_CLUSTER } from './host.limits.js';
import { offeredVersions } from './host.offer.js';
import { fetchOffer } from './host-offer.step.js';
import {
  HOST_FINDINGS,
  VERSION_FINDINGS,
  VM_SIZE_FINDINGS,
  judgeNeighbours,
  judgeNetwork,
  judgeVersion,
  judgeVmSizes,
  listedVmSizes,
  readOffer,
  requireVersion,
  requireVmSizes,
} from './host.preflight.js';
import { NETWORK_FINDINGS } from './network.rules.js';
import { isConsistent, osSkuOf, poolInput, poolProperties, vmSize, type PoolInput } from './node-pool.input.js';
import { failureOf, recognising } from './provisioning.failure.js';

const CLUSTER_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?$/;
/** Providers without which nothing of it works. */
const PROVIDERS = ['Microsoft.HybridContainerService', 'Microsoft.Kubernetes', 'Microsoft.ExtendedLocation'];
/** While the machines are upgraded, one more of them is there. */
const ADDRESSES_FOR_UPGRADES = 1;
const PAUSE_SECONDS = 10;

const createInput = z.strictObject({
  subscriptionId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid')
    .describe('The subscription to create the cluster in.'),
  resourceGroup: z
    .string()
    .max(90)
    .regex(/^[\p{L}\p{N}_().-]*[\p{L}\p{N}_()-]$/u, 'must be a name that Azure allows for resource groups')
    .describe('The resource group to create the cluster in; it must exist.'),
  name: z
    .string()
    .regex(CLUSTER_NAME, 'must be letters, digits, hyphens and underscores, with a letter or digit at both ends')
    .describe('The name of the cluster: 1 to 63 letters, digits, hyphens and underscores.'),
  location: z
    .string()
    .max(60)
    .regex(/^[A-Za-z][A-Za-z0-9 ]*$/, 'must be the name of an Azure region')
    .describe('The Azure region of the custom location, such as `eastus`.'),
  customLocation: resourceReference('The custom location, which stands for the host'),
  logicalNetwork: z
    .string()
    .max(2048)
    .describe('The ARM id of the logical network (`Microsoft.AzureStackHCI/logicalNetworks`) of the machines.'),
  kubernetesVersion: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[A-Za-z0-9.]+)?$/, 'must be a whole version such as 1.29.4')
    .describe('The Kubernetes version, such as `1.29.4`; one that the host has.'),
  controlPlane: z
    .strictObject({
      count: z.int().min(1).max(9).default(1).describe('The number of control-plane nodes: 1, 3 or 5.'),
      vmSize: vmSize.default('Standard_A4_v2').describe('The size of their machines.'),
      hostIp: z
        .string()
        .max(45)
        .optional()
        .describe(
          'The address of the API server: in the logical network and outside its pools. Azure takes one where absent.',
        ),
    })
    .prefault({})
    .describe('The control plane.'),
  loadBalancerCount: z.int().min(0).max(10).default(0).describe('The number of load-balancer machines.'),
  nodePools: z.array(poolInput.describe('A node pool.')).min(1).describe('The node pools; one of them of Linux.'),
  podCidr: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'must be a range such as 10.244.0.0/16')
    .default('10.244.0.0/16')
    .describe('The address range of the pods.'),
  sshPublicKey: z
    .string()
    .min(20)
    .max(10_000)
    .regex(
      /^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/=]+( .*)?$/,
      'must be a public key in the form of OpenSSH',
    )
    .describe('The public SSH key for the machines.'),
  adminGroupObjectIds: z
    .array(z.uuid('must be a uuid'))
    .max(20)
    .default([])
    .describe('The object ids of the Microsoft Entra groups whose members administer the cluster.'),
  azureRbac: z.boolean().default(false).describe('Whether Azure role assignments decide what callers may do inside.'),
  azureHybridBenefit: z
    .enum(['True', 'False', 'NotApplicable'])
    .default('NotApplicable')
    .describe('Whether existing Windows Server licences are used.'),
  smbCsiDriver: z.boolean().default(true).describe('Whether the driver for SMB shares is installed.'),
  nfsCsiDriver: z.boolean().default(true).describe('Whether the driver for NFS shares is installed.'),
  tags: z
    .record(
      z
        .string()
        .min(1)
        .max(512)
        .regex(/^[^<>%&\\?/]+$/, 'must not hold any of < > % & \\ ? /'),
      z.string().max(256),
    )
    .optional()
    .describe('The Azure tags of the cluster.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  RESOURCE_GROUP_NOT_FOUND: 'The resource group does not exist.',
  PROVIDER_NOT_REGISTERED: 'A resource provider that clusters need is not registered in the subscription.',
  CUSTOM_LOCATION_NOT_FOUND: 'Azure does not know the custom location.',
  CUSTOM_LOCATION_NOT_READY: 'The last operation on the custom location has not succeeded.',
  LOCATION_DIFFERS: 'The custom location is in another region.',
  CLUSTER_EXISTS: 'The cluster exists already; what is missing of it is made.',
  CLUSTER_EXISTS_DIFFERENT: 'A cluster of this name exists and is not what was asked for.',
  CONTROL_PLANE_COUNT_INVALID: 'A control plane has 1, 3 or 5 nodes: any other number cannot decide by majority.',
  POOL_NAME_REPEATED: 'Two pools have the same name.',
  POOL_LIMIT: 'A cluster can have fewer pools than that.',
  NODE_LIMIT: 'The pools together have more nodes than a cluster can have.',
  LINUX_NODE_MISSING: 'The agents of Azure need a Linux node.',
  OS_SKU_MISMATCH: 'The operating system is not one of the kind that was asked for.',
  ...VERSION_FINDINGS,
  ...VM_SIZE_FINDINGS,
  ...HOST_FINDINGS,
  ...NETWORK_FINDINGS,
} as const satisfies Record<string, string>;

type Say = FindingReporter<keyof typeof createFindings>;

export function createCluster(client: AksHciClient): OperationDefinition<typeof createInput> {
  return {
    type: 'hci.cluster.create',
    title: 'Create a workload cluster on Azure Stack HCI',
    description:
      'Creates an AKS workload cluster on an Azure Stack HCI (Azure Local) host: the connected cluster first, then the machines below it, and waits until Azure sees it connected. Nothing is created for a version that the host does not have.',
    permission: 'hci/clusters/write',
    input: createInput,
    references: { customLocation: ['CustomLocation'] },
    timeoutSeconds: 3 * 3600,
    findings: createFindings,
    target(input, references) {
      customLocationOf(references);
      logicalNetworkOf(input);
      const cluster = clusterIdOf(input);
      return { id: instanceOf(cluster).toString(), kind: provisionedClusterKind.name, lock: cluster.canonical };
    },
    preflight: (context) => preflightCreate(client, context),
    plan: (context) => planCreate(client, context),
    steps: [
      {
        name: 'versions',
        description: 'Lets Azure ask the host which versions of Kubernetes it has, and refuses one that it has not.',
        run: (context) => runVersions(client, context),
      },
      {
        name: 'vm-sizes',
        description: 'Lets Azure ask the host which machines it offers, and refuses sizes that it has not.',
        run: (context) => runVmSizes(client, context),
      },
      {
        name: 'connected-cluster',
        description: 'Makes the connected cluster that the machines belong to.',
        run: (context) => runConnectedCluster(client, context),
      },
      {
        name: 'machines',
        description: 'Lets the host make the machines of control plane and pools, and waits until they are there.',
        run: (context) => runMachines(client, context),
      },
      {
        name: 'connection',
        description: 'Waits until Azure sees the cluster connected.',
        run: (context) => runConnection(client, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

async function preflightCreate(client: AksHciClient, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  judgeShape(input, say);
  await judgeSubscription(client, context, say);
  const customLocation = customLocationOf(context.references);
  const host = await client.getCustomLocation(customLocation, context);
  if (host.state === 'missing') {
    say('CUSTOM_LOCATION_NOT_FOUND', 'error', { customLocation: customLocation.toString() });
    return findings;
  }
  const state = rawText(host.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'failed') {
    say('CUSTOM_LOCATION_NOT_READY', 'error', { provisioningState: state }, 'Mend the custom location first.');
  }
  const location = canonicalLocation(rawText(host.body, 'location') ?? input.location);
  if (location !== canonicalLocation(input.location)) {
    say('LOCATION_DIFFERS', 'error', { location }, 'Ask for the region of the custom location.');
  }
  const offer = await readOffer(client, customLocation, context);
  judgeVersion(offer.versions, input.kubernetesVersion, nodesOf(input), say);
  judgeVmSizes(offer.vmSizes, vmSizesOf(input), customLocation, say);
  const cluster = clusterIdOf(input);
  const exists = await judgeExisting(client, cluster, context, say);
  if (!exists) {
    const { hostIp } = input.controlPlane;
    await judgeNeighbours(client, cluster, { customLocation, hostIp }, context, say);
    await judgeNetwork(client, input.logicalNetwork, networkWish(input, customLocation), context, say);
  }
  return findings;
}

function judgeShape(input: CreateInput, say: Say): void {
  const { controlPlane, nodePools } = input;
  if (!CONTROL_PLANE_COUNTS.includes(controlPlane.count)) {
    say('CONTROL_PLANE_COUNT_INVALID', 'error', { count: controlPlane.count }, 'Ask for 1, 3 or 5.');
  }
  const names = nodePools.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) say('POOL_NAME_REPEATED', 'error', { name: repeated });
  if (names.length > MOST_POOLS_OF_CLUSTER) {
    say('POOL_LIMIT', 'error', { pools: names.length, limit: MOST_POOLS_OF_CLUSTER });
  }
  const nodes = nodePools.reduce((sum, { count }) => sum + count, 0);
  if (nodes > MOST_NODES_OF_CLUSTER) say('NODE_LIMIT', 'error', { nodes, limit: MOST_NODES_OF_CLUSTER });
  if (!nodePools.some(({ osType, count }) => osType === 'Linux' && count > 0)) {
    say('LINUX_NODE_MISSING', 'error', {}, 'Add a pool of Linux with a node at least.');
  }
  const mismatch = nodePools.find((pool) => !isConsistent(pool));
  if (mismatch !== undefined) {
    say('OS_SKU_MISMATCH', 'error', { pool: mismatch.name, osType: mismatch.osType, osSku: osSkuOf(mismatch) });
  }
}

async function judgeSubscription(
  client: AksHciClient,
  context: OperationContext<CreateInput>,
  say: Say,
): Promise<void> {
  const { subscriptionId, resourceGroup } = context.input;
  for (const namespace of PROVIDERS) {
    const provider = await client.getProvider(subscriptionId, namespace, context);
    const registrationState = provider.state === 'missing' ? null : rawText(provider.body, 'registrationState');
    if (registrationState?.toLowerCase() === 'registered') continue;
    const operations = [registerProvider(subscriptionId, namespace)];
    const evidence = { namespace, registrationState };
    say('PROVIDER_NOT_REGISTERED', 'error', evidence, registrationRemedy(namespace), operations);
  }
  const group = await client.getResourceGroup(subscriptionId, resourceGroup, context);
  if (group.state === 'missing') {
    say('RESOURCE_GROUP_NOT_FOUND', 'error', { resourceGroup }, 'Create the resource group first.');
  }
}

/** @returns whether any part of the cluster is there. */
async function judgeExisting(
  client: AksHciClient,
  cluster: ArmId,
  context: OperationContext<CreateInput>,
  say: Say,
): Promise<boolean> {
  const connected = await client.getConnectedCluster(cluster, context);
  if (connected.state === 'missing') return false;
  const instance = await client.getInstance(instanceOf(cluster), context);
  const difference = isOfHost(connected.body)
    ? instance.state === 'missing'
      ? undefined
      : differenceOf(instance.body, context)
    : { kind: rawText(connected.body, 'kind') };
  if (difference === undefined) say('CLUSTER_EXISTS', 'info', { cluster: cluster.toString() });
  else say('CLUSTER_EXISTS_DIFFERENT', 'error', difference, 'Use another name, or delete the cluster first.');
  return true;
}

/** The versions and machine sizes of the host, and what would be made. */
async function planCreate(client: AksHciClient, context: OperationContext<CreateInput>): Promise<Json> {
  const { input } = context;
  const cluster = clusterIdOf(input);
  const offer = await readOffer(client, customLocationOf(context.references), context);
  const connected = await client.getConnectedCluster(cluster, context);
  const instance = await client.getInstance(instanceOf(cluster), context);
  return {
    connectedCluster: { id: cluster.toString(), action: connected.state === 'missing' ? 'create' : 'none' },
    provisionedCluster: {
      id: instanceOf(cluster).toString(),
      action: instance.state === 'missing' ? 'create' : 'none',
      body: instanceBody(input, context.references),
    },
    supportedVersions: offer.versions?.map(({ version }) => version) ?? null,
    supportedVmSizes: offer.vmSizes?.map(({ name }) => name) ?? null,
  };
}

async function runVersions(client: AksHciClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const customLocation = customLocationOf(context.references);
  const outcome = await fetchOffer(client, customLocation, 'kubernetesVersions', context);
  if (outcome.outcome !== 'done') return outcome;
  const reading = await client.getOffer(customLocation, 'kubernetesVersions', context);
  const versions = reading.state === 'missing' ? [] : offeredVersions(reading.body);
  const { kubernetesVersion } = context.input;
  requireVersion(versions, kubernetesVersion, nodesOf(context.input));
  return { outcome: 'done', message: `The host has the version ${kubernetesVersion}.` };
}

async function runVmSizes(client: AksHciClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const customLocation = customLocationOf(context.references);
  const outcome = await fetchVmSizes(client, customLocation, context);
  if (outcome.outcome !== 'done') return outcome;
  const sizes = listedVmSizes(await client.getOffer(customLocation, 'vmSizes', context));
  if (sizes === undefined)
    return { outcome: 'done', message: 'The host does not tell its machines: Azure will judge.' };
  requireVmSizes(sizes, vmSizesOf(context.input), customLocation);
  return { outcome: 'done', message: 'The host offers machines of these sizes.' };
}

/** A host that cannot list its machines can make them all the same. */
async function fetchVmSizes(
  client: AksHciClient,
  customLocation: ArmId,
  context: StepContext<CreateInput>,
): Promise<StepOutcome> {
  try {
    return await fetchOffer(client, customLocation, 'vmSizes', context);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'AZURE_OPERATION_FAILED') throw error;
    return { outcome: 'done', message: `The host could not list its machines: ${error.message}` };
  }
}

function runConnectedCluster(client: AksHciClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context.input);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is making the connected cluster ${cluster.name}.`,
      read: () => client.getConnectedCluster(cluster, context),
      judge: (reading) => judgeConnected(cluster, reading),
      write: () => client.putConnectedCluster(cluster, connectedBody(context.input), context),
    },
    context,
  );
}

function judgeConnected(cluster: ArmId, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  if (!isOfHost(reading.body)) {
    throw new ControlError('CONFLICT', `A connected cluster ${cluster.name} exists that was made otherwise.`, {
      remedy: 'Use another name, or disconnect that cluster first.',
    });
  }
  return judgeProgress(`The connected cluster ${cluster.name}`, reading.body, cluster);
}

function runMachines(client: AksHciClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { input, references } = context;
  const cluster = clusterIdOf(input);
  const instance = instanceOf(cluster);
  return recognising(cluster, () =>
    reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: `The host is making the machines of ${cluster.name}.`,
        read: () => client.getInstance(instance, context),
        judge: (reading) => judgeInstance(cluster, reading, context),
        // After a failure the same body again makes the host go on where it was.
        write: () => client.putInstance(instance, instanceBody(input, references), context),
      },
      context,
    ),
  );
}

function judgeInstance(
  cluster: ArmId,
  reading: ArmReading,
  context: OperationContext<CreateInput>,
): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  if (differenceOf(reading.body, context) !== undefined) {
    throw new ControlError('CONFLICT', `A cluster ${cluster.name} exists that is not what was asked for.`, {
      remedy: 'Use another name, or delete the cluster first.',
    });
  }
  return judgeProgress(`The cluster ${cluster.name}`, reading.body, cluster);
}

function judgeProgress(what: string, body: JsonObject, cluster: ArmId): DesiredStateVerdict {
  const state = rawText(body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `${what} is there.` };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `${what} is being deleted.` }
        : { verdict: 'underway', message: progressOf(what, state, body) };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failureOf(`Creating ${cluster.name}`, body, cluster) };
  }
}

/** With the parts that are not there yet. */
function progressOf(what: string, state: string | null, body: JsonObject): string {
  const parts = unreadyParts(body);
  return `${what} is ${state}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}.`;
}

/** With how far each has come, and what the host says is wrong with it. */
function unreadyParts(instance: JsonObject): string[] {
  const { controlPlaneParts } = describeProvisionedCluster(rawObject(instance, 'properties') ?? {});
  return controlPlaneParts
    .filter(({ ready }) => !ready)
    .map(({ name, phase, errorMessage }) => {
      const where = `${name ?? 'a part'} ${phase ?? ''}`.trim();
      return errorMessage === null ? where : `${where}: ${errorMessage}`;
    });
}

async function runConnection(client: AksHciClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const cluster = clusterIdOf(context.input);
  const reading = await client.getConnectedCluster(cluster, context);
  if (reading.state === 'missing') {
    throw new ControlError('AZURE_NOT_FOUND', `The connected cluster ${cluster.name} is not there any more.`);
  }
  const status = rawText(reading.body, 'properties', 'connectivityStatus');
  if (status?.toLowerCase() === 'connected') {
    return { outcome: 'done', message: `Azure sees the cluster ${cluster.name} connected.` };
  }
  return {
    outcome: 'wait',
    message: `Azure does not see the cluster ${cluster.name} connected yet (${status ?? 'no status'}). ${await newsOfAgents(client, cluster, context)}`,
    retryAfterSeconds: PAUSE_SECONDS,
    resumeToken: new Secret('connection'),
  };
}

/** The host has installed the agents, and says what it knows of them; nobody else has a way into the cluster yet. */
async function newsOfAgents(client: AksHciClient, cluster: ArmId, context: StepContext<CreateInput>): Promise<string> {
  const reading = await client.getInstance(instanceOf(cluster), context);
  const parts = reading.state === 'missing' ? [] : unreadyParts(reading.body);
  return parts.length === 0
    ? `The host says that its agents run: where this lasts, see that the machines reach ${ARC_AGENT_HOSTS.join(', ')} and that their clocks are right.`
    : `Not ready by what the host says: ${parts.join(', ')}.`;
}

async function verifyCreate(client: AksHciClient, context: OperationContext<CreateInput>): Promise<Verification> {
  const cluster = clusterIdOf(context.input);
  const instance = instanceOf(cluster);
  const reading = await client.getInstance(instance, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The cluster ${cluster.name} is not there.` };
  const verdict = judgeInstance(cluster, reading, context);
  if (verdict.verdict === 'failed') return { verdict: 'missed', message: verdict.error.message };
  if (verdict.verdict === 'different') {
    return { verdict: 'missed', message: `The cluster ${cluster.name} is not as it was asked for.` };
  }
  if (verdict.verdict !== 'reached') {
    return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
  }
  const location = canonicalLocation(context.input.location);
  const surroundings = { observedAt: reading.observedAt, source: 'OPERATION' as const, location };
  const observations = [observeProvisionedCluster(reading.body, surroundings)];
  for await (const { items, observedAt } of client.listPools(instance, context)) {
    observations.push(...items.map((item) => observeProvisionedPool(item, { ...surroundings, observedAt })));
  }
  return {
    verdict: 'reached',
    result: {
      provisionedCluster: instance.toString(),
      uid: instance.uid,
      connectedCluster: cluster.toString(),
      connectedClusterUid: cluster.uid,
      kubernetesVersion: context.input.kubernetesVersion,
    },
    observations,
    absent: [],
    opened: [cluster.uid],
  };
}

/** What cannot be brought about by making what is missing, as evidence. */
function differenceOf(body: JsonObject, { input, references }: OperationContext<CreateInput>): JsonObject | undefined {
  const host = rawText(body, 'extendedLocation', 'name');
  if (host !== null && host.toLowerCase() !== customLocationOf(references).canonical) return { customLocation: host };
  const count = describeProvisionedCluster((body.properties ?? {}) as JsonObject).controlPlaneCount;
  return count === null || count === input.controlPlane.count ? undefined : { controlPlaneCount: count };
}

function connectedBody(input: CreateInput): JsonObject {
  return {
    kind: 'ProvisionedCluster',
    location: canonicalLocation(input.location),
    identity: { type: 'SystemAssigned' },
    ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
    properties: {
      agentPublicKeyCertificate: '',
      distribution: 'aks_workload',
      infrastructure: 'azure_stack_hci',
      ...(withEntra(input)
        ? { aadProfile: { adminGroupObjectIDs: [...input.adminGroupObjectIds], enableAzureRBAC: input.azureRbac } }
        : {}),
    },
  };
}

/** Whether Microsoft Entra ID says who callers are. */
function withEntra(input: CreateInput): boolean {
  return input.azureRbac || input.adminGroupObjectIds.length > 0;
}

function instanceBody(input: CreateInput, references: Readonly<Record<string, ResourceTarget>>): JsonObject {
  const { controlPlane } = input;
  return {
    extendedLocation: { type: 'CustomLocation', name: customLocationOf(references).toString() },
    properties: {
      kubernetesVersion: input.kubernetesVersion,
      linuxProfile: { ssh: { publicKeys: [{ keyData: input.sshPublicKey }] } },
      controlPlane: {
        count: controlPlane.count,
        vmSize: controlPlane.vmSize,
        ...(controlPlane.hostIp === undefined ? {} : { controlPlaneEndpoint: { hostIP: controlPlane.hostIp } }),
      },
      networkProfile: {
        loadBalancerProfile: { count: input.loadBalancerCount },
        networkPolicy: 'calico',
        podCidr: input.podCidr,
      },
      storageProfile: {
        smbCsiDriver: { enabled: input.smbCsiDriver },
        nfsCsiDriver: { enabled: input.nfsCsiDriver },
      },
      agentPoolProfiles: input.nodePools.map((pool) => ({ name: pool.name, ...poolProperties(pool) })),
      cloudProviderProfile: { infraNetworkProfile: { vnetSubnetIds: [input.logicalNetwork] } },
      licenseProfile: { azureHybridBenefit: input.azureHybridBenefit },
    },
  };
}

function networkWish(input: CreateInput, customLocation: ArmId) {
  const nodes = input.nodePools.reduce((sum, { count }) => sum + count, 0);
  return {
    customLocation: customLocation.canonical,
    hostIp: input.controlPlane.hostIp,
    podCidr: input.podCidr,
    addresses: input.controlPlane.count + input.loadBalancerCount + nodes + ADDRESSES_FOR_UPGRADES,
  };
}

function vmSizesOf({ controlPlane, nodePools }: CreateInput): string[] {
  return [controlPlane.vmSize, ...nodePools.map((pool) => pool.vmSize)];
}

function nodesOf(input: { nodePools: readonly PoolInput[] }) {
  return input.nodePools.map((pool) => ({ osType: pool.osType, osSku: osSkuOf(pool) }));
}

function clusterIdOf(input: CreateInput): ArmId {
  return ArmId.resourceGroup(input.subscriptionId, input.resourceGroup).resource(CONNECTED_CLUSTER_TYPE, input.name);
}

function customLocationOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'customLocation', CUSTOM_LOCATION_TYPE);
}

/** @throws ControlError INVALID_REQUEST when it is no id of a logical network. */
function logicalNetworkOf(input: CreateInput): ArmId {
  const id = ArmId.tryParse(input.logicalNetwork);
  if (id?.canonicalType === LOGICAL_NETWORK_TYPE.toLowerCase()) return id;
  throw new ControlError('INVALID_REQUEST', 'logicalNetwork does not name a logical network.', {
    violations: [{ path: 'logicalNetwork', message: `must be the ARM id of a ${LOGICAL_NETWORK_TYPE}` }],
  });
}
