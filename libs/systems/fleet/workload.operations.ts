import { z } from 'zod';
import { assertNever } from '#libs/kernel/assert-never.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { applyManifest, isApplied, type DocumentReport } from '#libs/kube/manifest/manifest.application.js';
import { checkManifest, type CheckedDocument } from '#libs/kube/manifest/manifest.check.js';
import { LARGEST_MANIFEST } from '#libs/kube/manifest/manifest.parser.js';
import { documentPath, MANIFEST_PROBLEMS, type ManifestProblem } from '#libs/kube/manifest/manifest-problem.js';
import { errorCodeOf } from '#libs/kube/manifest/manifest.refusal.js';
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
import { CLUSTER_RESOURCE_PLACEMENT } from './cluster-resource-placement.kind.js';
import { fleetKind } from './fleet.kinds.js';
import type { FleetParts } from './fleet-parts.js';
import { membersOfFleet, type FleetMemberCluster } from './fleet-membership.js';
import { fleetOf, hubFindings, hubOf, judgeHub } from './hub.preflight.js';
import { dnsLabel, dnsSubdomain } from './kubernetes-name.js';
import { MEMBER_CLUSTER } from './member-cluster.kind.js';
import {
  MULTI_CLUSTER_SERVICE,
  derivedServiceName,
  describeMultiClusterService,
} from './multi-cluster-service.kind.js';
import {
  judgeAddress,
  judgeImport,
  judgeImports,
  judgeNames,
  judgeNetworks,
  memberClient,
  multiClusterServiceFindings,
  wantedMultiClusterService,
} from './multi-cluster-service.operations.js';
import { applicationFindings, applyObject, listObjects, readObject, tryObject } from './object-application.js';
import { waitFor, type ProgressVerdict } from './patience.js';
import { placementObservations, placementTarget, wantedPlacement } from './placement.operations.js';
import {
  candidateMember,
  checkPlacement,
  forecast,
  placementPolicy,
  placementStrategy,
  type WantedPlacement,
} from './placement.policy.js';
import { judgePlacementRequest, placementFindings } from './placement.preflight.js';
import { judgePlacement, placementMembers } from './placement.progress.js';
import { SERVICE_EXPORT } from './service-export.kind.js';
import { unexportable, wantedExport } from './service-export.operations.js';
import {
  clusterWideSelectors,
  exportsOf,
  podCounts,
  readWorkload,
  servicesOf,
  workloadsOf,
  type WorkloadManifest,
} from './workload.manifest.js';

const NAMESPACE = { group: '', kind: 'Namespace' };
const DEFAULT_WAIT_SECONDS = 1200;
/** A new kind is served within seconds of its definition. */
const MOST_MANIFEST_WAITS = 60;

const deployInput = z.strictObject({
  fleet: resourceReference('The fleet to deploy to'),
  namespace: dnsLabel.describe('The namespace that everything goes into; it is made where it is not there.'),
  name: dnsSubdomain.optional().describe('The name of the placement; that of the namespace where absent.'),
  manifest: z
    .string()
    .min(1)
    .max(LARGEST_MANIFEST)
    .describe(
      'What is to run: YAML of one or more documents, or JSON, at most 1 MiB. It is kept in the record of the operation, so Secrets with their values are refused.',
    ),
  policy: placementPolicy.optional().describe('Which members are chosen; every member where absent.'),
  strategy: placementStrategy.optional().describe('How it is brought to the members.'),
  exports: z.array(dnsLabel).max(50).optional().describe('The services that the members offer to each other.'),
  multiClusterService: z
    .strictObject({
      cluster: z
        .string()
        .trim()
        .min(1)
        .max(2048)
        .describe('The member that gets the address: its name in the fleet, or the uid or ARM id of the cluster.'),
      service: dnsLabel.describe('The exported service that is served.'),
      internal: z.boolean().default(false).describe('Whether the address is one of the virtual network only.'),
    })
    .meta({ id: 'WorkloadMultiClusterService', description: 'One address for a service of all members.' })
    .optional()
    .describe('One address for one of the exported services; none where absent.'),
  force: z.boolean().default(false).describe('Whether fields that another manager owns are taken over.'),
  waitSeconds: z
    .int()
    .min(1)
    .max(7200)
    .default(DEFAULT_WAIT_SECONDS)
    .describe('How long each of the things that take time is waited for. Seconds.'),
});
type DeployInput = z.output<typeof deployInput>;

