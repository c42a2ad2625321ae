import { type ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { findAssignment, mayAssignRoles } from '#libs/azure/role-assignments.js';
import { freePrefix, parseAddressRange, prefixFault, usableAddresses } from '#libs/azure/subnet-space.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';
import { ADDON_NODE, connectorOf, type AciConnector } from './aci-connector.js';
import { judgeQuota, quotaFindings } from './capacity.preflight.js';
import {
  clusterFindings,
  judgeCluster,
  kubernetesOf,
  listObjects,
  NODE,
  outOfReach,
  readObject,
  virtualNodesOf,
} from './cluster.reading.js';
import { SUBNET_ROLES, lookAtConnector } from './connector.reading.js';
import type { EnableInput } from './enable.input.js';
import { clusterIdOf } from './enable.input.js';
import { LEAST_ADDRESSES, describeSubnet, prefixesOf, rangesOfCluster } from './network.kinds.js';
import { NETWORK_PROFILE_FINDINGS, networkFaults } from './network-profile.rules.js';
import { avoidsVirtualNodes, judgePodSpec, podFindings, toleratesAll } from './pod.limits.js';
import { roleOperations } from './virtual-node.advice.js';
import { isReady } from './virtual-node.kind.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';
import { ACI_DELEGATION, CONTAINER_GROUP_TYPE } from './virtual-nodes.types.js';

const PROVIDER = 'Microsoft.ContainerInstance';
/** Room for 251 pods. */
const SUGGESTED_BITS = 24;
/** The taint that the node of the add-on will have. */
const ADDON_TAINT = { key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' };

export const enableFindings = {
  ...clusterFindings,
  ...NETWORK_PROFILE_FINDINGS,
  NETWORK_NOT_OWN: 'AKS manages the network of the nodes itself: there is no network that a subnet could be added to.',
  SUBNET_PREFIX_NEEDED: 'The subnet is not there, and nobody has said which addresses it is to have.',
  SUBNET_PREFIX_INVALID: 'The address range is no IPv4 range, or lies outside of the network.',
  SUBNET_PREFIX_TAKEN:
    'The address range overlaps with another subnet of the network, or with the services or the pods of the cluster.',
  SUBNET_PREFIX_DIFFERS: 'The subnet is there with another address range.',
  SUBNET_TOO_SMALL: 'The subnet has too few free addresses: every pod on the virtual node takes one.',
  SUBNET_DELEGATED_ELSEWHERE: 'The subnet is delegated to another service.',
  SUBNET_IN_USE: 'The subnet is used by something else, and cannot be delegated to Container Instances.',
  SUBNET_ROUTE_TABLE: 'The subnet has a route table, with which it cannot be delegated to Container Instances.',
  SUBNET_NOT_DELEGATED: 'The subnet is not delegated to Container Instances yet, and will be.',
  PROVIDER_NOT_REGISTERED: 'The subscription is not registered for Container Instances.',
  REGION_UNSUPPORTED: 'Container Instances are not offered in the region of the cluster.',
  ...quotaFindings,
  IDENTITY_UNKNOWN:
    'The cluster has a service principal, whose object id Azure Resource Manager does not tell: it has to be given.',
  IDENTITY_LACKS_ROLE: 'The identity of the connector has no role on the subnet yet, and will get one.',
  ASSIGNMENT_NOT_ALLOWED: 'The identity of Pilothouse may not assign roles on the network.',
  PERMISSIONS_UNKNOWN: 'It could not be read whether the identity of Pilothouse may assign roles.',
  DAEMON_SETS_AFFECTED:
    'DaemonSets tolerate every taint: their pods would be placed on the virtual node, which cannot run them.',
  HOST_PORTS_AFFECTED: 'Workloads that tolerate the virtual node use ports of their hosts, which it does not have.',
  INIT_CONTAINERS_AFFECTED: 'Workloads that tolerate the virtual node have init containers, which it may not run.',
  CLUSTER_UNREACHABLE: 'The Kubernetes API of the cluster could not be asked what its workloads need.',
  EARLY_CONNECTOR_PRESENT:
    'The cluster has a virtual node of the early connector, whose pods have public addresses; the add-on does not replace it.',
  CONNECTOR_LACKS_ROLE:
    'The add-on is on and its connector does not run: its identity has no role in the node resource group.',
  CONNECTOR_SUBNET_WRONG: 'The add-on is on and its connector does not run: the network has no such subnet.',
  ADDON_ENABLED: 'The add-on is on with this subnet already.',
  ADDON_ON_OTHER_SUBNET: 'The add-on is on with another subnet.',
} as const satisfies Record<string, string>;

type Say = FindingReporter<keyof typeof enableFindings>;

export async function preflightEnable(
  parts: VirtualNodesParts,
  context: OperationContext<EnableInput>,
): Promise<Finding[]> {
  const cluster = clusterIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(enableFindings, findings);
  const reading = await parts.client.get(cluster, context);
  if (reading.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: cluster.toString() });
    return findings;
  }
  judgeCluster(reading.body, cluster, say);
  for (const { code, evidence, remedy } of networkFaults(reading.body)) say(code, 'error', evidence, remedy);
  const connector = connectorOf(reading.body);
  judgeAddon(connector, cluster, context.input.subnetName, say);
  if (connector.network === undefined) {
    say('NETWORK_NOT_OWN', 'error', { pools: rawObjects(reading.body, 'properties', 'agentPoolProfiles').length });
  } else {
    await judgeSubnet(parts, connector.network, reading.body, context, say);
    await judgeIdentity(parts, connector, connector.network, context, say);
  }
  if (connector.enabled) await judgeConnector(parts, cluster, reading.body, context, say);
  await judgeRegion(parts, cluster, rawText(reading.body, 'location'), context, say);
  await judgeWorkloads(parts, cluster, context, say);
  return findings;
}

