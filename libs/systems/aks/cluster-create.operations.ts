import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
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
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import type { AksClient } from './aks.client.js';
import {
  MANAGED_CLUSTER_TYPE,
  describeManagedCluster,
  managedClusterKind,
  observeManagedCluster,
} from './aks.kinds.js';
import { presentCluster } from './cluster.reading.js';
import { coreFindings, judgeCores } from './cores.preflight.js';
import { kubernetesVersion, meantVersion, versionsOfRegion } from './kubernetes-version.js';
import { commonPoolFields, commonPoolProperties, isWithinLimits, subnetReference } from './node-pool.input.js';
import { judgeMachineSize, sizeFindings } from './machine-size.preflight.js';
import { addressesNeeded, judgeSubnet, subnetFindings } from './subnet.preflight.js';

const LONGEST_DNS_PREFIX = 54;
const RANGE = /^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/;
const ADDRESS = /^(\d{1,3}\.){3}\d{1,3}$/;

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
    .max(63)
    .regex(
      /^[a-zA-Z0-9]$|^[a-zA-Z0-9][-_a-zA-Z0-9]*[a-zA-Z0-9]$/,
      'must be letters, digits, hyphens and underscores, with a letter or digit at both ends',
    )
    .describe('The name of the cluster: 1 to 63 letters, digits, hyphens and underscores.'),
  location: z
    .string()
    .max(60)
    .regex(/^[A-Za-z][A-Za-z0-9 ]*$/, 'must be the name of an Azure region')
    .describe('The Azure region, such as `eastus`.'),
  kubernetesVersion: kubernetesVersion
    .optional()
    .describe('The Kubernetes version, such as `1.34` (its newest patch) or `1.34.2`; chosen by AKS where absent.'),
  dnsPrefix: z
    .string()
    .max(LONGEST_DNS_PREFIX)
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/, 'must be letters, digits and hyphens')
    .optional()
    .describe('The first part of the host name of the API server; made from the name where absent.'),
  networkPlugin: z
    .enum(['azure', 'kubenet', 'none'])
    .default('azure')
    .describe('The network plug-in: `azure` for Azure CNI. It cannot be changed later.'),
  networkPluginMode: z
    .enum(['overlay'])
    .optional()
    .describe(
      '`overlay` where pods shall have addresses of a range of their own. Absent: pods have addresses of the subnet, which virtual nodes and services across clusters need.',
    ),
  podCidr: z
    .string()
    .regex(RANGE, 'must be a range such as 10.244.0.0/16')
    .optional()
    .describe('The range of the pods, where they have one of their own.'),
  serviceCidr: z
    .string()
    .regex(RANGE, 'must be a range such as 10.0.0.0/16')
    .optional()
    .describe('The range of the services; `10.0.0.0/16` where absent.'),
  dnsServiceIp: z
    .string()
    .regex(ADDRESS, 'must be an address')
    .optional()
    .describe('The address of the cluster DNS service, out of the range of the services.'),
  subnet: subnetReference.optional(),
  userAssignedIdentity: z
    .string()
    .max(1024)
    .regex(
      /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.ManagedIdentity\/userAssignedIdentities\/[^/]+$/i,
      'must be the ARM id of a user-assigned identity',
    )
    .optional()
    .describe('The ARM id of the identity of the control plane; the cluster gets one of its own where absent.'),
  tier: z.enum(['Free', 'Standard', 'Premium']).default('Free').describe('The price tier of the control plane.'),
  systemPool: z
    .strictObject({ ...commonPoolFields, name: commonPoolFields.name.default('nodepool1') })
    .describe('The first pool, which carries the system pods.'),
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
  SUBSCRIPTION_NOT_FOUND: 'The subscription does not exist, or the identity of Pilothouse cannot see it.',
  PROVIDER_NOT_REGISTERED: 'The resource provider Microsoft.ContainerService is not registered in the subscription.',
  LOCATION_NOT_SUPPORTED: 'AKS is not offered in this region.',
  API_VERSION_RETIRED: 'Azure no longer offers the API version that Pilothouse speaks for clusters.',
  RESOURCE_GROUP_NOT_FOUND: 'The resource group does not exist.',
  CLUSTER_EXISTS: 'The cluster exists already as it was asked for.',
  CLUSTER_EXISTS_DIFFERENT: 'A cluster of this name exists and is not what was asked for.',
  VERSION_NOT_OFFERED: 'AKS does not offer this Kubernetes version in the region.',
  VERSION_IS_PREVIEW: 'The Kubernetes version is a preview, without support.',
  VERSIONS_UNKNOWN: 'The Kubernetes versions of the region could not be read.',
  NETWORK_OPTIONS_CONFLICT: 'The options of the network do not go together.',
  KUBENET_RETIRES: 'Azure retires kubenet on 2028-03-31: the cluster would have to be moved to Azure CNI by then.',
  NO_VIRTUAL_NODES: 'With this network neither virtual nodes nor services across the clusters of a fleet will work.',
  SYSTEM_POOL_NEEDS_NODE: 'The system pods need a node: the system pool cannot be empty.',
  AUTOSCALER_LIMITS_CONFLICT: 'The number of nodes is not between the limits of the autoscaler.',
  SUBNET_NEEDS_ROLE:
    'The identity of the cluster needs the role Network Contributor on the subnet, or load balancers cannot be made in it.',
  ...subnetFindings,
  ...sizeFindings,
  ...coreFindings,
} as const satisfies Record<string, string>;