const { IMPORTED_ALREADY, POD_NETWORK_NOT_ROUTABLE, NETWORKS_NOT_PEERED, NETWORKS_UNKNOWN, DERIVED_NAME_TOO_LONG } =
  multiClusterServiceFindings;
const deployFindings = {
  ...MANIFEST_PROBLEMS,
  ...hubFindings,
  ...placementFindings,
  ...applicationFindings,
  DOCUMENT_OUTSIDE_NAMESPACE:
    'The document belongs to another namespace: the placement would not bring it to any member.',
  DOCUMENT_OF_FLEET: 'The document is a part of Fleet itself; this operation makes the placement.',
  SERVICE_NOT_FOUND: 'The service to be exported is neither in the manifest nor on the hub.',
  SERVICE_HEADLESS: 'The service has no address of its own (clusterIP None): such a service cannot be exported.',
  SERVICE_EXTERNAL_NAME: 'The service is only a name for something outside (ExternalName): it cannot be exported.',
  SERVICE_NOT_EXPORTED: 'The service that is to be served is not exported.',
  IMPORTED_ALREADY,
  POD_NETWORK_NOT_ROUTABLE,
  NETWORKS_NOT_PEERED,
  NETWORKS_UNKNOWN,
  DERIVED_NAME_TOO_LONG,
} as const satisfies Record<string, string>;
type FindingCode = keyof typeof deployFindings;

export function deployWorkload(parts: FleetParts): OperationDefinition<typeof deployInput> {
  return {
    type: 'fleet.workload.deploy',
    title: 'Deploy to members of a fleet',
    description:
      'Brings a manifest to members of a fleet in one go: namespace, objects and exports on the hub, the placement, and one address for a service of all members.',
    permission: 'fleets/workloads/write',
    input: deployInput,
    references: { fleet: [fleetKind.name] },
    timeoutSeconds: 14_400,
    findings: deployFindings,
    target(input, references) {
      checkPlacement({ namespaces: [input.namespace], policy: input.policy });
      refuseSecrets(input);
      return placementTarget(references, placementName(input));
    },
    preflight: (context) => preflightDeploy(parts, context),
    plan: (context) => planDeploy(parts, context),
    steps: [
      {
        name: 'namespace',
        description: 'Makes the namespace on the hub, where it is not there.',
        run: (context) => runNamespace(parts, context),
      },
      {
        name: 'manifests',
        description: 'Applies the objects on the hub, which holds them for the members.',
        run: (context) => runManifests(parts, context),
      },
      {
        name: 'exports',
        description: 'Gives the hub the exports of the services.',
        run: (context) => runExports(parts, context),
      },
      {
        name: 'placement',
        description: 'Gives the hub the placement of the namespace.',
        run: (context) => runPlacement(parts, context),
      },
      {
        name: 'members',
        description: 'Waits until everything works on the chosen members.',
        run: (context) => runMembers(parts, context),
      },
      {
        name: 'multi-cluster-service',
        description: 'Gives the member that was chosen for it the multi-cluster service, and waits until it is served.',
        run: (context) => runMultiClusterService(parts, context),
      },
      {
        name: 'address',
        description: 'Waits until the multi-cluster service has an address.',
        run: (context) => runAddress(parts, context),
      },
    ],
    verify: (context) => verifyDeploy(parts, context),
  };
}

function placementName({ name, namespace }: DeployInput): string {
  return name ?? namespace;
}

