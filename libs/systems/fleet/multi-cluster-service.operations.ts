import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
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
import { resourceReference } from '../contract/resource-reference.js';
import { askPermission } from './cluster-permission.js';
import { referencedCluster } from './cluster-reference.js';
import type { FleetParts } from './fleet-parts.js';
import { fleetOfCluster, membersOfFleet, type FleetMemberCluster, type FleetOfCluster } from './fleet-membership.js';
import { dnsLabel } from './kubernetes-name.js';
import {
  INTERNAL_LOAD_BALANCER_ANNOTATION,
  MULTI_CLUSTER_SERVICE,
  derivedServiceName,
  describeMultiClusterService,
  multiClusterServiceKind,
  observeMultiClusterService,
} from './multi-cluster-service.kind.js';
import { hasRoutablePods, judgeConnection, readMemberNetwork, type MemberNetwork } from './multi-cluster-network.js';
import {
  applicationFindings,
  applyObject,
  judgeApplication,
  listObjects,
  readObject,
  tryObject,
  type WantedObject,
} from './object-application.js';
import { waitFor, type ProgressVerdict } from './patience.js';
import { SERVICE_EXPORT, describeServiceExport } from './service-export.kind.js';

const CLUSTERS = ['ManagedCluster'];
const LONGEST_SERVICE_NAME = 63;
/** How many members are asked one after the other; a service of more is asked for in these. */
const MOST_MEMBERS_ASKED = 100;

const applyInput = z.strictObject({
  cluster: resourceReference('The member of the fleet that gets the address'),
  namespace: dnsLabel.describe('The namespace of the multi-cluster service: that of the exported service.'),
  name: dnsLabel.describe('The name of the multi-cluster service.'),
  serviceImport: dnsLabel
    .optional()
    .describe('The exported service that it serves; the one of its own name where absent.'),
  internal: z.boolean().default(false).describe('Whether the address is one of the virtual network only.'),
});
type ApplyInput = z.output<typeof applyInput>;

export const multiClusterServiceFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_NOT_MEMBER: 'The cluster is not a member of a fleet.',
  CLUSTER_ACCESS_DENIED: 'The identity of Pilothouse may not write multi-cluster services in the cluster.',
  CLUSTER_UNREACHABLE: 'The API server of the cluster does not answer.',
  MULTI_CLUSTER_SERVICES_NOT_SERVED:
    'The cluster does not know multi-cluster services: the agents of Fleet are not there.',
  NAMESPACE_NOT_FOUND: 'The cluster has no namespace of this name.',
  DERIVED_NAME_TOO_LONG:
    'Namespace and name together are too long: the service that Fleet makes has both in its name, and that has 63 characters at most.',
  SERVICE_NOT_EXPORTED: 'No member of the fleet exports the service.',
  EXPORTED_IN_OTHER_FLEET: 'Members of another fleet export the service; only members of one fleet serve together.',
  EXPORT_NOT_VALID: 'A member is to export the service, and cannot.',
  EXPORTERS_UNKNOWN: 'It could not be read from every member whether it exports the service.',
  IMPORTED_ALREADY: 'Another multi-cluster service serves the exported service already; only one can.',
  POD_NETWORK_NOT_ROUTABLE:
    'The pods of a member cannot be reached from other clusters: that takes Azure CNI without overlay, and no kubenet.',
  NETWORKS_NOT_PEERED: 'The virtual networks of two members are neither the same nor peered in both directions.',
  NETWORKS_UNKNOWN: 'It could not be read whether the virtual networks of two members are connected.',
  MULTI_CLUSTER_SERVICE_EXISTS: 'The multi-cluster service exists; it is made as asked for.',
  ...applicationFindings,
} as const satisfies Record<string, string>;
type FindingCode = keyof typeof multiClusterServiceFindings;