export function createCluster(client: AksClient): OperationDefinition<typeof createInput> {
  return {
    type: 'aks.cluster.create',
    title: 'Create an AKS cluster',
    description: 'Creates an AKS cluster with one system pool, and waits until it is there.',
    permission: 'aks/clusters/write',
    input: createInput,
    references: {},
    timeoutSeconds: 5400,
    findings: createFindings,
    target(input) {
      const id = newClusterId(input);
      return { id: id.toString(), kind: managedClusterKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightCreate(client, context),
    steps: [
      {
        name: 'create',
        description: 'Asks AKS for the cluster and waits until it is there.',
        run: (context) => runCreate(client, context),
        abort: (context) => abortCreate(client, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

async function preflightCreate(client: AksClient, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { input } = context;
  const id = newClusterId(input);
  const location = canonicalLocation(input.location);
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);

  judgeNetwork(input, say);
  if (input.systemPool.count < 1) say('SYSTEM_POOL_NEEDS_NODE', 'error', { count: input.systemPool.count });
  if (!isWithinLimits(input.systemPool)) {
    const { count, autoscaler } = input.systemPool;
    say('AUTOSCALER_LIMITS_CONFLICT', 'error', { count, ...autoscaler });
  }
  let provider: ArmReading;
  try {
    provider = await client.getProvider(input.subscriptionId, context);
  } catch (error) {
    if (!(error instanceof ControlError) || error.externalCode !== 'SubscriptionNotFound') throw error;
    say('SUBSCRIPTION_NOT_FOUND', 'error', { subscriptionId: input.subscriptionId }, error.remedy);
    return findings;
  }
  judgeProvider(provider, context.input, say);
  const group = await client.getResourceGroup(input.subscriptionId, input.resourceGroup, context);
  if (group.state === 'missing') {
    const evidence = { resourceGroup: input.resourceGroup };
    say('RESOURCE_GROUP_NOT_FOUND', 'error', evidence, 'Create the resource group first.');
    return findings;
  }
  const existing = await client.getCluster(id, context);
  if (existing.state === 'found') {
    const difference = differenceOf(existing.body, input);
    if (difference === undefined) say('CLUSTER_EXISTS', 'info', { id: id.toString() });
    else say('CLUSTER_EXISTS_DIFFERENT', 'error', difference, 'Use another name, or delete the cluster first.');
    return findings;
  }
  await judgeVersion(client, context, location, say);
  if (input.subnet !== undefined) {
    const addresses = addressesNeeded(input.systemPool.count, input.systemPool.maxPods, isFlat(input));
    await judgeSubnet(client, context, { subnet: input.subnet, addresses }, say);
    const remedy = 'Give the identity that role on the subnet; a user-assigned identity can have it beforehand.';
    say('SUBNET_NEEDS_ROLE', 'warning', { identity: input.userAssignedIdentity ?? 'SystemAssigned' }, remedy);
  }
  const { vmSize, zones } = input.systemPool;
  const machines = { subscriptionId: input.subscriptionId, location, vmSize, zones, isSystem: true };
  await judgeMachineSize(client, context, machines, say);
  await judgeCores(client, context, { id, location, nodes: input.systemPool.count }, say);
  return findings;
}

/** Whether pods have addresses of the subnet. */
function isFlat({ networkPlugin, networkPluginMode }: CreateInput): boolean {
  return networkPlugin === 'azure' && networkPluginMode === undefined;
}

type CreateReporter = FindingReporter<keyof typeof createFindings>;

function judgeNetwork(input: CreateInput, say: CreateReporter): void {
  const { networkPlugin, networkPluginMode, podCidr, serviceCidr, dnsServiceIp } = input;
  if (networkPluginMode === 'overlay' && networkPlugin !== 'azure') {
    const remedy = 'The overlay is one of Azure CNI: ask for the plug-in azure, or leave the mode out.';
    say('NETWORK_OPTIONS_CONFLICT', 'error', { networkPlugin, networkPluginMode }, remedy);
  }
  if (podCidr !== undefined && isFlat(input)) {
    const remedy = 'Pods have addresses of the subnet here: leave podCidr out, or ask for the overlay.';
    say('NETWORK_OPTIONS_CONFLICT', 'error', { networkPlugin, podCidr }, remedy);
  }
  if ((serviceCidr === undefined) !== (dnsServiceIp === undefined)) {
    const remedy = 'Give both the range of the services and the address of the DNS service, or neither.';
    say(
      'NETWORK_OPTIONS_CONFLICT',
      'error',
      { serviceCidr: serviceCidr ?? null, dnsServiceIp: dnsServiceIp ?? null },
      remedy,
    );
  }
  if (networkPlugin === 'kubenet') say('KUBENET_RETIRES', 'warning', { networkPlugin }, 'Ask for the plug-in azure.');
  if (!isFlat(input)) {
    const remedy = 'Leave networkPluginMode out where you want either; the network cannot be changed later.';
    say('NO_VIRTUAL_NODES', 'info', { networkPlugin, networkPluginMode: networkPluginMode ?? null }, remedy);
  }
}

function judgeProvider(provider: ArmReading, { subscriptionId, location }: CreateInput, say: CreateReporter): void {
  const manifest = provider.state === 'found' ? provider.body : {};
  const registration = rawText(manifest, 'registrationState');
  if (registration?.toLowerCase() !== 'registered') {
    const namespace = 'Microsoft.ContainerService';
    const operations = [registerProvider(subscriptionId, namespace)];
    const evidence = { registrationState: registration };
    say('PROVIDER_NOT_REGISTERED', 'error', evidence, registrationRemedy(namespace), operations);
    return;
  }
  const clusters = rawObjects(manifest, 'resourceTypes').find(
    (type) => rawText(type, 'resourceType')?.toLowerCase() === 'managedclusters',
  );
  const locations = rawTexts(clusters, 'locations').map(canonicalLocation);
  if (locations.length > 0 && !locations.includes(location)) {
    say('LOCATION_NOT_SUPPORTED', 'error', { location, supported: locations }, 'Choose one of the supported regions.');
  }
  const versions = rawTexts(clusters, 'apiVersions');
  const version = armApiVersion(MANAGED_CLUSTER_TYPE);
  if (versions.length > 0 && !versions.includes(version)) {
    say('API_VERSION_RETIRED', 'error', { apiVersion: version, supported: versions }, 'Update Pilothouse.');
  }
}

async function judgeVersion(
  client: AksClient,
  context: OperationContext<CreateInput>,
  location: string,
  say: CreateReporter,
): Promise<void> {
  const { kubernetesVersion: wanted, subscriptionId } = context.input;
  if (wanted === undefined) return;
  const offer = await versionsOfRegion(client, subscriptionId, location, context);
  if (offer.state === 'unknown') {
    say('VERSIONS_UNKNOWN', 'info', { location, code: offer.problem.externalCode ?? offer.problem.code });
    return;
  }
  const meant = meantVersion(offer.versions, wanted);
  if (meant === undefined) {
    const offered = offer.versions.map(({ version }) => version);
    say('VERSION_NOT_OFFERED', 'error', { kubernetesVersion: wanted, location, offered }, 'Choose an offered version.');
  } else if (meant.preview) say('VERSION_IS_PREVIEW', 'warning', { kubernetesVersion: meant.version });
}

function runCreate(client: AksClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { input } = context;
  const id = newClusterId(input);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is creating the cluster ${id.name}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgeCreate(id, input, reading),
      write: (reading) =>
        reading.state === 'missing'
          ? client.createCluster(id, clusterBody(input), context)
          : // An earlier attempt has failed: the same body again makes Azure go on with it.
            client.changeCluster(id, reading, () => undefined, context),
    },
    context,
  );
}

/** Azure keeps what is there of the cluster by then, in the state `Canceled`. */
function abortCreate(client: AksClient, context: AbortContext<CreateInput>): Promise<AbortOutcome> {
  const id = newClusterId(context.input);
  return abandonDesiredState(
    client.arm,
    {
      stopping: `Azure is stopping the creation of the cluster ${id.name}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgeCreate(id, context.input, reading),
      abort: () => client.abortCluster(id, context),
      stopped: (reading) =>
        reading.state === 'missing'
          ? `Nothing was made of the cluster ${id.name}.`
          : `Azure has stopped the creation of ${id.name}; what there is of it stays until it is deleted.`,
    },
    context.asked,
  );
}

/** @throws ControlError CONFLICT where another cluster has the name. */
function judgeCreate(id: ArmId, input: CreateInput, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  if (differenceOf(reading.body, input) !== undefined) {
    throw new ControlError('CONFLICT', `A cluster ${id.name} exists that is not what was asked for.`, {
      remedy: 'Use another name, or delete the cluster first.',
    });
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `The cluster ${id.name} is there.` };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `The cluster ${id.name} is being deleted.` }
        : { verdict: 'underway', message: `The cluster ${id.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Creating ${id.name}`, reading.body) };
  }
}

async function verifyCreate(client: AksClient, context: OperationContext<CreateInput>): Promise<Verification> {
  const id = newClusterId(context.input);
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The cluster ${id.name} is not there.` };
  const verdict = judgeCreate(id, context.input, reading);
  switch (verdict.verdict) {
    case 'reached': {
      const { body, observedAt } = presentCluster(reading, id);
      const { fqdn, currentKubernetesVersion } = describeManagedCluster(rawObject(body, 'properties') ?? {});
      return {
        verdict: 'reached',
        result: { cluster: id.toString(), uid: id.uid, fqdn, kubernetesVersion: currentKubernetesVersion },
        observations: observeManagedCluster(body, { observedAt, source: 'OPERATION' }),
        absent: [],
        opened: [id.uid],
      };
    }
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `The cluster ${id.name} is not as it was asked for.` };
  }
}

function newClusterId(input: CreateInput): ArmId {
  return ArmId.resourceGroup(input.subscriptionId, input.resourceGroup).resource(MANAGED_CLUSTER_TYPE, input.name);
}

/** What cannot be changed and is not as asked for, as evidence; undefined when there is no such difference. */
function differenceOf(body: JsonObject, input: CreateInput): JsonObject | undefined {
  const location = rawText(body, 'location');
  if (location !== null && canonicalLocation(location) !== canonicalLocation(input.location)) return { location };
  const { networkPlugin, networkPluginMode } = describeManagedCluster(rawObject(body, 'properties') ?? {});
  if (networkPlugin !== null && networkPlugin !== input.networkPlugin) return { networkPlugin };
  return networkPluginMode === (input.networkPluginMode ?? null) ? undefined : { networkPluginMode };
}

function clusterBody(input: CreateInput): JsonObject {
  const { systemPool, userAssignedIdentity, networkPluginMode, podCidr, serviceCidr, dnsServiceIp } = input;
  return {
    location: canonicalLocation(input.location),
    ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
    sku: { name: 'Base', tier: input.tier },
    identity:
      userAssignedIdentity === undefined
        ? { type: 'SystemAssigned' }
        : { type: 'UserAssigned', userAssignedIdentities: { [userAssignedIdentity]: {} } },
    properties: {
      dnsPrefix: input.dnsPrefix ?? defaultDnsPrefix(input.name),
      ...(input.kubernetesVersion === undefined ? {} : { kubernetesVersion: input.kubernetesVersion }),
      ...(input.tier === 'Premium' ? { supportPlan: 'AKSLongTermSupport' } : {}),
      networkProfile: {
        networkPlugin: input.networkPlugin,
        ...(networkPluginMode === undefined ? {} : { networkPluginMode }),
        ...(podCidr === undefined ? {} : { podCidr }),
        ...(serviceCidr === undefined ? {} : { serviceCidr }),
        ...(dnsServiceIp === undefined ? {} : { dnsServiceIP: dnsServiceIp }),
      },
      agentPoolProfiles: [
        {
          name: systemPool.name,
          mode: 'System',
          osType: 'Linux',
          ...commonPoolProperties(systemPool, input.subnet),
        },
      ],
    },
  };
}

function defaultDnsPrefix(name: string): string {
  return `${name.replaceAll('_', '-').slice(0, LONGEST_DNS_PREFIX - 4)}-dns`;
}