/** Before anything is written down: the manifest would be kept with the operation. */
function refuseSecrets({ manifest, namespace }: DeployInput): void {
  const secrets = readWorkload(manifest, namespace).manifest.entries.flatMap((entry) =>
    entry.verdict === 'faulty' ? entry.problems.filter(({ code }) => code === 'SECRET_IN_MANIFEST') : [],
  );
  if (secrets.length === 0) return;
  const [first] = secrets;
  throw new ControlError('INVALID_REQUEST', MANIFEST_PROBLEMS.SECRET_IN_MANIFEST, {
    violations: secrets.map(({ path, message, code }) => ({ path: `manifest.${path}`, message, code })),
    ...(first?.remedy === undefined ? {} : { remedy: first.remedy }),
  });
}

async function wantedOf(
  parts: FleetParts,
  context: OperationContext<DeployInput>,
  workload: WorkloadManifest,
): Promise<WantedPlacement & { name: string; force: boolean }> {
  const { namespace, policy, strategy, force } = context.input;
  const resourceSelectors = await clusterWideSelectors(hubOf(parts, fleetOf(context)), workload, namespace, context);
  return { name: placementName(context.input), namespaces: [namespace], resourceSelectors, policy, strategy, force };
}

function manifestOptions({ namespace, force }: DeployInput) {
  return { namespace, force, fieldValidation: 'Strict', onInvalid: 'refuse' } as const;
}

async function preflightDeploy(parts: FleetParts, context: OperationContext<DeployInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(deployFindings, findings);
  const question = { group: CLUSTER_RESOURCE_PLACEMENT.group, resource: 'clusterresourceplacements' };
  const hub = await judgeHub(
    parts,
    fleetOf(context),
    ['create', 'patch'].map((verb) => ({ verb, ...question, name: placementName(input) })),
    context,
    say,
  );
  if (hub === undefined) return findings;
  const workload = readWorkload(input.manifest, input.namespace);
  await judgeManifest(hub, workload, context, say);
  await judgeServices(hub, workload, context, say);
  const request = {
    ...input,
    name: placementName(input),
    namespaces: [input.namespace],
    goal: 'available' as const,
    madeNamespaces: new Set([input.namespace]),
  };
  await judgePlacementRequest(parts, hub, request, context, say);
  if (input.multiClusterService !== undefined) {
    await judgeMultiClusterService(parts, hub, input.multiClusterService, context, say);
  }
  return findings;
}

async function judgeManifest(
  hub: ClusterClient,
  workload: WorkloadManifest,
  context: OperationContext<DeployInput>,
  say: FindingReporter<FindingCode>,
): Promise<void> {
  for (const problem of workload.manifest.problems) say(problem.code, 'error', evidenceOf(problem), problem.remedy);
  if (workload.manifest.problems.length > 0) return;
  for (const document of await checkManifest(hub, workload.complete, manifestOptions(context.input), context)) {
    if (document.state !== 'faulty') continue;
    for (const problem of document.problems) say(problem.code, 'error', evidenceOf(problem), problem.remedy);
  }
  for (const { index, kind, name, namespace } of workload.outside) {
    const evidence = { path: documentPath(index), kind, name, namespace };
    say('DOCUMENT_OUTSIDE_NAMESPACE', 'error', evidence, 'Deploy it by an operation of its own.');
  }
  for (const { index, kind, name } of workload.ofFleet) {
    const remedy = 'Leave it out, and give the policy in the input.';
    say('DOCUMENT_OF_FLEET', 'error', { path: documentPath(index), kind, name }, remedy);
  }
}

function evidenceOf({ path, message, line, evidence }: ManifestProblem): JsonObject {
  return { ...evidence, path, detail: message, line };
}