function judgeAddon({ enabled, subnetName }: AciConnector, cluster: ArmId, wanted: string, say: Say): void {
  if (!enabled) return;
  if (subnetName?.toLowerCase() === wanted.toLowerCase()) {
    say('ADDON_ENABLED', 'info', { subnetName });
    return;
  }
  say('ADDON_ON_OTHER_SUBNET', 'error', { subnetName, wanted }, 'Take the virtual node away first.', [
    { type: 'virtualNodes.disable', input: { cluster: cluster.toString() } },
  ]);
}

async function judgeSubnet(
  parts: VirtualNodesParts,
  network: ArmId,
  cluster: JsonObject,
  context: OperationContext<EnableInput>,
  say: Say,
): Promise<void> {
  const { subnetName, subnetPrefix } = context.input;
  const reading = await parts.client.get(network, context);
  const body: JsonObject = reading.state === 'missing' ? {} : reading.body;
  const subnets = rawObjects(body, 'properties', 'subnets');
  const subnet = subnets.find((each) => rawText(each, 'name')?.toLowerCase() === subnetName.toLowerCase());
  if (subnet !== undefined) {
    judgePresentSubnet(rawObject(subnet, 'properties') ?? {}, subnetPrefix, say);
    return;
  }
  const space = rawTexts(body, 'properties', 'addressSpace', 'addressPrefixes');
  const others = subnets.map((each) => ({
    name: rawText(each, 'name') ?? '',
    prefixes: prefixesOf(rawObject(each, 'properties') ?? {}),
  }));
  const inCluster = rangesOfCluster(cluster);
  const free = freePrefix(SUGGESTED_BITS, space, [...others, ...inCluster]);
  const operations = free === undefined ? [] : [withPrefix(context.input, free)];
  if (subnetPrefix === undefined) {
    say('SUBNET_PREFIX_NEEDED', 'error', { subnetName }, 'Give subnetPrefix: a range that is free.', operations);
    return;
  }
  const fault = prefixFault(subnetPrefix, space, others);
  const clash = fault ?? prefixFault(subnetPrefix, space, inCluster);
  if (clash?.fault === 'overlap') {
    const holder = fault === undefined ? { usedFor: clash.subnet } : { subnet: clash.subnet };
    const evidence = { subnetPrefix, ...holder, taken: clash.prefix };
    say('SUBNET_PREFIX_TAKEN', 'error', evidence, 'Give subnetPrefix: a range that is free.', operations);
  } else if (fault !== undefined) say('SUBNET_PREFIX_INVALID', 'error', { subnetPrefix, space });
  const range = parseAddressRange(subnetPrefix);
  if (range !== undefined) judgeSize(usableAddresses(range), say);
}

/** The same wish with a range that the network has room for. */
function withPrefix({ principalId, ...input }: EnableInput, subnetPrefix: string): RemedyOperation {
  const principal = principalId === undefined ? {} : { principalId };
  return { type: 'virtualNodes.enable', input: { ...input, ...principal, subnetPrefix } };
}

