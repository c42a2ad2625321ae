import { generateKeyPairSync } from 'node:crypto';
import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError, saysUnregistered } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { armIdOf } from '../contract/arm-observation.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { agentNews } from './agent-faults.js';
import { findLeftovers, nameOf } from './agent-leftovers.js';
import { AGENT_NAMESPACE, belongsElsewhere, lookAtAgents } from './arc-agents.js';
import {
  arcName,
  locationInput,
  namespaceName,
  resourceGroupInput,
  subscriptionIdInput,
  tagsInput,
} from './arc-names.js';
import { pauseForPeople, type ArcParts } from './arc-parts.js';
import { clusterIdOf, judgeProvider, providerFindings } from './arc-preflight.js';
import {
  ATTACHED_CLUSTER,
  CONNECTED_CLUSTER_TYPE,
  CUSTOM_LOCATION_TYPE,
  EXTENSION_TYPE,
  PROVISIONED_CLUSTER_TYPE,
} from './arc.types.js';
import { connectedClusterKind, observeConnectedCluster } from './connected-cluster.kind.js';
import { clientOf, deletionOf, lookInto, reachFindings, readObject, seenIfAny, seenOr } from './reached-cluster.js';

/** People install the agents: they are given a day. */
const PATIENCE_SECONDS = 86_400;
const NAMESPACE = { group: '', kind: 'Namespace' };

const connectInput = z.strictObject({
  subscriptionId: subscriptionIdInput.describe('The subscription that the cluster shall appear in.'),
  resourceGroup: resourceGroupInput.describe('The resource group that the cluster shall appear in; it must exist.'),
  name: arcName.describe('The name of the cluster in Azure: 1 to 63 letters, digits, hyphens and underscores.'),
  location: locationInput.describe('The Azure region that keeps the record of the cluster, such as `eastus`.'),
  distribution: z
    .string()
    .regex(/^[a-z0-9_]{1,40}$/, 'must be lower-case letters, digits and underscores')
    .default('generic')
    .describe('The distribution of Kubernetes, such as `aks_workload`, `k3s`, `openshift` or `generic`.'),
  infrastructure: z
    .string()
    .regex(/^[a-z0-9_]{1,40}$/, 'must be lower-case letters, digits and underscores')
    .default('generic')
    .describe('What the cluster stands on, such as `azure_stack_hci`, `vsphere`, `aws` or `generic`.'),
  attachedCluster: resourceReference(
    'The same cluster as it is attached to Pilothouse: it is then looked at before anything is done',
  ).optional(),
  contextNamespace: namespaceName
    .optional()
    .describe(
      'The default namespace of the kubeconfig context that the agents will be installed by. That of the attached kubeconfig where absent.',
    ),
  tags: tagsInput.optional().describe('The Azure tags of the cluster.'),
});
type ConnectInput = z.output<typeof connectInput>;

const connectFindings = {
  ...providerFindings,
  RESOURCE_GROUP_NOT_FOUND: 'The resource group does not exist.',
  CLUSTER_EXISTS_DIFFERENT: 'A connected cluster of this name exists in another region.',
  CLUSTER_CONNECTED: 'The cluster is connected already.',
  CLUSTER_EXPIRED: 'The certificate of the agents has run out: the cluster has to be disconnected first.',
  AGENTS_RUN_ELSEWHERE:
    'The agents are installed from a machine that reaches the cluster: the operation waits for them.',
  ...reachFindings,
  NOT_CLUSTER_ADMINISTRATOR:
    'The attached credential may not do everything in the cluster, as the installation has to.',
  AGENTS_OF_OTHER_CLUSTER: 'Agents run in the cluster that belong to another connected cluster.',
  AGENT_NAMESPACE_TERMINATING: 'The namespace of former agents is still being deleted.',
  AGENT_LEFTOVERS: 'Parts of former agents are left in the cluster: the installation would stumble over them.',
  CONTEXT_NAMESPACE_MISSING:
    'The default namespace of the kubeconfig context is not there: the installation would fail because Helm keeps its record in it.',
} as const satisfies Record<string, string>;
type ConnectFindingCode = keyof typeof connectFindings;