async function judgeServices(
  hub: ClusterClient,
  workload: WorkloadManifest,
  { input, ...context }: OperationContext<DeployInput>,
  say: FindingReporter<FindingCode>,
): Promise<void> {
  const { namespace, exports = [], multiClusterService } = input;
  const services = servicesOf(workload);
  for (const service of exports) {
    const object =
      services.get(service) ?? (await readObject(hub, { group: '', kind: 'Service' }, namespace, service, context));
    if (object === undefined) {
      say('SERVICE_NOT_FOUND', 'error', { namespace, service }, 'Add the service to the manifest.');
      continue;
    }
    const fault = unexportable(object);
    if (fault !== undefined) say(fault, 'error', { service }, 'Export a service of type ClusterIP or LoadBalancer.');
  }
  if (multiClusterService === undefined) return;
  const { service } = multiClusterService;
  if (exports.includes(service) || exportsOf(workload).has(service)) return;
  if ((await readObject(hub, SERVICE_EXPORT, namespace, service, context)) !== undefined) return;
  say('SERVICE_NOT_EXPORTED', 'error', { namespace, service }, 'Name the service among the exports.');
}

async function judgeMultiClusterService(
  parts: FleetParts,
  hub: ClusterClient,
  { cluster, service }: NonNullable<DeployInput['multiClusterService']>,
  context: OperationContext<DeployInput>,
  say: FindingReporter<FindingCode>,
): Promise<void> {
  const { namespace, policy } = context.input;
  const members = await membersOfFleet(parts.client, fleetOf(context), context);
  const importer = members.find((member) => isMember(member, cluster));
  if (importer === undefined) {
    const names = members.map((member) => member.name);
    say('MEMBER_UNKNOWN', 'error', { member: cluster, members: names.slice(0, 100) }, 'Name a member of the fleet.');
    return;
  }
  judgeNames({ namespace, name: service }, say);
  const candidates = await listObjects(hub, MEMBER_CLUSTER, undefined, context);
  const now = parts.clock.now();
  const { matching } = forecast(
    policy,
    candidates.map((object) => candidateMember(object, now)),
  );
  if (!matching.some(({ name }) => name === importer.name)) {
    const remedy = 'Choose one of the members that the policy chooses, or widen the policy.';
    say('MEMBER_NOT_ELIGIBLE', 'error', { member: importer.name, chosen: matching.map(({ name }) => name) }, remedy);
  }
  const chosen = members.filter((member) => matching.some(({ name }) => name === member.name));
  await judgeNetworks(parts, importer, chosen, context, say);
  const request = { namespace, name: service };
  await judgeImports(parts, { members }, request, memberClient(parts, importer), context, say);
}

/** By its name in the fleet, or by the uid or ARM id of the cluster. */
function isMember({ name, clusterUid, cluster }: FleetMemberCluster, given: string): boolean {
  return name === given || clusterUid === given.toLowerCase() || cluster.canonical === given.toLowerCase();
}

async function planDeploy(parts: FleetParts, context: OperationContext<DeployInput>): Promise<Json> {
  const { input } = context;
  const { namespace, exports = [], multiClusterService } = input;
  const hub = hubOf(parts, fleetOf(context));
  const workload = readWorkload(input.manifest, namespace);
  const isThere = (await readObject(hub, NAMESPACE, undefined, namespace, context)) !== undefined;
  const documents = await checkManifest(hub, workload.complete, manifestOptions(input), context);
  const planned = documents.filter(({ entry }) => entry.kind !== 'Namespace' || entry.name !== namespace);
  const importer = await importerOf(parts, context);
  return {
    namespace: { name: namespace, action: isThere ? 'none' : 'create' },
    documents: planned.map(plannedDocument),
    exports: await Promise.all(
      exports.map((service) => plannedObject(wantedExport(hub, namespace, service), isThere, context)),
    ),
    placement: await tryObject(wantedPlacement(parts, context, await wantedOf(parts, context, workload)), context),
    multiClusterService:
      multiClusterService === undefined || importer === undefined
        ? null
        : await plannedService(parts, importer, multiClusterService, context),
  };
}