function judgePresentSubnet(properties: JsonObject, wantedPrefix: string | undefined, say: Say): void {
  const { addressPrefixes, delegations, freeAddresses, usedAddresses, routeTableId } = describeSubnet(properties);
  if (wantedPrefix !== undefined && !addressPrefixes.includes(wantedPrefix)) {
    say(
      'SUBNET_PREFIX_DIFFERS',
      'error',
      { addressPrefixes, wanted: wantedPrefix },
      'Leave subnetPrefix out, or use another name.',
    );
  }
  const foreign = delegations.filter((service) => service.toLowerCase() !== ACI_DELEGATION.toLowerCase());
  if (foreign.length > 0) say('SUBNET_DELEGATED_ELSEWHERE', 'error', { delegations }, 'Use another subnet.');
  else if (delegations.length === 0) {
    if (usedAddresses > 0) say('SUBNET_IN_USE', 'error', { usedAddresses }, 'Use a subnet of its own.');
    else say('SUBNET_NOT_DELEGATED', 'info', { delegation: ACI_DELEGATION });
    if (routeTableId !== null) say('SUBNET_ROUTE_TABLE', 'error', { routeTableId }, 'Use a subnet without one.');
  }
  if (freeAddresses !== null) judgeSize(freeAddresses, say);
}

function judgeSize(freeAddresses: number, say: Say): void {
  if (freeAddresses >= LEAST_ADDRESSES) return;
  say(
    'SUBNET_TOO_SMALL',
    'error',
    { freeAddresses, leastAddresses: LEAST_ADDRESSES },
    'Use a larger range, such as a /24.',
  );
}

/** Whether who the connector acts as can use the subnet, or can be let. */
async function judgeIdentity(
  parts: VirtualNodesParts,
  connector: AciConnector,
  network: ArmId,
  context: OperationContext<EnableInput>,
  say: Say,
): Promise<void> {
  const principalId = principalOf(connector, context.input);
  if (principalId === undefined && connector.identity === 'service-principal') {
    const remedy = `Give principalId: the object id that Entra ID has for the application ${connector.clientId ?? ''}.`;
    say('IDENTITY_UNKNOWN', 'error', { clientId: connector.clientId }, remedy);
    return;
  }
  const subnet = network.child('subnets', context.input.subnetName);
  if (principalId !== undefined) {
    const { arm } = parts.client;
    const found = await findAssignment(arm, { scope: subnet, principalId }, SUBNET_ROLES, context);
    if (found !== undefined) return;
  }
  say('IDENTITY_LACKS_ROLE', 'info', {
    principalId: principalId ?? null,
    role: 'NetworkContributor',
    scope: subnet.toString(),
  });
  // The subnet need not be there yet: what may be done on the network may be done on it.
  const allowed = await mayAssignRoles(parts.client.arm, network, context);
  if (allowed instanceof ControlError) {
    say('PERMISSIONS_UNKNOWN', 'info', { code: allowed.externalCode ?? allowed.code });
  } else if (!allowed) {
    const remedy =
      'Have an owner of the network give the connector the role Network Contributor on the subnet, or let Pilothouse do so.';
    say('ASSIGNMENT_NOT_ALLOWED', 'error', { network: network.toString() }, remedy);
  }
}

/** Why a connector that is switched on has no node; what this operation mends by itself is not said again. */
async function judgeConnector(
  parts: VirtualNodesParts,
  cluster: ArmId,
  body: JsonObject,
  context: OperationContext<EnableInput>,
  say: Say,
): Promise<void> {
  try {
    const node = await readObject(kubernetesOf(parts, cluster), NODE, undefined, ADDON_NODE, context);
    if (node !== undefined && isReady(node)) return;
  } catch (error) {
    // That the cluster is out of reach is said where its workloads are looked at.
    outOfReach(error);
    return;
  }
  const lacks = await lookAtConnector(parts.client, cluster, body, context.input.principalId, context);
  const { subnetName, subnetFault, principalId } = lacks;
  if (subnetFault === 'missing') say('CONNECTOR_SUBNET_WRONG', 'warning', { subnetName });
  const rolesMissing = lacks.rolesMissing.filter(({ of }) => of === 'group');
  if (rolesMissing.length > 0) {
    const evidence = { principalId: principalId ?? null, roles: rolesMissing.map(({ role }) => role) };
    const remedy = 'Give the identity the role in the node resource group.';
    say('CONNECTOR_LACKS_ROLE', 'warning', evidence, remedy, roleOperations({ ...lacks, rolesMissing }));
  }
}