export function applyMultiClusterService(parts: FleetParts): OperationDefinition<typeof applyInput> {
  return {
    type: 'fleet.multiClusterService.apply',
    title: 'Serve an exported service on one address',
    description:
      'Gives a member of the fleet one address behind which the pods of an exported service of all members stand.',
    permission: 'fleets/services/write',
    input: applyInput,
    references: { cluster: CLUSTERS },
    timeoutSeconds: 1800,
    findings: multiClusterServiceFindings,
    target({ namespace, name }, references) {
      const { uid } = referencedCluster(references, 'cluster', CLUSTERS);
      const id = KubernetesId.of({ clusterUid: uid, ...MULTI_CLUSTER_SERVICE, namespace, name });
      return { id: id.toString(), kind: multiClusterServiceKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightApply(parts, context),
    plan: (context) => tryObject(wantedOf(parts, context), context),
    steps: [
      {
        name: 'apply',
        description: 'Gives the multi-cluster service to the member.',
        async run(context) {
          await applyObject(wantedOf(parts, context), context);
          return { outcome: 'done', message: `The cluster has the multi-cluster service ${context.input.name}.` };
        },
      },
      {
        name: 'wait-for-import',
        description: 'Waits until Fleet has found the exported service.',
        run: (context) => runWait(parts, context, judgeImport),
      },
      {
        name: 'wait-for-address',
        description: 'Waits until the load balancer has an address.',
        run: (context) => runWait(parts, context, judgeAddress),
      },
    ],
    verify: (context) => verifyApply(parts, context),
  };
}

function clusterOf(parts: FleetParts, context: Pick<OperationContext<unknown>, 'references'>): ClusterClient {
  return parts.kube.cluster(referencedCluster(context.references, 'cluster', CLUSTERS));
}

function wantedOf(parts: FleetParts, context: OperationContext<ApplyInput>): WantedObject {
  return wantedMultiClusterService(clusterOf(parts, context), context.input);
}

export interface MultiClusterServiceRequest {
  namespace: string;
  name: string;
  serviceImport?: string | undefined;
  internal: boolean;
}

export function wantedMultiClusterService(
  cluster: ClusterClient,
  { namespace, name, serviceImport, internal }: MultiClusterServiceRequest,
): WantedObject {
  return {
    cluster,
    type: MULTI_CLUSTER_SERVICE,
    namespace,
    name,
    ...(internal ? { annotations: { [INTERNAL_LOAD_BALANCER_ANNOTATION]: 'true' } } : {}),
    spec: { serviceImport: { name: serviceImport ?? name } },
    force: true,
  };
}

async function preflightApply(parts: FleetParts, context: OperationContext<ApplyInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(multiClusterServiceFindings, findings);
  const cluster = await judgeImporter(parts, input, context, say);
  if (cluster === undefined) return findings;
  const { client, fleet, importer } = cluster;
  if ((await readObject(client, { group: '', kind: 'Namespace' }, undefined, input.namespace, context)) === undefined) {
    const remedy = 'Place the namespace on the member (fleet.placement.apply), or create it.';
    say('NAMESPACE_NOT_FOUND', 'error', { namespace: input.namespace }, remedy);
  }
  judgeNames(input, say);
  const exporters = await judgeExports(parts, fleet, input, context, say);
  await judgeImports(parts, fleet, input, client, context, say);
  await judgeNetworks(parts, importer, exporters, context, say);
  const existing = await readObject(client, MULTI_CLUSTER_SERVICE, input.namespace, input.name, context);
  if (existing !== undefined) say('MULTI_CLUSTER_SERVICE_EXISTS', 'info', { name: input.name });
  if (findings.every((finding) => finding.severity !== 'error')) {
    await judgeApplication(wantedMultiClusterService(client, input), context, say);
  }
  return findings;
}

/** Namespace and name as far as they make the name of the service that Fleet derives. */
export function judgeNames(
  { namespace, name }: { namespace: string; name: string },
  say: FindingReporter<'DERIVED_NAME_TOO_LONG'>,
): void {
  const derived = derivedServiceName(namespace, name);
  if (derived.length <= LONGEST_SERVICE_NAME) return;
  const evidence = { derivedServiceName: derived, length: derived.length, limit: LONGEST_SERVICE_NAME };
  say('DERIVED_NAME_TOO_LONG', 'error', evidence, 'Use a shorter name or namespace.');
}

interface Importer {
  client: ClusterClient;
  fleet: FleetOfCluster;
  importer: FleetMemberCluster;
}

/** The cluster that gets the address, in its fleet; undefined where something is in the way and said. */
async function judgeImporter(
  parts: FleetParts,
  { namespace, name }: ApplyInput,
  context: OperationContext<ApplyInput>,
  say: FindingReporter<FindingCode>,
): Promise<Importer | undefined> {
  const reference = referencedCluster(context.references, 'cluster', CLUSTERS);
  const id = ArmId.parse(reference.id);
  if ((await parts.client.getCluster(id, context)).state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return undefined;
  }
  const fleet = await fleetOfCluster(parts.client, id, context);
  const importer = fleet?.members.find((member) => member.cluster.equals(id));
  if (fleet === undefined || importer === undefined) {
    say('CLUSTER_NOT_MEMBER', 'error', { cluster: id.toString() }, 'Let it join the fleet first (fleet.member.join).');
    return undefined;
  }
  const client = parts.kube.cluster(reference);
  const question = { group: MULTI_CLUSTER_SERVICE.group, resource: 'multiclusterservices', namespace, name };
  const permission = await askPermission(
    client,
    [
      { verb: 'create', ...question },
      { verb: 'patch', ...question },
    ],
    context,
  );
  switch (permission.verdict) {
    case 'denied':
      say(
        'CLUSTER_ACCESS_DENIED',
        'error',
        permission.evidence,
        'Give it a role on the cluster, such as Azure Kubernetes Service RBAC Writer.',
      );
      return undefined;
    case 'unreachable':
      say('CLUSTER_UNREACHABLE', 'error', permission.evidence);
      return undefined;
    case 'granted':
      break;
  }
  if ((await client.findResource(MULTI_CLUSTER_SERVICE, context)) === undefined) {
    say(
      'MULTI_CLUSTER_SERVICES_NOT_SERVED',
      'error',
      MULTI_CLUSTER_SERVICE,
      'Use a fleet with a hub, and wait until the member has joined.',
    );
    return undefined;
  }
  return { client, fleet, importer };
}

/** The member itself, not the fleet's hub. */
export function memberClient(parts: FleetParts, member: FleetMemberCluster): ClusterClient {
  return parts.kube.cluster({ uid: member.clusterUid, id: member.cluster.toString(), kind: 'ManagedCluster' });
}

/** What the members have under a name; those that cannot be asked are listed apart. */
async function askMembers(
  parts: FleetParts,
  members: readonly FleetMemberCluster[],
  ask: (client: ClusterClient) => Promise<KubernetesObject[]>,
): Promise<{ found: { member: FleetMemberCluster; objects: KubernetesObject[] }[]; unknown: string[] }> {
  const found: { member: FleetMemberCluster; objects: KubernetesObject[] }[] = [];
  const unknown = members.slice(MOST_MEMBERS_ASKED).map((member) => member.name);
  for (const member of members.slice(0, MOST_MEMBERS_ASKED)) {
    try {
      found.push({ member, objects: await ask(memberClient(parts, member)) });
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      unknown.push(member.name);
    }
  }
  return { found, unknown };
}

async function judgeExports(
  parts: FleetParts,
  fleet: FleetOfCluster,
  input: ApplyInput,
  context: OperationContext<ApplyInput>,
  say: FindingReporter<FindingCode>,
): Promise<FleetMemberCluster[]> {
  const { namespace } = input;
  const service = input.serviceImport ?? input.name;
  const read = async (client: ClusterClient): Promise<KubernetesObject[]> => {
    const object = await readObject(client, SERVICE_EXPORT, namespace, service, context);
    return object === undefined ? [] : [object];
  };
  const { found, unknown } = await askMembers(parts, fleet.members, read);
  const exporters = found.filter(({ objects }) => objects.length > 0);
  for (const { member, objects } of exporters) {
    const { valid, validReason, conflict, conflictReason } = describeServiceExport(objects[0] ?? {});
    if (valid === false) say('EXPORT_NOT_VALID', 'warning', { member: member.name, reason: validReason });
    else if (conflict === true) say('EXPORT_NOT_VALID', 'warning', { member: member.name, reason: conflictReason });
  }
  if (unknown.length > 0) say('EXPORTERS_UNKNOWN', 'warning', { members: unknown.slice(0, 100) });
  if (exporters.length === 0 && unknown.length === 0) {
    const elsewhere = await exportersElsewhere(parts, fleet, read, context);
    const evidence: JsonObject = { service: `${namespace}/${service}`, members: fleet.members.map(({ name }) => name) };
    if (elsewhere.length > 0) {
      const remedy = 'Let all the clusters join one fleet.';
      say('EXPORTED_IN_OTHER_FLEET', 'error', { ...evidence, elsewhere }, remedy);
    } else {
      say('SERVICE_NOT_EXPORTED', 'error', evidence, 'Export it on a member first (fleet.service.export).');
    }
  }
  return exporters.map(({ member }) => member);
}

/** Members of other fleets of the subscription that export the service: people take two fleets for one. */
async function exportersElsewhere(
  parts: FleetParts,
  own: FleetOfCluster,
  read: (client: ClusterClient) => Promise<KubernetesObject[]>,
  context: OperationContext<unknown>,
): Promise<string[]> {
  const others: FleetMemberCluster[] = [];
  for await (const page of parts.client.listFleets(own.fleet.subscriptionId ?? '', context)) {
    for (const fleet of page.items.map(armIdOf)) {
      if (!fleet.equals(own.fleet)) others.push(...(await membersOfFleet(parts.client, fleet, context)));
    }
  }
  const { found } = await askMembers(parts, others, read);
  return found.filter(({ objects }) => objects.length > 0).map(({ member }) => member.cluster.toString());
}

/** Whether another multi-cluster service of the fleet serves the exported service. */
export async function judgeImports(
  parts: FleetParts,
  fleet: Pick<FleetOfCluster, 'members'>,
  input: Omit<MultiClusterServiceRequest, 'internal'>,
  own: Pick<ClusterClient, 'clusterUid'>,
  context: OperationContext<unknown>,
  say: FindingReporter<'IMPORTED_ALREADY'>,
): Promise<void> {
  const service = input.serviceImport ?? input.name;
  const { found } = await askMembers(parts, fleet.members, (client) =>
    listObjects(client, MULTI_CLUSTER_SERVICE, input.namespace, context),
  );
  for (const { member, objects } of found) {
    for (const object of objects) {
      const isThisOne = member.clusterUid === own.clusterUid && object.metadata.name === input.name;
      if (isThisOne || describeMultiClusterService(object).serviceImportName !== service) continue;
      const evidence = { member: member.name, multiClusterService: object.metadata.name, serviceImport: service };
      say('IMPORTED_ALREADY', 'error', evidence, 'Use that one, or delete it first.');
    }
  }
}

/** Whether the member that gets the address can reach the pods of those that export. */
export async function judgeNetworks(
  parts: FleetParts,
  importer: FleetMemberCluster,
  exporters: readonly FleetMemberCluster[],
  context: OperationContext<unknown>,
  say: FindingReporter<'NETWORKS_UNKNOWN' | 'POD_NETWORK_NOT_ROUTABLE' | 'NETWORKS_NOT_PEERED'>,
): Promise<void> {
  const concerned = [importer, ...exporters.filter((member) => member.clusterUid !== importer.clusterUid)];
  const networks: MemberNetwork[] = [];
  for (const member of concerned) {
    const network = await readMemberNetwork(parts.client, member, context);
    if (network === undefined) {
      say('NETWORKS_UNKNOWN', 'warning', { members: [member.name] });
      continue;
    }
    networks.push(network);
    if (hasRoutablePods(network)) continue;
    const { networkPlugin, networkPluginMode } = network;
    const remedy = 'Use clusters with Azure CNI whose pods have addresses of the subnet.';
    say('POD_NETWORK_NOT_ROUTABLE', 'error', { member: member.name, networkPlugin, networkPluginMode }, remedy);
  }
  const [own, ...others] = networks;
  if (own?.member !== importer.name) return;
  for (const other of others) {
    const verdict = await judgeConnection(parts.client, own, other, context);
    switch (verdict.connection) {
      case 'connected':
        break;
      case 'unknown':
        say('NETWORKS_UNKNOWN', 'warning', verdict.evidence);
        break;
      case 'missing':
        say('NETWORKS_NOT_PEERED', 'error', verdict.evidence, 'Peer the two networks, in both directions.');
        break;
    }
  }
}

/** Whether the exported service was found. */
export function judgeImport(object: KubernetesObject): ProgressVerdict {
  const { name } = object.metadata;
  const { valid, validReason } = describeMultiClusterService(object);
  if (valid === true) return { progress: 'reached', message: `The service of ${name} was found in the fleet.` };
  const reason = validReason ?? 'it is being looked for';
  if (valid === null) return { progress: 'moving', message: `The service of ${name} is not imported yet (${reason}).` };
  const error = new ControlError('VERIFICATION_FAILED', `The service of ${name} cannot be served (${reason}).`);
  return { progress: 'failing', error, output: { multiClusterService: name, validReason } };
}

export function judgeAddress(object: KubernetesObject): ProgressVerdict {
  const { name } = object.metadata;
  const { externalAddresses } = describeMultiClusterService(object);
  return externalAddresses.length === 0
    ? { progress: 'moving', message: `${name} has no address yet.` }
    : {
        progress: 'reached',
        message: `${name} is at ${externalAddresses.join(', ')}.`,
        output: { addresses: externalAddresses },
      };
}

async function runWait(
  parts: FleetParts,
  context: StepContext<ApplyInput>,
  judge: (object: KubernetesObject) => ProgressVerdict,
): Promise<StepOutcome> {
  const { namespace, name } = context.input;
  const object = await readObject(clusterOf(parts, context), MULTI_CLUSTER_SERVICE, namespace, name, context);
  if (object === undefined) {
    throw new ControlError('KUBERNETES_NOT_FOUND', `The multi-cluster service ${name} is not there any more.`);
  }
  return waitFor(judge(object), context, parts.clock, parts.client.arm.pollIntervalSeconds);
}

async function verifyApply(parts: FleetParts, context: OperationContext<ApplyInput>): Promise<Verification> {
  const { namespace, name, serviceImport } = context.input;
  const client = clusterOf(parts, context);
  const observedAt = parts.clock.now();
  const object = await readObject(client, MULTI_CLUSTER_SERVICE, namespace, name, context);
  if (object === undefined) return { verdict: 'missed', message: `The multi-cluster service ${name} is not there.` };
  const described = describeMultiClusterService(object);
  const wanted = serviceImport ?? name;
  if (described.serviceImportName !== wanted) {
    return { verdict: 'missed', message: `${name} serves ${described.serviceImportName ?? 'nothing'}, not ${wanted}.` };
  }
  for (const judged of [judgeImport(object), judgeAddress(object)]) {
    if (judged.progress === 'failing') return { verdict: 'missed', message: judged.error.message };
    if (judged.progress === 'reached') continue;
    return { verdict: 'pending', message: judged.message, retryAfterSeconds: parts.client.arm.pollIntervalSeconds };
  }
  const cluster = await parts.clusters.find(client.clusterUid);
  const fleet = await fleetOfCluster(
    parts.client,
    ArmId.parse(referencedCluster(context.references, 'cluster', CLUSTERS).id),
    context,
  );
  return {
    verdict: 'reached',
    result: {
      multiClusterService: context.target.id,
      uid: context.target.uid,
      addresses: described.externalAddresses,
      derivedService: described.derivedServiceName ?? derivedServiceName(namespace, name),
    },
    observations:
      cluster === undefined
        ? []
        : [observeMultiClusterService(object, { cluster, observedAt, source: 'OPERATION' }, fleet)],
    absent: [],
  };
}