/** What an object would become; in a namespace that is not there yet it can only be made. */
async function plannedObject(
  wanted: Parameters<typeof tryObject>[0],
  namespaceExists: boolean,
  context: OperationContext<DeployInput>,
): Promise<Json> {
  if (namespaceExists) return tryObject(wanted, context);
  return { kind: wanted.type.kind, namespace: wanted.namespace ?? null, name: wanted.name, action: 'create' };
}

async function plannedService(
  parts: FleetParts,
  importer: FleetMemberCluster,
  { service, internal }: NonNullable<DeployInput['multiClusterService']>,
  context: OperationContext<DeployInput>,
): Promise<Json> {
  const { namespace } = context.input;
  const client = memberClient(parts, importer);
  const isThere = (await readObject(client, NAMESPACE, undefined, namespace, context)) !== undefined;
  const wanted = wantedMultiClusterService(client, { namespace, name: service, internal });
  return { member: importer.name, object: await plannedObject(wanted, isThere, context) };
}

function plannedDocument(document: CheckedDocument): Json {
  const { index, kind, name } = document.entry;
  const identity = { path: documentPath(index), kind, name };
  switch (document.state) {
    case 'faulty':
      return { ...identity, action: 'refused', code: document.problems[0]?.code ?? null };
    case 'later':
      return { ...identity, action: 'later', reason: document.reason };
    case 'ready': {
      const action = document.live === undefined ? 'create' : document.difference.length === 0 ? 'none' : 'change';
      const difference = document.difference.map(({ path, before, after }) => ({ path, before, after }));
      return { ...identity, action, difference };
    }
    default:
      return assertNever(document);
  }
}

async function runNamespace(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const { namespace } = context.input;
  const hub = hubOf(parts, fleetOf(context));
  const existing = await readObject(hub, NAMESPACE, undefined, namespace, context);
  if (existing?.metadata.deletionTimestamp !== undefined) {
    const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
    return { outcome: 'blocked', message: `The namespace ${namespace} is being deleted.`, retryAfterSeconds };
  }
  if (existing !== undefined) return { outcome: 'done', message: `The hub has the namespace ${namespace}.` };
  await applyObject({ cluster: hub, type: NAMESPACE, namespace: undefined, name: namespace, force: false }, context);
  return { outcome: 'done', message: `The namespace ${namespace} was made on the hub.` };
}

/** Its resume token holds what was applied so far, and how often it had to wait. */
async function runManifests(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const { input } = context;
  const { manifest } = readWorkload(input.manifest, input.namespace);
  const before = progressOf(context.resumeToken);
  const hub = hubOf(parts, fleetOf(context));
  const turn = await applyManifest(hub, manifest, manifestOptions(input), before.documents, context);
  const output = { documents: turn.reports.map(shortReport) };
  switch (turn.turn) {
    case 'broken':
      return { outcome: 'failed', error: turn.error, output };
    case 'waiting': {
      const waits = before.waits + 1;
      if (waits > MOST_MANIFEST_WAITS) {
        return {
          outcome: 'failed',
          error: turn.problem ?? new ControlError('KUBERNETES_TIMEOUT', turn.message),
          output,
        };
      }
      const resumeToken = new Secret(JSON.stringify({ documents: turn.reports, waits }));
      return { outcome: 'wait', message: turn.message, retryAfterSeconds: turn.retryAfterSeconds, resumeToken };
    }
    case 'finished': {
      const refused = turn.reports.find((report) => !isApplied(report.outcome));
      if (refused === undefined) {
        return { outcome: 'done', message: `The hub has ${turn.reports.length} objects of the manifest.`, output };
      }
      const error = new ControlError(errorCodeOf(refused.code), refused.message ?? 'The hub did not take a document.', {
        violations: [{ path: documentPath(refused.index), message: refused.message ?? 'The hub did not take it.' }],
        ...(refused.code === null ? {} : { externalCode: refused.code }),
      });
      return { outcome: 'failed', error, output };
    }
    default:
      return assertNever(turn);
  }
}