/** The object id of whoever the connector acts as; that of a managed identity is known once the add-on is on. */
export function principalOf(connector: AciConnector, input: EnableInput): string | undefined {
  return connector.identity === 'managed' ? (connector.identityObjectId ?? undefined) : input.principalId;
}

async function judgeRegion(
  parts: VirtualNodesParts,
  cluster: ArmId,
  location: string | null,
  context: OperationContext<EnableInput>,
  say: Say,
): Promise<void> {
  const subscriptionId = cluster.subscriptionId ?? '';
  const region = canonicalLocation(location ?? '');
  const provider = await parts.client.getProvider(subscriptionId, PROVIDER, context);
  const state = provider.state === 'missing' ? null : rawText(provider.body, 'registrationState');
  if (state?.toLowerCase() !== 'registered') {
    const operations = [registerProvider(subscriptionId, PROVIDER)];
    say('PROVIDER_NOT_REGISTERED', 'error', { provider: PROVIDER, state }, registrationRemedy(PROVIDER), operations);
    return;
  }
  const types = provider.state === 'missing' ? [] : rawObjects(provider.body, 'resourceTypes');
  const groups = types.find((type) => rawText(type, 'resourceType') === CONTAINER_GROUP_TYPE.split('/')[1]);
  const locations = rawTexts(groups, 'locations').map(canonicalLocation);
  if (!locations.includes(region)) {
    say('REGION_UNSUPPORTED', 'error', { region }, 'Use a cluster in a region that has Container Instances.');
    return;
  }
  await judgeQuota(parts.client, { subscriptionId, region }, context, say);
}

/** What runs in the cluster and would be placed on the virtual node although it cannot run there. */
async function judgeWorkloads(
  parts: VirtualNodesParts,
  cluster: ArmId,
  context: OperationContext<EnableInput>,
  say: Say,
): Promise<void> {
  try {
    const client = kubernetesOf(parts, cluster);
    const nodes = await virtualNodesOf(client, context);
    const early = nodes.find((node) => virtualNatureOf(node).nature === 'virtual-kubelet');
    if (early !== undefined && early.metadata.name !== ADDON_NODE) {
      const remedy = 'Move its pods to the virtual node of the add-on, and remove the early connector.';
      say('EARLY_CONNECTOR_PRESENT', 'warning', { node: early.metadata.name }, remedy);
    }
    const affected: Record<'daemonSets' | 'hostPorts' | 'initContainers', string[]> = {
      daemonSets: [],
      hostPorts: [],
      initContainers: [],
    };
    for (const kind of ['DaemonSet', 'Deployment', 'StatefulSet']) {
      for (const workload of await listObjects(client, { group: 'apps', kind }, {}, context)) {
        const spec = rawObject(workload, 'spec', 'template', 'spec') ?? {};
        if (!toleratesAll(spec, [ADDON_TAINT]) || avoidsVirtualNodes(spec)) continue;
        const name = `${workload.metadata.namespace ?? ''}/${workload.metadata.name}`;
        if (kind === 'DaemonSet') affected.daemonSets.push(name);
        const found: Finding[] = [];
        judgePodSpec(spec, findingReporter(podFindings, found));
        const codes = found.map(({ code }) => code);
        if (codes.includes('HOST_PORTS_UNSUPPORTED')) affected.hostPorts.push(name);
        if (codes.includes('INIT_CONTAINERS_UNSUPPORTED')) affected.initContainers.push(name);
      }
    }
    const remedy = 'Keep them away: require nodes whose label type is not virtual-kubelet.';
    const { daemonSets, hostPorts, initContainers } = affected;
    if (daemonSets.length > 0) say('DAEMON_SETS_AFFECTED', 'warning', { workloads: daemonSets }, remedy);
    if (hostPorts.length > 0) say('HOST_PORTS_AFFECTED', 'warning', { workloads: hostPorts }, remedy);
    if (initContainers.length > 0) say('INIT_CONTAINERS_AFFECTED', 'warning', { workloads: initContainers }, remedy);
  } catch (error) {
    const problem = outOfReach(error);
    say('CLUSTER_UNREACHABLE', 'info', { code: problem.code });
  }
}
