import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { BUILT_IN_ROLES, findAssignment, tryAssignRole } from '#libs/azure/role-assignments.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { ADDON_NODE, connectorOf, setConnector, type AciConnector } from './aci-connector.js';
import { changeUnderWay, kubernetesOf, listObjects, NODE, POD, readObject } from './cluster.reading.js';
import { SUBNET_ROLES } from './connector.reading.js';
import { clusterIdOf, enableInput, type EnableInput } from './enable.input.js';
import { enableFindings, preflightEnable, principalOf } from './enable.preflight.js';
import { describeSubnet } from './network.kinds.js';
import { isReady, virtualNodeIdOf } from './virtual-node.kind.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';
import { ACI_DELEGATION } from './virtual-nodes.types.js';

const CONNECTOR_NAMESPACE = 'kube-system';
const CONNECTOR_LABEL = 'app=aci-connector-linux';
const CRASHING = 'CrashLoopBackOff';

export function enableVirtualNodes(parts: VirtualNodesParts): OperationDefinition<typeof enableInput> {
  return {
    type: 'virtualNodes.enable',
    title: 'Give a cluster a virtual node',
    description:
      'Switches the virtual nodes of an AKS cluster on with everything that they need: a subnet that is delegated to Container Instances, the add-on, and the least role on that subnet for whoever its connector acts as. Waits until the node is ready.',
    permission: 'virtualNodes/write',
    input: enableInput,
    references: { cluster: ['ManagedCluster'] },
    timeoutSeconds: 3600,
    findings: enableFindings,
    target(_input, references) {
      const id = clusterIdOf(references);
      return { id: id.toString(), kind: 'ManagedCluster', lock: id.canonical };
    },
    preflight: (context) => preflightEnable(parts, context),
    steps: [
      {
        name: 'prepare-subnet',
        description: 'Makes the subnet in the network of the nodes, or delegates the one that is there.',
        run: (context) => runSubnet(parts, context),
      },
      {
        name: 'switch-on',
        description: 'Switches the add-on on and waits for AKS.',
        run: (context) => runAddon(parts, context),
      },
      {
        name: 'assign-role',
        description:
          'Gives whoever the connector acts as the role Network Contributor on the subnet, unless it has it.',
        run: (context) => runRole(parts, context),
      },
      {
        name: 'restart-connector',
        description: 'Starts the connector anew where it is failing for what it lacked before.',
        run: (context) => runRestart(parts, context),
      },
      {
        name: 'await-node',
        description: 'Waits until the virtual node is ready.',
        run: (context) => runNode(parts, context),
      },
    ],
    verify: (context) => verifyEnable(parts, context),
  };
}

/** The cluster as Azure has it now. @throws ControlError AZURE_NOT_FOUND */
export async function readCluster(
  parts: VirtualNodesParts,
  cluster: ArmId,
  context: OperationContext<unknown>,
): Promise<JsonObject> {
  const reading = await parts.client.get(cluster, context);
  if (reading.state === 'found') return reading.body;
  throw new ControlError('AZURE_NOT_FOUND', `The cluster ${cluster.name} is not there any more.`);
}

function subnetOf({ network }: AciConnector, name: string): ArmId {
  if (network !== undefined) return network.child('subnets', name);
  throw new ControlError('CONFLICT', 'The nodes of the cluster are in no virtual network of its own.');
}

