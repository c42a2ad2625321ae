import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { isUuid, resourceUid } from '#libs/kernel/resource-uid.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import type { AccessQuestion } from '#libs/kube/cluster-client.js';
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
import { rawObject, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { askPermission } from './cluster-permission.js';
import type { OwnIdentity } from './fleet.client.js';
import { fleetKind } from './fleet.kinds.js';
import type { FleetParts } from './fleet-parts.js';
import { fleetOf, hubFindings, hubOf } from './hub.preflight.js';
import { PLACEMENT_GROUP } from './fleet-object.js';

/** Azure Kubernetes Fleet Manager RBAC …: the ids are the same in every tenant. */
const ROLES = {
  ClusterAdmin: '18ab4d3d-a1bf-4477-8ad9-8359bc988f69',
  Admin: '434fb43a-c01c-447e-9f67-c3ad923cfaba',
  Writer: '5af6afb3-c06c-4fa4-8848-71a8aee05683',
  Reader: '30b27cfc-9c84-438e-b0ce-70e35255df80',
} as const;
type Role = keyof typeof ROLES;

/** A new identity is not known everywhere at once; one that is still not known after so many tries is not there. */
const MOST_TRIES = 10;
const ASSIGNMENT = 'Microsoft.Authorization/roleAssignments';
const WRITE_ACTION = 'Microsoft.Authorization/roleAssignments/write';

const createInput = z.strictObject({
  fleet: resourceReference('The fleet whose hub is to be used'),
  role: z
    .enum(['ClusterAdmin', 'Admin', 'Writer', 'Reader'])
    .default('ClusterAdmin')
    .describe(
      'What may be done on the hub: everything (needed for placements), or only inside namespaces as admin, writer or reader.',
    ),
  principalId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid')
    .optional()
    .describe('The object id of the user, group or application in Entra ID; Pilothouse itself where absent.'),
  principalType: z
    .enum(['User', 'Group', 'ServicePrincipal'])
    .optional()
    .describe('What the principal is; spares Azure looking it up, which fails for a new one.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  FLEET_NOT_FOUND: hubFindings.FLEET_NOT_FOUND,
  FLEET_HUBLESS: 'The fleet has no hub: there is nothing on which the role would count.',
  IDENTITY_UNKNOWN: 'Neither the token of Pilothouse nor the hub tells the object id of its identity.',
  ASSIGNMENT_NOT_ALLOWED: 'The identity of Pilothouse may not assign roles on the fleet.',
  PERMISSIONS_UNKNOWN: 'It could not be read whether the identity of Pilothouse may assign roles on the fleet.',
  ROLE_ASSIGNED_ALREADY: 'The principal has the role already.',
} as const satisfies Record<string, string>;

export function createFleetRoleAssignment(parts: FleetParts): OperationDefinition<typeof createInput> {
  return {
    type: 'fleet.roleAssignment.create',
    title: 'Give somebody a role on the hub of a fleet',
    description:
      'Assigns one of the roles by which the Kubernetes API of a hub is used. Without a principal Pilothouse gets it itself.',
    permission: 'fleets/roleAssignments/write',
    input: createInput,
    references: { fleet: [fleetKind.name] },
    timeoutSeconds: 1800,
    findings: createFindings,
    target(_input, references) {
      const id = fleetOf({ references });
      return { id: id.toString(), kind: fleetKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightCreate(parts, context),
    async plan(context) {
      const principal = await principalOf(parts, context);
      const existing = principal === undefined ? undefined : await findAssignment(parts, context, principal);
      return {
        action: existing === undefined ? 'create' : 'none',
        scope: context.target.id,
        role: context.input.role,
        principalId: principal?.principalId ?? null,
      };
    },
    steps: [
      {
        name: 'assign',
        description: 'Assigns the role, unless the principal has it.',
        run: (context) => runAssign(parts, context),
      },
    ],
    verify: (context) => verifyCreate(parts, context),
  };
}

/** Who gets the role. */
interface Principal {
  principalId: string;
  principalType: string | undefined;
  /** Whether it is Pilothouse itself, which can then be tried out. */
  isOwn: boolean;
}

/** undefined where nobody is named and who we are cannot be found out. @throws ControlError */
async function principalOf(parts: FleetParts, context: OperationContext<CreateInput>): Promise<Principal | undefined> {
  const { principalId, principalType } = context.input;
  const own = await parts.client.ownIdentity(context);
  if (principalId !== undefined) {
    const isOwn = own?.principalId.toLowerCase() === principalId.toLowerCase();
    return { principalId, principalType: principalType ?? (isOwn ? own.principalType : undefined), isOwn };
  }
  const found = own ?? (await identityOnHub(parts, context));
  return found === undefined
    ? undefined
    : { principalId: found.principalId, principalType: principalType ?? found.principalType, isOwn: true };
}

/** Everybody who can sign in is told who they are, also without a role. With Entra ID that includes the object id. */
async function identityOnHub(
  parts: FleetParts,
  context: OperationContext<CreateInput>,
): Promise<OwnIdentity | undefined> {
  const { username, extra } = await hubOf(parts, fleetOf(context)).whoAmI(context);
  const objectIds = Object.entries(extra).flatMap(([name, values]) => (/(^|[/.])oid$/i.test(name) ? values : []));
  const principalId = [...objectIds, username].find(isUuid);
  return principalId === undefined ? undefined : { principalId, principalType: undefined };
}

async function preflightCreate(parts: FleetParts, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const fleet = fleetOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  const reading = await parts.client.getFleet(fleet, context);
  if (reading.state === 'missing') {
    say('FLEET_NOT_FOUND', 'error', { fleet: fleet.toString() });
    return findings;
  }
  if (rawObject(reading.body, 'properties', 'hubProfile') === null) {
    say('FLEET_HUBLESS', 'error', { fleet: fleet.toString() });
    return findings;
  }
  const principal = await principalOf(parts, context);
  if (principal === undefined) {
    say('IDENTITY_UNKNOWN', 'error', {}, 'Give the principalId: the object id of the identity in Entra ID.');
    return findings;
  }
  const existing = await findAssignment(parts, context, principal);
  if (existing !== undefined) {
    say('ROLE_ASSIGNED_ALREADY', 'info', { assignment: existing.toString(), principalId: principal.principalId });
  } else {
    await judgePermissions(parts, fleet, context, say);
  }
  return findings;
}

async function judgePermissions(
  parts: FleetParts,
  fleet: ArmId,
  context: OperationContext<CreateInput>,
  say: FindingReporter<'ASSIGNMENT_NOT_ALLOWED' | 'PERMISSIONS_UNKNOWN'>,
): Promise<void> {
  const permissions: JsonObject[] = [];
  try {
    for await (const page of parts.client.listPermissions(fleet, context)) permissions.push(...page.items);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('PERMISSIONS_UNKNOWN', 'info', { code: error.externalCode ?? error.code });
    return;
  }
  const allowed = permissions.some(
    (permission) =>
      rawTexts(permission, 'actions').some(coversWrite) && !rawTexts(permission, 'notActions').some(coversWrite),
  );
  if (allowed) return;
  const remedy =
    'Have somebody who owns the fleet assign the role, or give the identity of Pilothouse the role Role Based Access Control Administrator on the fleet.';
  say('ASSIGNMENT_NOT_ALLOWED', 'error', { action: WRITE_ACTION }, remedy);
}

/** Whether an action of a role, in which `*` stands for anything, includes the assigning of roles. */
function coversWrite(action: string): boolean {
  const pattern = action.split('*').map((part) => part.replaceAll(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`, 'i').test(WRITE_ACTION);
}

/** The same three always make the same assignment: a second try after a crash cannot make a second one. */
function assignmentId(fleet: ArmId, role: Role, principalId: string): ArmId {
  const name = resourceUid(`${fleet.canonical}|${principalId.toLowerCase()}|${ROLES[role]}`);
  return fleet.resource(ASSIGNMENT, name);
}

/** By which assignment the principal has the role on the fleet, whoever made it, here or above. */
async function findAssignment(
  parts: FleetParts,
  context: OperationContext<CreateInput>,
  { principalId }: Principal,
): Promise<ArmId | undefined> {
  const fleet = fleetOf(context);
  const role = ROLES[context.input.role];
  try {
    for await (const page of parts.client.listRoleAssignments(fleet, principalId, context)) {
      for (const assignment of page.items) {
        const isRole =
          rawText(assignment, 'properties', 'roleDefinitionId')?.toLowerCase().endsWith(`/${role}`) === true;
        const isHolder = rawText(assignment, 'properties', 'principalId')?.toLowerCase() === principalId.toLowerCase();
        const scope = armIdOf(assignment).parent?.canonical ?? '';
        if (isRole && isHolder && `${fleet.canonical}/`.startsWith(`${scope}/`)) return armIdOf(assignment);
      }
    }
  } catch (error) {
    // The fleet is gone: what it had is so too.
    if (!(error instanceof ControlError) || !saysAbsent(error)) throw error;
  }
  return undefined;
}

async function runAssign(parts: FleetParts, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { role } = context.input;
  const principal = await principalOf(parts, context);
  if (principal === undefined) {
    throw new ControlError('INVALID_REQUEST', 'The identity of Pilothouse is not known: give the principalId.');
  }
  const { principalId, principalType, isOwn } = principal;
  const output = (assignment: ArmId): Json => ({ assignment: assignment.toString(), principalId, isOwn });
  const existing = await findAssignment(parts, context, principal);
  if (existing !== undefined) {
    return { outcome: 'done', message: `The principal has the role ${role} already.`, output: output(existing) };
  }
  const fleet = fleetOf(context);
  const id = assignmentId(fleet, role, principalId);
  const roleDefinitionId = `/subscriptions/${fleet.subscriptionId ?? ''}/providers/Microsoft.Authorization/roleDefinitions/${ROLES[role]}`;
  try {
    const properties = { roleDefinitionId, principalId, ...(principalType === undefined ? {} : { principalType }) };
    await parts.client.createRoleAssignment(id, properties, context);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    switch (error.externalCode) {
      case 'RoleAssignmentExists':
        return { outcome: 'done', message: `The principal has the role ${role} already.`, output: output(id) };
      case 'PrincipalNotFound':
        if (context.attempt < MOST_TRIES) throw error;
        throw new ControlError('AZURE_REJECTED', error.message, {
          externalCode: error.externalCode,
          remedy: 'Check the object id: it is that of the principal itself, not of its application registration.',
          cause: error,
        });
      default:
        throw error;
    }
  }
  return { outcome: 'done', message: `The role ${role} is assigned.`, output: output(id) };
}

/** What a bearer of the role can certainly do on the hub. */
function questionFor(role: Role): AccessQuestion {
  switch (role) {
    case 'ClusterAdmin':
      return { verb: 'patch', group: PLACEMENT_GROUP, resource: 'clusterresourceplacements' };
    case 'Admin':
    case 'Writer':
      return { verb: 'patch', group: '', resource: 'services' };
    case 'Reader':
      return { verb: 'list', group: '', resource: 'services' };
  }
}

async function verifyCreate(parts: FleetParts, context: OperationContext<CreateInput>): Promise<Verification> {
  const { role } = context.input;
  const retryAfterSeconds = parts.client.arm.pollIntervalSeconds;
  const principal = await principalOf(parts, context);
  if (principal === undefined) return { verdict: 'missed', message: 'The identity of Pilothouse is not known.' };
  const assignment = await findAssignment(parts, context, principal);
  if (assignment === undefined) {
    return { verdict: 'pending', message: 'Azure does not list the assignment yet.', retryAfterSeconds };
  }
  if (principal.isOwn) {
    const hub = hubOf(parts, fleetOf(context));
    const permission = await askPermission(hub, [questionFor(role)], context);
    if (permission.verdict !== 'granted') {
      const message = 'The role is assigned, and the hub does not go by it yet: that takes some minutes.';
      return { verdict: 'pending', message, retryAfterSeconds };
    }
  }
  return {
    verdict: 'reached',
    result: {
      assignment: assignment.toString(),
      role,
      roleDefinitionId: ROLES[role],
      principalId: principal.principalId,
      own: principal.isOwn,
    },
    observations: [],
    absent: [],
    opened: principal.isOwn ? [fleetOf(context).uid] : [],
  };
}