export function connectCluster(parts: ArcParts): OperationDefinition<typeof connectInput> {
  return {
    type: 'arc.cluster.connect',
    title: 'Connect a cluster to Azure Arc',
    description:
      'Registers a cluster with Azure, then waits until its agents report. The agents come by a Helm chart from a machine that reaches the cluster: while it waits, the operation shows the command.',
    permission: 'arc/clusters/write',
    input: connectInput,
    references: { attachedCluster: [ATTACHED_CLUSTER] },
    timeoutSeconds: PATIENCE_SECONDS,
    findings: connectFindings,
    target(input, references) {
      const id = newClusterId(input);
      attachedOf(input, references);
      return { id: id.toString(), kind: connectedClusterKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightConnect(parts, context),
    steps: [
      {
        name: 'register',
        description: 'Asks Azure for the record of the cluster.',
        run: (context) => runRegister(parts, context),
      },
      {
        name: 'agents',
        description: 'Waits until the agents in the cluster have reported to Azure.',
        run: (context) => runAgents(parts, context),
      },
    ],
    verify: (context) => verifyConnect(parts, context),
  };
}

async function preflightConnect(parts: ArcParts, context: OperationContext<ConnectInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(connectFindings, findings);
  const isOffered = await judgeProvider(
    parts,
    input.subscriptionId,
    CONNECTED_CLUSTER_TYPE,
    input.location,
    context,
    say,
  );
  if (!isOffered) return findings;
  const group = await parts.client.getResourceGroup(input.subscriptionId, input.resourceGroup, context);
  if (group.state === 'missing') {
    const remedy = 'Create the resource group first.';
    say('RESOURCE_GROUP_NOT_FOUND', 'error', { resourceGroup: input.resourceGroup }, remedy);
    return findings;
  }
  const isConnected = judgeExisting(await parts.client.get(newClusterId(input), context), input, say);
  if (isConnected) return findings;
  say('AGENTS_RUN_ELSEWHERE', 'info', { command: commandOf(input) });
  await judgeAttached(parts, context, say);
  return findings;
}

/** @returns whether nothing is left to be done. */
function judgeExisting(reading: ArmReading, input: ConnectInput, say: FindingReporter<ConnectFindingCode>): boolean {
  if (reading.state === 'missing') return false;
  const location = rawText(reading.body, 'location');
  if (location !== null && canonicalLocation(location) !== canonicalLocation(input.location)) {
    say('CLUSTER_EXISTS_DIFFERENT', 'error', { location }, 'Use another name, or that region.');
  }
  const connectivityStatus = rawText(reading.body, 'properties', 'connectivityStatus');
  switch (connectivityStatus?.toLowerCase()) {
    case 'connected':
      say('CLUSTER_CONNECTED', 'info', { connectivityStatus });
      return true;
    case 'expired':
      say('CLUSTER_EXPIRED', 'error', { connectivityStatus }, 'Disconnect it, then connect it anew.', [
        { type: 'arc.cluster.disconnect', input: { cluster: newClusterId(input).toString() } },
      ]);
      return false;
    default:
      return false;
  }
}

async function judgeAttached(
  parts: ArcParts,
  context: OperationContext<ConnectInput>,
  say: FindingReporter<ConnectFindingCode>,
): Promise<void> {
  const attached = attachedOf(context.input, context.references);
  if (attached === undefined) return;
  const cluster = parts.kube.cluster(attached);
  const look = await lookInto(() => looksReady(cluster, context));
  const seen = seenOr(look, 'error', say);
  if (seen === undefined) return;
  if (!seen.isAdministrator) {
    const remedy = 'Attach the kubeconfig of an administrator, and install the agents by it.';
    say('NOT_CLUSTER_ADMINISTRATOR', 'warning', { reason: seen.reason }, remedy);
  }
  if (belongsElsewhere(seen.agents, newClusterId(context.input))) {
    const remedy = 'Disconnect that one first.';
    say('AGENTS_OF_OTHER_CLUSTER', 'error', { speaksFor: seen.agents.speaksFor }, remedy);
  }
  if (seen.agentNamespace === 'Terminating') {
    const remedy = 'Wait; where it does not end, take the finalizers off what is left in it.';
    say('AGENT_NAMESPACE_TERMINATING', 'error', { namespace: AGENT_NAMESPACE }, remedy);
  } else if (seen.leftovers.length > 0 && seen.agents.agents.size === 0) {
    const operations = seen.leftovers.map((leftover) => deletionOf(attached.id, leftover));
    const evidence = { leftovers: seen.leftovers.map(nameOf) };
    say('AGENT_LEFTOVERS', 'error', evidence, 'Delete them, then try again.', operations);
  }
  if (seen.missingNamespace !== undefined) {
    const namespace = seen.missingNamespace;
    const manifest = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${namespace}\n`;
    say(
      'CONTEXT_NAMESPACE_MISSING',
      'error',
      { namespace, message: `namespaces "${namespace}" not found` },
      'Make the namespace, or take it out of the context of the kubeconfig. Where the agents are installed by another kubeconfig than the attached one, give the contextNamespace of that one.',
      [{ type: 'kubernetes.manifest.apply', input: { cluster: attached.id, manifest } }],
    );
  }
}

async function looksReady(cluster: ClusterClient, context: OperationContext<ConnectInput>) {
  const all = { verb: '*', group: '*', resource: '*' };
  const [permission, agents, agentNamespace, leftovers, missingNamespace] = await Promise.all([
    cluster.mayI(all, context),
    lookAtAgents(cluster, context),
    readObject(cluster, NAMESPACE, undefined, AGENT_NAMESPACE, context),
    findLeftovers(cluster, context),
    missingContextNamespace(cluster, context),
  ]);
  return {
    isAdministrator: permission.allowed,
    reason: permission.reason,
    agents,
    agentNamespace: rawText(agentNamespace, 'status', 'phase'),
    leftovers,
    missingNamespace,
  };
}

/** Helm keeps its record in the default namespace of the kubeconfig. */
async function missingContextNamespace(
  cluster: ClusterClient,
  context: OperationContext<ConnectInput>,
): Promise<string | undefined> {
  const name = context.input.contextNamespace ?? (await cluster.defaultNamespace(context));
  if (name === null) return undefined;
  return (await readObject(cluster, NAMESPACE, undefined, name, context)) === undefined ? name : undefined;
}

function runRegister(parts: ArcParts, context: StepContext<ConnectInput>): Promise<StepOutcome> {
  const { input } = context;
  const { client } = parts;
  const id = newClusterId(input);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure registers the cluster ${id.name}.`,
      read: () => client.get(id, context),
      judge: (reading) => judgeRegistration(id, input, reading),
      write: (reading) =>
        reading.state === 'missing'
          ? client.create(id, clusterBody(input), context)
          : client.change(id, reading.body, (body) => laidOver(body, input), context),
    },
    context,
  );
}

function judgeRegistration(id: ArmId, input: ConnectInput, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const location = rawText(reading.body, 'location');
  if (location !== null && canonicalLocation(location) !== canonicalLocation(input.location)) {
    throw new ControlError('CONFLICT', `A connected cluster ${id.name} exists in ${location}.`, {
      remedy: 'Use another name, or that region.',
    });
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `Azure knows the cluster ${id.name}.` };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `The cluster ${id.name} is being taken out of Azure.` }
        : { verdict: 'underway', message: `The cluster ${id.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Registering ${id.name}`, reading.body) };
  }
}