async function runSubnet(parts: VirtualNodesParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const { client } = parts;
  const { subnetName, subnetPrefix } = context.input;
  const connector = connectorOf(await readCluster(parts, clusterIdOf(context.references), context));
  const id = subnetOf(connector, subnetName);
  const delegation: JsonObject = { name: 'aciDelegation', properties: { serviceName: ACI_DELEGATION } };
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is preparing the subnet ${subnetName}.`,
      read: () => client.get(id, context),
      judge: judgeSubnetState,
      write: (reading) => {
        if (reading.state === 'found') {
          return client.changeSubnet(id, reading, (properties) => (properties.delegations = [delegation]), context);
        }
        if (subnetPrefix === undefined) {
          throw new ControlError('CONFLICT', `The subnet ${subnetName} is not there, and has no address range.`);
        }
        return client.putSubnet(id, { addressPrefix: subnetPrefix, delegations: [delegation] }, context);
      },
    },
    context,
  );
}

export function judgeSubnetState(reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const properties = rawObject(reading.body, 'properties') ?? {};
  const state = rawText(properties, 'provisioningState');
  const name = rawText(reading.body, 'name') ?? '';
  const isDelegated = describeSubnet(properties).delegations.some(
    (service) => service.toLowerCase() === ACI_DELEGATION.toLowerCase(),
  );
  switch (provisioningPhase(state)) {
    case 'moving':
      return isDelegated
        ? { verdict: 'underway', message: `The subnet ${name} is ${state}.` }
        : { verdict: 'busy', message: `The subnet ${name} is being changed by someone else (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Preparing the subnet ${name}`, reading.body) };
    case 'succeeded':
    case 'unknown':
      return isDelegated
        ? { verdict: 'reached', message: `The subnet ${name} is delegated to Container Instances.` }
        : { verdict: 'different' };
  }
}

function runAddon(parts: VirtualNodesParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const { subnetName } = context.input;
  return runAddonState(parts, context, clusterIdOf(context.references), {
    working: 'Azure is switching the virtual nodes on.',
    isReached: ({ enabled, subnetName: present }) => enabled && present?.toLowerCase() === subnetName.toLowerCase(),
    done: 'The add-on is on.',
    addon: { enabled: true, config: { SubnetName: subnetName } },
  });
}

interface WantedAddon {
  working: string;
  isReached(connector: AciConnector): boolean;
  done: string;
  addon: JsonObject;
}

/** One run of "let the add-on be so": the whole cluster is written back, once, while nobody else changes it. */
export function runAddonState(
  { client }: VirtualNodesParts,
  context: StepContext<unknown>,
  cluster: ArmId,
  wanted: WantedAddon,
): Promise<StepOutcome> {
  const judge = (reading: ArmReading): DesiredStateVerdict => {
    const { body } = found(reading, cluster);
    const state = rawText(body, 'properties', 'provisioningState');
    const isReached = wanted.isReached(connectorOf(body));
    switch (provisioningPhase(state)) {
      case 'moving':
        return isReached
          ? { verdict: 'underway', message: `The cluster is ${state}.` }
          : { verdict: 'busy', message: `Another operation runs on the cluster (${state}).` };
      case 'failed':
      case 'canceled':
        return { verdict: 'failed', error: failedOperationError(`Changing the add-on of ${cluster.name}`, body) };
      case 'succeeded':
      case 'unknown':
        break;
    }
    if (isReached) return { verdict: 'reached', message: wanted.done };
    // AKS answers 409 while a pool of the cluster changes: looking first spares it the request.
    const other = changeUnderWay(body);
    return other === undefined ? { verdict: 'different' } : { verdict: 'busy', message: other };
  };
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: wanted.working,
      read: () => client.get(cluster, context),
      judge,
      write: (reading) =>
        client.changeCluster(
          cluster,
          found(reading, cluster),
          (properties) => setConnector(properties, wanted.addon),
          context,
        ),
    },
    context,
  );
}

function found(reading: ArmReading, cluster: ArmId): Extract<ArmReading, { state: 'found' }> {
  if (reading.state === 'found') return reading;
  throw new ControlError('AZURE_NOT_FOUND', `The cluster ${cluster.name} is not there any more.`);
}

async function runRole(parts: VirtualNodesParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const { arm } = parts.client;
  const connector = connectorOf(await readCluster(parts, clusterIdOf(context.references), context));
  const principalId = principalOf(connector, context.input);
  if (principalId === undefined) {
    // AKS tells the identity of the add-on a little after it has switched it on.
    const message = 'AKS does not tell the identity of the add-on yet.';
    if (connector.identity === 'managed')
      return { outcome: 'wait', message, retryAfterSeconds: arm.pollIntervalSeconds };
    throw new ControlError('INVALID_REQUEST', 'The object id of the service principal of the cluster is not known.');
  }
  const scope = subnetOf(connector, context.input.subnetName);
  const existing = await findAssignment(arm, { scope, principalId }, SUBNET_ROLES, context);
  if (existing !== undefined) {
    return {
      outcome: 'done',
      message: 'The connector may use the subnet already.',
      output: { assignment: existing.toString() },
    };
  }
  const roleId = BUILT_IN_ROLES.NetworkContributor;
  const wanted = { scope, roleId, principalId, principalType: 'ServicePrincipal' };
  const tried = await tryAssignRole(arm, wanted, context.resumeToken, context);
  switch (tried.state) {
    case 'assigned': {
      const output = { assignment: tried.id.toString() };
      return { outcome: 'done', message: 'The connector may use the subnet.', output };
    }
    case 'unknown-principal': {
      const { retryAfterSeconds, resumeToken } = tried;
      return {
        outcome: 'wait',
        message: 'Entra ID does not know the new identity yet.',
        retryAfterSeconds,
        resumeToken,
      };
    }
  }
}

/** A connector that fails again and again waits longer each time: one that has got its role need not. */
async function runRestart(parts: VirtualNodesParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const client = kubernetesOf(parts, clusterIdOf(context.references));
  const failing = (await connectorPods(client, context)).filter((pod) => waitingReason(pod) === CRASHING);
  const resource = await client.findResource(POD, context);
  if (failing.length === 0 || resource === undefined) {
    return { outcome: 'done', message: 'The connector need not be started anew.' };
  }
  try {
    for (const { metadata } of failing) {
      const precondition = metadata.uid === undefined ? {} : { uid: metadata.uid };
      await client.delete(resource, metadata.namespace, metadata.name, precondition, context);
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    return { outcome: 'done', message: 'The connector starts anew by itself: Pilothouse may not delete its pod.' };
  }
  return { outcome: 'done', message: 'The connector is started anew.' };
}

function connectorPods(client: ClusterClient, context: OperationContext<unknown>): Promise<KubernetesObject[]> {
  return listObjects(client, POD, { namespace: CONNECTOR_NAMESPACE, labelSelector: CONNECTOR_LABEL }, context);
}

function waitingReason(pod: KubernetesObject): string | undefined {
  const statuses = rawObjects(pod, 'status', 'containerStatuses');
  return statuses.flatMap((status) => rawText(status, 'state', 'waiting', 'reason') ?? [])[0];
}

async function runNode(parts: VirtualNodesParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const client = kubernetesOf(parts, clusterIdOf(context.references));
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  const node = await readObject(client, NODE, undefined, ADDON_NODE, context);
  if (node !== undefined && isReady(node)) return { outcome: 'done', message: `The node ${ADDON_NODE} is ready.` };
  const reason = (await connectorPods(client, context)).map(waitingReason).find((each) => each !== undefined);
  const why = reason === undefined ? '' : ` Its connector says ${reason}; a new role takes some minutes to count.`;
  return { outcome: 'wait', message: `The node ${ADDON_NODE} is not ready yet.${why}`, retryAfterSeconds };
}

async function verifyEnable(parts: VirtualNodesParts, context: OperationContext<EnableInput>): Promise<Verification> {
  const cluster = clusterIdOf(context.references);
  const connector = connectorOf(await readCluster(parts, cluster, context));
  const { subnetName } = context.input;
  if (!connector.enabled || connector.subnetName?.toLowerCase() !== subnetName.toLowerCase()) {
    return { verdict: 'missed', message: 'Somebody has switched the add-on off or to another subnet meanwhile.' };
  }
  const node = await readObject(kubernetesOf(parts, cluster), NODE, undefined, ADDON_NODE, context);
  if (node === undefined || !isReady(node)) {
    const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
    return { verdict: 'pending', message: `The node ${ADDON_NODE} is not ready.`, retryAfterSeconds };
  }
  return {
    verdict: 'reached',
    result: {
      cluster: cluster.toString(),
      virtualNode: virtualNodeIdOf(cluster.uid, ADDON_NODE).canonical,
      subnet: connector.subnet?.toString() ?? null,
      principalId: principalOf(connector, context.input) ?? null,
    },
    observations: [],
    absent: [],
    opened: [cluster.uid],
  };
}