function shortReport({ kind, namespace, name, outcome, code, message }: DocumentReport): JsonObject {
  return { kind, namespace, name, outcome, code, message };
}

function progressOf(token: Secret | undefined): { documents: DocumentReport[]; waits: number } {
  // Only we write it, and it is sealed while it is kept.
  return token === undefined
    ? { documents: [], waits: 0 }
    : (JSON.parse(token.reveal()) as { documents: DocumentReport[]; waits: number });
}

async function runExports(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const { namespace, exports = [] } = context.input;
  if (exports.length === 0) return { outcome: 'done', message: 'No service is to be exported.' };
  const hub = hubOf(parts, fleetOf(context));
  for (const service of exports) await applyObject(wantedExport(hub, namespace, service), context);
  return { outcome: 'done', message: `The hub holds the exports of ${exports.join(', ')}.`, output: { exports } };
}

async function runPlacement(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const workload = readWorkload(context.input.manifest, context.input.namespace);
  const wanted = await wantedOf(parts, context, workload);
  const object = await applyObject(wantedPlacement(parts, context, wanted), context);
  return {
    outcome: 'done',
    message: `The hub has the placement ${wanted.name}.`,
    output: { placement: context.target.id, generation: object.metadata.generation ?? null },
  };
}

async function runMembers(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const name = placementName(context.input);
  const hub = hubOf(parts, fleetOf(context));
  const object = await readObject(hub, CLUSTER_RESOURCE_PLACEMENT, undefined, name, context);
  if (object === undefined) {
    throw new ControlError('KUBERNETES_NOT_FOUND', `The placement ${name} is not on the hub any more.`);
  }
  return ended(parts, context, judgePlacement(object, 'available'));
}

function ended(parts: FleetParts, context: StepContext<DeployInput>, verdict: ProgressVerdict): StepOutcome {
  return waitFor(verdict, context, parts.clock, parts.client.arm.pollIntervalSeconds, context.input.waitSeconds);
}

/** The member that gets the address; undefined where none is wanted. @throws ControlError where it is not in the fleet. */
async function importerOf(
  parts: FleetParts,
  context: OperationContext<DeployInput>,
): Promise<FleetMemberCluster | undefined> {
  const { multiClusterService } = context.input;
  if (multiClusterService === undefined) return undefined;
  const members = await membersOfFleet(parts.client, fleetOf(context), context);
  const importer = members.find((member) => isMember(member, multiClusterService.cluster));
  if (importer !== undefined) return importer;
  throw new ControlError('RESOURCE_NOT_FOUND', `The fleet has no member ${multiClusterService.cluster}.`, {
    remedy: `Its members are: ${members.map(({ name }) => name).join(', ') || 'none'}.`,
  });
}

async function runMultiClusterService(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const { namespace, multiClusterService } = context.input;
  const importer = await importerOf(parts, context);
  if (importer === undefined || multiClusterService === undefined) {
    return { outcome: 'done', message: 'No multi-cluster service is wanted.' };
  }
  const { service, internal } = multiClusterService;
  const client = memberClient(parts, importer);
  const present = await readObject(client, MULTI_CLUSTER_SERVICE, namespace, service, context);
  const described = present === undefined ? undefined : describeMultiClusterService(present);
  const isWanted = described?.serviceImportName === service && described.internal === internal;
  const object =
    present !== undefined && isWanted
      ? present
      : await applyObject(wantedMultiClusterService(client, { namespace, name: service, internal }), context);
  return ended(parts, context, judgeImport(object));
}

async function runAddress(parts: FleetParts, context: StepContext<DeployInput>): Promise<StepOutcome> {
  const { multiClusterService } = context.input;
  if (multiClusterService === undefined) return { outcome: 'done', message: 'No multi-cluster service is wanted.' };
  const object = await readService(parts, context);
  if (object === undefined) {
    throw new ControlError('KUBERNETES_NOT_FOUND', `The multi-cluster service ${multiClusterService.service} is gone.`);
  }
  return ended(parts, context, judgeAddress(object));
}

