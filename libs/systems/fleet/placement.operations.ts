import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import type { Observation } from '../contract/observation.js';
import { rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { referencedCluster, referencedObject } from './cluster-reference.js';
import { askPermission } from './cluster-permission.js';
import {
  CLUSTER_RESOURCE_PLACEMENT,
  clusterResourcePlacementKind,
  describePlacement,
  observeClusterResourcePlacement,
} from './cluster-resource-placement.kind.js';
import { fleetKind } from './fleet.kinds.js';
import type { FleetParts } from './fleet-parts.js';
import { fleetOf, hubFindings, hubOf, judgeHub } from './hub.preflight.js';
import { dnsLabel, dnsSubdomain } from './kubernetes-name.js';
import { MEMBER_CLUSTER } from './member-cluster.kind.js';
import {
  applicationFindings,
  applyObject,
  judgeApplication,
  listObjects,
  readObject,
  servedResource,
  tryObject,
  type WantedObject,
} from './object-application.js';
import { waitFor } from './patience.js';
import {
  candidateMember,
  checkPlacement,
  placementPolicy,
  placementSpec,
  placementStrategy,
  resourceSelector,
  type WantedPlacement,
} from './placement.policy.js';
import { judgePlacementRequest, placementFindings } from './placement.preflight.js';
import { PLACEMENT_GOALS, judgePlacement, placementMembers, type PlacementGoal } from './placement.progress.js';

const PLACEMENTS = { group: CLUSTER_RESOURCE_PLACEMENT.group, resource: 'clusterresourceplacements' };

const applyInput = z.strictObject({
  fleet: resourceReference('The fleet through whose hub is placed'),
  name: dnsSubdomain.describe('The name of the placement.'),
  namespaces: z
    .array(dnsLabel)
    .max(100)
    .optional()
    .describe('The namespaces of the hub that are placed, each with everything in it.'),
  resourceSelectors: z
    .array(resourceSelector)
    .max(100)
    .optional()
    .describe('What else is placed: objects that belong to no namespace, such as definitions and cluster roles.'),
  policy: placementPolicy.optional().describe('Which members are chosen; every member where absent.'),
  strategy: placementStrategy.optional().describe('How it is brought to the members.'),
  force: z.boolean().default(false).describe('Whether fields that another manager owns are taken over.'),
  waitFor: z
    .enum(PLACEMENT_GOALS)
    .default('available')
    .describe('How far it is waited for: the hub has it, it is applied to the members, or it works there.'),
});
type ApplyInput = z.output<typeof applyInput>;

const applyFindings = { ...hubFindings, ...placementFindings, ...applicationFindings } as const;

export function applyPlacement(parts: FleetParts): OperationDefinition<typeof applyInput> {
  return {
    type: 'fleet.placement.apply',
    title: 'Place resources on members of a fleet',
    description:
      'Creates or changes a ClusterResourcePlacement on the hub, and waits until the chosen members have what it places.',
    permission: 'fleets/placements/write',
    input: applyInput,
    references: { fleet: [fleetKind.name] },
    timeoutSeconds: 3600,
    findings: applyFindings,
    target(input, references) {
      checkPlacement(input);
      return placementTarget(references, input.name);
    },
    preflight: (context) => preflightApply(parts, context),
    plan: (context) => tryObject(wantedPlacement(parts, context, context.input), context),
    steps: [
      {
        name: 'apply',
        description: 'Gives the placement to the hub.',
        run: async (context) => {
          const object = await applyObject(wantedPlacement(parts, context, context.input), context);
          const generation = object.metadata.generation ?? null;
          return {
            outcome: 'done',
            message: `The hub has the placement ${context.input.name}.`,
            output: { placement: context.target.id, generation },
          };
        },
      },
      {
        name: 'wait-for-members',
        description: 'Waits until the members have what is placed, as far as was asked for.',
        run: (context) => awaitPlacement(parts, context, context.input.name, context.input.waitFor),
      },
    ],
    verify: (context) => verifyApply(parts, context),
  };
}

/** Where a placement of the referenced fleet is. @throws ControlError INVALID_REQUEST */
export function placementTarget(references: Readonly<Record<string, ResourceTarget>>, name: string) {
  const { uid } = referencedCluster(references, 'fleet', [fleetKind.name]);
  const id = KubernetesId.of({ clusterUid: uid, ...CLUSTER_RESOURCE_PLACEMENT, namespace: undefined, name });
  return { id: id.toString(), kind: clusterResourcePlacementKind.name, lock: id.canonical };
}

/** The placement as it is to be on the hub of the referenced fleet. */
export function wantedPlacement(
  parts: FleetParts,
  context: Pick<OperationContext<unknown>, 'references'>,
  wanted: WantedPlacement & { name: string; force: boolean },
): WantedObject {
  return {
    cluster: hubOf(parts, fleetOf(context)),
    type: CLUSTER_RESOURCE_PLACEMENT,
    namespace: undefined,
    name: wanted.name,
    spec: placementSpec(wanted),
    force: wanted.force,
  };
}

async function preflightApply(parts: FleetParts, context: OperationContext<ApplyInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(applyFindings, findings);
  const questions = ['create', 'patch'].map((verb) => ({ verb, ...PLACEMENTS, name: input.name }));
  const hub = await judgeHub(parts, fleetOf(context), questions, context, say);
  if (hub === undefined) return findings;
  await judgePlacementRequest(parts, hub, { ...input, goal: input.waitFor }, context, say);
  // What the hub itself would refuse is worth asking only where nothing else is wrong.
  if (findings.every((finding) => finding.severity !== 'error')) {
    await judgeApplication(wantedPlacement(parts, context, input), context, say);
  }
  return findings;
}

/** One look at how far a placement has come, for a step that waits for it. */
export async function awaitPlacement(
  parts: FleetParts,
  context: StepContext<unknown>,
  name: string,
  goal: PlacementGoal,
): Promise<StepOutcome> {
  const hub = hubOf(parts, fleetOf(context));
  const object = await readObject(hub, CLUSTER_RESOURCE_PLACEMENT, undefined, name, context);
  if (object === undefined) {
    throw new ControlError('KUBERNETES_NOT_FOUND', `The placement ${name} is not on the hub any more.`);
  }
  return waitFor(judgePlacement(object, goal), context, parts.clock, parts.client.arm.pollIntervalSeconds);
}

async function verifyApply(parts: FleetParts, context: OperationContext<ApplyInput>): Promise<Verification> {
  const { name, waitFor: goal } = context.input;
  const observedAt = parts.clock.now();
  const hub = hubOf(parts, fleetOf(context));
  const object = await readObject(hub, CLUSTER_RESOURCE_PLACEMENT, undefined, name, context);
  if (object === undefined) return { verdict: 'missed', message: `The placement ${name} is not on the hub.` };
  const judged = judgePlacement(object, goal);
  switch (judged.progress) {
    case 'reached':
      return {
        verdict: 'reached',
        result: {
          placement: context.target.id,
          uid: context.target.uid,
          selectedResources: describePlacement(object).selectedCount,
          members: placementMembers(object),
        },
        observations: await placementObservations(parts, hub, object, observedAt),
        absent: [],
      };
    case 'moving':
      return {
        verdict: 'pending',
        message: judged.message,
        retryAfterSeconds: parts.client.arm.pollIntervalSeconds,
      };
    case 'failing':
      return { verdict: 'missed', message: judged.error.message };
  }
}

/** None where the house does not know the fleet yet: the place of an object is that of its cluster. */
export async function placementObservations(
  parts: FleetParts,
  hub: ClusterClient,
  object: KubernetesObject,
  observedAt: Date,
): Promise<Observation[]> {
  const cluster = await parts.clusters.find(hub.clusterUid);
  return cluster === undefined
    ? []
    : [observeClusterResourcePlacement(object, { cluster, observedAt, source: 'OPERATION' })];
}

const deleteInput = z.strictObject({ placement: resourceReference('The placement to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  PLACEMENT_NOT_FOUND: 'The placement is gone already.',
  HUB_ACCESS_DENIED: hubFindings.HUB_ACCESS_DENIED,
  HUB_UNREACHABLE: hubFindings.HUB_UNREACHABLE,
  MEMBERS_LOSE_RESOURCES: 'What the placement has put on its members is taken away from them.',
  MEMBER_NOT_HEALTHY: 'A member cannot be reached: the deletion waits for it until it is back or leaves the fleet.',
} as const satisfies Record<string, string>;

export function deletePlacement(parts: FleetParts): OperationDefinition<typeof deleteInput> {
  return {
    type: 'fleet.placement.delete',
    title: 'Delete a placement',
    description: 'Deletes a ClusterResourcePlacement, and with it what it has put on its members.',
    permission: 'fleets/placements/delete',
    input: deleteInput,
    references: { placement: [clusterResourcePlacementKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target(_input, references) {
      const id = referencedObject(references, 'placement', CLUSTER_RESOURCE_PLACEMENT);
      return { id: id.toString(), kind: clusterResourcePlacementKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightDelete(parts, context),
    async plan(context) {
      const { object } = await readPlacement(parts, context);
      return {
        kind: CLUSTER_RESOURCE_PLACEMENT.kind,
        name: placementIdOf(context).name,
        action: object === undefined ? 'none' : 'delete',
        members: object === undefined ? [] : placementMembers(object),
      };
    },
    steps: [
      {
        name: 'delete',
        description: 'Asks the hub to delete the placement, and waits until it is gone from the hub and its members.',
        run: (context) => runDelete(parts, context),
      },
    ],
    async verify(context) {
      const { object } = await readPlacement(parts, context);
      return object === undefined
        ? { verdict: 'reached', result: { removed: context.target.id }, observations: [], absent: [context.target] }
        : { verdict: 'missed', message: `The placement ${object.metadata.name} is still there.` };
    },
  };
}

function placementIdOf(context: Pick<OperationContext<unknown>, 'references'>): KubernetesId {
  return referencedObject(context.references, 'placement', CLUSTER_RESOURCE_PLACEMENT);
}

async function readPlacement(parts: FleetParts, context: OperationContext<DeleteInput>) {
  const id = placementIdOf(context);
  const hub = await parts.kube.clusterOf(id.clusterUid);
  return { hub, object: await readObject(hub, CLUSTER_RESOURCE_PLACEMENT, undefined, id.name, context) };
}

async function preflightDelete(parts: FleetParts, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = placementIdOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const hub = await parts.kube.clusterOf(id.clusterUid);
  const question = { verb: 'delete', ...PLACEMENTS, name: id.name };
  const permission = await askPermission(hub, [question], context);
  if (permission.verdict === 'denied') {
    say('HUB_ACCESS_DENIED', 'error', permission.evidence, 'Give it a role with fleet.roleAssignment.create.');
    return findings;
  }
  if (permission.verdict === 'unreachable') {
    say('HUB_UNREACHABLE', 'error', permission.evidence);
    return findings;
  }
  const { object } = await readPlacement(parts, context);
  if (object === undefined) {
    say('PLACEMENT_NOT_FOUND', 'info', { placement: id.toString() });
    return findings;
  }
  const { memberStatuses, selectedCount } = describePlacement(object);
  const members = memberStatuses.flatMap(({ member }) => member ?? []);
  if (members.length > 0) {
    say('MEMBERS_LOSE_RESOURCES', 'warning', { members: members.slice(0, 100), resources: selectedCount });
  }
  const health = await membersHealth(parts, hub, context);
  for (const member of members) {
    const reason = health.get(member);
    if (reason === undefined) continue;
    const remedy = 'Bring the member back, or let it leave the fleet (fleet.member.leave).';
    say('MEMBER_NOT_HEALTHY', 'warning', { member, reason }, remedy);
  }
  return findings;
}

/** Why members cannot carry anything out, by name; those that can are not in it. */
async function membersHealth(
  parts: FleetParts,
  hub: ClusterClient,
  context: OperationContext<unknown>,
): Promise<ReadonlyMap<string, string>> {
  const now = parts.clock.now();
  const objects = await listObjects(hub, MEMBER_CLUSTER, undefined, context);
  return new Map(
    objects.flatMap((object) => {
      const { name, ineligible } = candidateMember(object, now);
      return ineligible === undefined ? [] : [[name, ineligible] as const];
    }),
  );
}

async function runDelete(parts: FleetParts, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const { hub, object } = await readPlacement(parts, context);
  const { name } = placementIdOf(context);
  if (object === undefined) return { outcome: 'done', message: `The placement ${name} is gone.` };
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  if (rawText(object, 'metadata', 'deletionTimestamp') !== null) {
    const finalizers = rawTexts(object, 'metadata', 'finalizers').join(', ') || 'the server';
    const message = `The placement ${name} is being deleted; it waits for ${finalizers}.`;
    return { outcome: 'wait', message, retryAfterSeconds };
  }
  const resource = await servedResource(hub, CLUSTER_RESOURCE_PLACEMENT, context);
  const { uid } = object.metadata;
  const deleted = await hub.delete(
    resource,
    undefined,
    name,
    { propagation: 'Background', ...(uid === undefined ? {} : { uid }) },
    context,
  );
  return deleted === 'deleting'
    ? { outcome: 'wait', message: `The placement ${name} is being deleted.`, retryAfterSeconds }
    : { outcome: 'done', message: `The placement ${name} is gone.` };
}