/** Blocked, not waiting: nothing of ours goes on, and whoever has asked may think better of it. */
async function runAgents(parts: ArcParts, context: StepContext<ConnectInput>): Promise<StepOutcome> {
  const { input } = context;
  const reading = await parts.client.get(newClusterId(input), context);
  if (reading.state === 'missing') {
    throw new ControlError('AZURE_NOT_FOUND', `The cluster ${input.name} is not in Azure any more.`);
  }
  const status = rawText(reading.body, 'properties', 'connectivityStatus');
  switch (status?.toLowerCase()) {
    case 'connected':
      return { outcome: 'done', message: `The agents of ${input.name} are connected.` };
    case 'expired':
      throw new ControlError('CONFLICT', `The certificate of the agents of ${input.name} has run out.`, {
        remedy: 'Disconnect the cluster (arc.cluster.disconnect), then connect it anew.',
      });
    default: {
      const news = await newsOfAgents(parts, context);
      const advised =
        news === undefined ? 'Install the agents' : `${news} Where they are to be installed again, do that`;
      return {
        outcome: 'blocked',
        message: `${input.name} is ${status ?? 'not connected'}. ${advised} from a machine with an administrator's kubeconfig of the cluster: ${commandOf(input)}`,
        retryAfterSeconds: pauseForPeople(parts, context),
      };
    }
  }
}

/** Of agents that are there and have not reported, as far as there is a way into the cluster. */
async function newsOfAgents(parts: ArcParts, context: OperationContext<ConnectInput>): Promise<string | undefined> {
  const id = newClusterId(context.input);
  const attached = attachedOf(context.input, context.references);
  const cluster = attached === undefined ? clientOf(parts, id) : parts.kube.cluster(attached);
  const picture = await seenIfAny(() => lookAtAgents(cluster, context));
  return picture === undefined || belongsElsewhere(picture, id) ? undefined : agentNews(picture);
}