async function readService(parts: FleetParts, context: OperationContext<DeployInput>) {
  const { namespace, multiClusterService } = context.input;
  const importer = await importerOf(parts, context);
  if (importer === undefined || multiClusterService === undefined) return undefined;
  const client = memberClient(parts, importer);
  return readObject(client, MULTI_CLUSTER_SERVICE, namespace, multiClusterService.service, context);
}

async function verifyDeploy(parts: FleetParts, context: OperationContext<DeployInput>): Promise<Verification> {
  const { namespace, multiClusterService } = context.input;
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  const observedAt = parts.clock.now();
  const hub = hubOf(parts, fleetOf(context));
  const name = placementName(context.input);
  const object = await readObject(hub, CLUSTER_RESOURCE_PLACEMENT, undefined, name, context);
  if (object === undefined) return { verdict: 'missed', message: `The placement ${name} is not on the hub.` };
  const service = await readService(parts, context);
  if (multiClusterService !== undefined && service === undefined) {
    return { verdict: 'missed', message: `The multi-cluster service ${multiClusterService.service} is not there.` };
  }
  const verdicts = [
    judgePlacement(object, 'available'),
    ...(service === undefined ? [] : [judgeImport(service), judgeAddress(service)]),
  ];
  for (const verdict of verdicts) {
    if (verdict.progress === 'failing') return { verdict: 'missed', message: verdict.error.message };
    if (verdict.progress === 'moving') return { verdict: 'pending', message: verdict.message, retryAfterSeconds };
  }
  const described = service === undefined ? undefined : describeMultiClusterService(service);
  return {
    verdict: 'reached',
    result: {
      namespace,
      placement: context.target.id,
      uid: context.target.uid,
      members: await memberResults(parts, context, placementMembers(object)),
      multiClusterService:
        multiClusterService === undefined || described === undefined
          ? null
          : {
              cluster: (await importerOf(parts, context))?.cluster.toString() ?? null,
              name: multiClusterService.service,
              addresses: described.externalAddresses,
              derivedService:
                described.derivedServiceName ?? derivedServiceName(namespace, multiClusterService.service),
            },
    },
    observations: await placementObservations(parts, hub, object, observedAt),
    absent: [],
  };
}

/** What runs where. A member whose API server does not let us look is shown with why. */
async function memberResults(
  parts: FleetParts,
  context: OperationContext<DeployInput>,
  states: readonly Json[],
): Promise<Json[]> {
  const { manifest, namespace } = context.input;
  const wanted = workloadsOf(readWorkload(manifest, namespace));
  const members = await membersOfFleet(parts.client, fleetOf(context), context);
  const results: Json[] = [];
  for (const state of states as JsonObject[]) {
    const member = members.find((candidate) => candidate.name === state.member);
    const cluster = member?.cluster.toString() ?? null;
    results.push({ ...state, cluster, ...(await workloadsOn(parts, member, wanted, context)) });
  }
  return results;
}

async function workloadsOn(
  parts: FleetParts,
  member: FleetMemberCluster | undefined,
  wanted: readonly { kind: string; name: string }[],
  context: OperationContext<DeployInput>,
): Promise<JsonObject> {
  if (member === undefined) return { workloads: null, problem: 'The member is not in the fleet any more.' };
  try {
    const client = memberClient(parts, member);
    const workloads: Json[] = [];
    for (const { kind, name } of wanted) {
      const object = await readObject(client, { group: 'apps', kind }, context.input.namespace, name, context);
      workloads.push({ kind, name, ...(object === undefined ? { ready: 0, wanted: 0 } : podCounts(object)) });
    }
    return { workloads, problem: null };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return { workloads: null, problem: error.message };
  }
}