async function verifyConnect(parts: ArcParts, context: OperationContext<ConnectInput>): Promise<Verification> {
  const id = newClusterId(context.input);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The cluster ${id.name} is not in Azure.` };
  const connectivityStatus = rawText(reading.body, 'properties', 'connectivityStatus');
  if (connectivityStatus !== 'Connected') {
    return { verdict: 'missed', message: `The cluster ${id.name} is ${connectivityStatus ?? 'in no known state'}.` };
  }
  return {
    verdict: 'reached',
    result: {
      cluster: id.toString(),
      uid: id.uid,
      connectivityStatus,
      agentVersion: rawText(reading.body, 'properties', 'agentVersion'),
    },
    observations: [observeConnectedCluster(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' })],
    absent: [],
  };
}

/** @throws ControlError INVALID_REQUEST where the input names a cluster that the references do not lead to. */
function attachedOf(
  input: ConnectInput,
  references: Readonly<Record<string, ResourceTarget>>,
): ResourceTarget | undefined {
  if (input.attachedCluster === undefined) return undefined;
  const attached = references.attachedCluster;
  if (attached?.kind === ATTACHED_CLUSTER) return attached;
  throw new ControlError('INVALID_REQUEST', 'attachedCluster does not name an attached cluster.', {
    violations: [{ path: 'attachedCluster', message: `must be the uid or the id of an ${ATTACHED_CLUSTER}` }],
  });
}

function newClusterId(input: Pick<ConnectInput, 'subscriptionId' | 'resourceGroup' | 'name'>): ArmId {
  return ArmId.resourceGroup(input.subscriptionId, input.resourceGroup).resource(CONNECTED_CLUSTER_TYPE, input.name);
}

function clusterBody(input: ConnectInput): JsonObject {
  return {
    location: canonicalLocation(input.location),
    identity: { type: 'SystemAssigned' },
    ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
    properties: {
      agentPublicKeyCertificate: newPublicKey(),
      distribution: input.distribution,
      infrastructure: input.infrastructure,
    },
  };
}

function laidOver(body: JsonObject, input: ConnectInput): void {
  if (input.tags !== undefined) body.tags = { ...input.tags };
  const { distribution, infrastructure } = input;
  Object.assign(memberObject(body, 'properties'), { distribution, infrastructure });
}

/**
 * Azure wants a public key with the record (PKCS#1, DER, base64). Its private half is thrown away at once: the command
 * that installs the agents makes a pair of its own and puts that in its place, so that no secret has to travel.
 */
function newPublicKey(): string {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
  return publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64');
}

/** Every part of it has passed a pattern that needs no quotes in a shell, but for the group. */
export function commandOf(input: ConnectInput): string {
  const { subscriptionId, resourceGroup, name, location, distribution, infrastructure } = input;
  return [
    'az connectedk8s connect',
    `--subscription ${subscriptionId}`,
    `--resource-group '${resourceGroup}'`,
    `--name ${name}`,
    `--location ${canonicalLocation(location)}`,
    `--distribution ${distribution}`,
    `--infrastructure ${infrastructure}`,
  ].join(' ');
}

const disconnectInput = z.strictObject({ cluster: resourceReference('The connected cluster to take out of Azure') });
type DisconnectInput = z.output<typeof disconnectInput>;

const disconnectFindings = {
  CLUSTER_NOT_FOUND: 'The cluster is gone from Azure already.',
  MACHINES_REMAIN:
    'Azure made the machines of the cluster, and they are still on their host: without the cluster nobody could ask for their deletion.',
  CUSTOM_LOCATIONS_REMAIN: 'Custom locations stand on the cluster: they have to go first.',
  EXTENSIONS_REMAIN:
    'Azure has installed extensions in the cluster: they go from Azure with it, and stay in the cluster.',
  AGENTS_REMAIN: 'The agents stay in the cluster: they are taken out from a machine that reaches it.',
} as const satisfies Record<string, string>;

export function disconnectCluster(parts: ArcParts): OperationDefinition<typeof disconnectInput> {
  return {
    type: 'arc.cluster.disconnect',
    title: 'Disconnect a cluster from Azure Arc',
    description:
      'Takes the record of a connected cluster out of Azure. The cluster itself, and what runs in it, stays.',
    permission: 'arc/clusters/delete',
    input: disconnectInput,
    references: { cluster: [connectedClusterKind.name] },
    timeoutSeconds: 3600,
    findings: disconnectFindings,
    target(_input, references) {
      const id = clusterIdOf({ references });
      return { id: id.toString(), kind: connectedClusterKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightDisconnect(parts, context),
    steps: [
      {
        name: 'delete',
        description: 'Asks Azure to forget the cluster and waits until it has.',
        run: (context) => runDisconnect(parts, context),
      },
    ],
    async verify(context) {
      const id = clusterIdOf(context);
      const reading = await parts.client.get(id, context);
      return verifyRemoval(`The cluster ${id.name}`, reading, context.target, parts.client.arm.pollIntervalSeconds);
    },
  };
}

async function preflightDisconnect(parts: ArcParts, context: OperationContext<DisconnectInput>): Promise<Finding[]> {
  const id = clusterIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(disconnectFindings, findings);
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'info', { cluster: id.toString() });
    return findings;
  }
  const machines = await machinesOf(parts, id, context);
  if (machines !== undefined) {
    const remedy = 'Delete the machines together with the cluster (hci.cluster.delete).';
    say('MACHINES_REMAIN', 'error', { provisionedCluster: machines.toString() }, remedy, [deleteMachines(machines)]);
  }
  const locations = await customLocationsOn(parts, id, context);
  if (locations.length > 0) {
    const names = locations.map((location) => location.toString());
    say(
      'CUSTOM_LOCATIONS_REMAIN',
      'error',
      { customLocations: names },
      'Delete them first (arc.customLocation.delete).',
      names.map((customLocation) => ({ type: 'arc.customLocation.delete', input: { customLocation } })),
    );
  }
  const extensions = await extensionsOf(parts, id, context);
  if (extensions.length > 0) {
    const remedy = 'Remove them first (arc.extension.remove) where they shall not stay in the cluster.';
    say('EXTENSIONS_REMAIN', 'warning', { extensions: extensions.map(({ name }) => name) }, remedy);
  }
  say('AGENTS_REMAIN', 'info', { command: `helm uninstall azure-arc --namespace ${AGENT_NAMESPACE}-release` });
  return findings;
}

async function runDisconnect(parts: ArcParts, context: StepContext<DisconnectInput>): Promise<StepOutcome> {
  const id = clusterIdOf(context);
  // They may have been made since the checks: an operation can wait for days for an approval.
  const machines = context.resumeToken === undefined ? await machinesOf(parts, id, context) : undefined;
  if (machines !== undefined) {
    throw new ControlError('CONFLICT', disconnectFindings.MACHINES_REMAIN, {
      remedy: 'Delete the machines together with the cluster (hci.cluster.delete).',
      diagnosis: {
        code: 'MACHINES_REMAIN',
        cause: disconnectFindings.MACHINES_REMAIN,
        evidence: { provisionedCluster: machines.toString() },
        operations: [deleteMachines(machines)],
      },
    });
  }
  return reachDesiredState(
    parts.client.arm,
    context.resumeToken,
    {
      working: `Azure forgets the cluster ${id.name}.`,
      read: () => parts.client.get(id, context),
      judge: (reading) => judgeRemoval(`The cluster ${id.name}`, reading, failedOperationError),
      write: () => parts.client.delete(id, context),
    },
    context,
  );
}

/** What Azure has made on Azure Stack HCI for a cluster, whatever the record of the cluster says of its kind. */
async function machinesOf(
  parts: ArcParts,
  cluster: ArmId,
  context: OperationContext<unknown>,
): Promise<ArmId | undefined> {
  const id = cluster.resource(PROVISIONED_CLUSTER_TYPE, 'default');
  try {
    return (await parts.client.get(id, context)).state === 'found' ? id : undefined;
  } catch (error) {
    // Where its provider is not registered, it has made nothing.
    if (error instanceof ControlError && saysUnregistered(error)) return undefined;
    throw error;
  }
}

function deleteMachines(machines: ArmId): RemedyOperation {
  return { type: 'hci.cluster.delete', input: { cluster: machines.toString() } };
}

/** The custom locations that stand on a cluster; they lie in any group of its subscription. */
export async function customLocationsOn(
  parts: ArcParts,
  cluster: ArmId,
  context: OperationContext<unknown>,
): Promise<ArmId[]> {
  const found: ArmId[] = [];
  const pages = parts.client.listOfSubscription(CUSTOM_LOCATION_TYPE, cluster.subscriptionId ?? '', context);
  for await (const { items } of pages) {
    for (const item of items) {
      const host = ArmId.tryParse(rawText(item, 'properties', 'hostResourceId') ?? '');
      if (host?.equals(cluster) === true) found.push(armIdOf(item));
    }
  }
  return found;
}

async function extensionsOf(parts: ArcParts, cluster: ArmId, context: OperationContext<unknown>): Promise<ArmId[]> {
  const found: ArmId[] = [];
  for await (const { items } of parts.client.listOfCluster(EXTENSION_TYPE, cluster, context)) {
    found.push(...items.map(armIdOf));
  }
  return found;
}
