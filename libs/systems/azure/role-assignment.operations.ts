import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import {
  BUILT_IN_ROLES,
  ROLE_ASSIGNMENT_TYPE,
  assignmentIdOf,
  findAssignment,
  mayAssignRoles,
  tryAssignRole,
} from '#libs/azure/role-assignments.js';
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
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AzureClient } from './azure.client.js';

/** What a role can be given on by its kind. */
const SCOPE_KINDS = ['VirtualNetwork', 'Subnet', 'ManagedCluster', 'Fleet', 'ConnectedCluster', 'ContainerGroup'];
/** Roles that let their holder do far more than one task needs. */
const BROAD_ROLES: readonly string[] = ['Owner', 'Contributor'];
const ROLE_NAMES = Object.keys(BUILT_IN_ROLES) as (keyof typeof BUILT_IN_ROLES)[];

const createInput = z.strictObject({
  scope: resourceReference('What the role is to hold on; or resourceGroup').optional(),
  resourceGroup: z
    .string()
    .max(300)
    .regex(
      /^\/subscriptions\/[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\/resource[gG]roups\/[-\w.()]*[-\w()]$/,
      'must be the ARM id of a resource group',
    )
    .optional()
    .describe('The resource group that the role is to hold in, by its ARM id; in the place of scope.'),
  role: z.enum(ROLE_NAMES).describe('The role: one that Azure has built in.'),
  principalId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid')
    .describe('The object id of the user, group, application or identity in Entra ID.'),
  principalType: z
    .enum(['User', 'Group', 'ServicePrincipal'])
    .optional()
    .describe('What the principal is; spares Azure looking it up, which fails for a new one.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  SCOPE_NOT_FOUND: 'Azure does not know what the role is to hold on.',
  ROLE_ASSIGNED_ALREADY: 'The principal has the role already, there or above.',
  ASSIGNMENT_NOT_ALLOWED: 'The identity of Pilothouse may not assign roles there.',
  PERMISSIONS_UNKNOWN: 'It could not be read whether the identity of Pilothouse may assign roles there.',
  ROLE_BROAD: 'The role allows far more than one task needs.',
} as const satisfies Record<string, string>;

export function createRoleAssignment(client: AzureClient): OperationDefinition<typeof createInput> {
  return {
    type: 'azure.roleAssignment.create',
    title: 'Give somebody a role on a resource',
    description: 'Assigns a built-in role on one resource, unless the principal has it there or above.',
    permission: 'azure/roleAssignments/write',
    input: createInput,
    references: { scope: SCOPE_KINDS },
    timeoutSeconds: 1800,
    findings: createFindings,
    target(input, references) {
      const id = assignmentIdOf(wantedOf(input, references));
      return { id: id.toString(), kind: 'RoleAssignment', lock: id.canonical };
    },
    preflight: (context) => preflightCreate(client, context),
    steps: [
      {
        name: 'assign',
        description: 'Assigns the role, unless the principal has it.',
        run: (context) => runCreate(client, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

/** @throws ControlError INVALID_REQUEST */
function wantedOf(input: CreateInput, references: Readonly<Record<string, ResourceTarget>>) {
  const { role, principalId, principalType } = input;
  return {
    scope: scopeOf(input, references),
    roleId: BUILT_IN_ROLES[role],
    principalId,
    ...(principalType === undefined ? {} : { principalType }),
  };
}

function scopeOf(input: CreateInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  const { scope } = references;
  if (input.resourceGroup !== undefined && scope === undefined) return ArmId.parse(input.resourceGroup);
  if (input.resourceGroup !== undefined) {
    const message = 'Only one of scope and resourceGroup can be given.';
    throw new ControlError('INVALID_REQUEST', message, { violations: [{ path: 'resourceGroup', message }] });
  }
  const id = scope !== undefined && SCOPE_KINDS.includes(scope.kind) ? ArmId.tryParse(scope.id) : undefined;
  if (id !== undefined) return id;
  throw new ControlError('INVALID_REQUEST', 'scope does not name a resource of Azure.', {
    violations: [{ path: 'scope', message: `must be the uid or the ARM id of a ${SCOPE_KINDS.join(', ')}` }],
  });
}

async function preflightCreate(client: AzureClient, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  const wanted = wantedOf(context.input, context.references);
  const { scope, roleId, principalId } = wanted;
  const reading = await client.get(scope, context);
  if (reading.state === 'missing') {
    say('SCOPE_NOT_FOUND', 'error', { scope: scope.toString() });
    return findings;
  }
  const { role } = context.input;
  if (BROAD_ROLES.includes(role)) say('ROLE_BROAD', 'warning', { role }, 'Give the role that the task needs.');
  const existing = await findAssignment(client.arm, wanted, [roleId], context);
  if (existing !== undefined) {
    say('ROLE_ASSIGNED_ALREADY', 'info', { assignment: existing.toString(), principalId });
    return findings;
  }
  const allowed = await mayAssignRoles(client.arm, scope, context);
  if (allowed instanceof ControlError) {
    say('PERMISSIONS_UNKNOWN', 'info', { code: allowed.externalCode ?? allowed.code });
  } else if (!allowed) {
    const remedy =
      'Have an owner of the resource assign the role, or give the identity of Pilothouse the role Role Based Access Control Administrator.';
    say('ASSIGNMENT_NOT_ALLOWED', 'error', { scope: scope.toString() }, remedy);
  }
  return findings;
}

async function runCreate(client: AzureClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const wanted = wantedOf(context.input, context.references);
  const { role } = context.input;
  const existing = await findAssignment(client.arm, wanted, [wanted.roleId], context);
  if (existing !== undefined) return { outcome: 'done', message: `The principal has the role ${role} already.` };
  const tried = await tryAssignRole(client.arm, wanted, context.resumeToken, context);
  switch (tried.state) {
    case 'assigned':
      return { outcome: 'done', message: `The role ${role} is assigned.` };
    case 'unknown-principal': {
      const { retryAfterSeconds, resumeToken } = tried;
      return { outcome: 'wait', message: 'Entra ID does not know the principal yet.', retryAfterSeconds, resumeToken };
    }
  }
}

async function verifyCreate(client: AzureClient, context: OperationContext<CreateInput>): Promise<Verification> {
  const wanted = wantedOf(context.input, context.references);
  const found = await findAssignment(client.arm, wanted, [wanted.roleId], context);
  if (found === undefined) {
    const retryAfterSeconds = client.arm.pollIntervalSeconds;
    return { verdict: 'pending', message: 'Azure does not list the assignment yet.', retryAfterSeconds };
  }
  const { role, principalId } = context.input;
  const result = { assignment: found.toString(), scope: wanted.scope.toString(), role, principalId };
  return { verdict: 'reached', result, observations: [], absent: [] };
}

const deleteInput = z.strictObject({ assignment: resourceReference('The role assignment to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  ASSIGNMENT_GONE: 'The assignment is gone already.',
  HOLDER_LOSES_ACCESS: 'Whoever has the role loses what it allows.',
} as const satisfies Record<string, string>;

export function deleteRoleAssignment(client: AzureClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'azure.roleAssignment.delete',
    title: 'Take a role away',
    description: 'Deletes a role assignment. Roles that the principal has by other assignments stay.',
    permission: 'azure/roleAssignments/write',
    input: deleteInput,
    references: { assignment: ['RoleAssignment'] },
    timeoutSeconds: 1800,
    findings: deleteFindings,
    target(_input, references) {
      const id = referencedArmId(references, 'assignment', ROLE_ASSIGNMENT_TYPE);
      return { id: id.toString(), kind: 'RoleAssignment', lock: id.canonical };
    },
    preflight: (context) => preflightDelete(client, context),
    steps: [{ name: 'delete', description: 'Deletes the assignment.', run: (context) => runDelete(client, context) }],
    verify: (context) => verifyDelete(client, context),
  };
}

async function preflightDelete(client: AzureClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const id = referencedArmId(context.references, 'assignment', ROLE_ASSIGNMENT_TYPE);
  const reading = await client.get(id, context);
  if (reading.state === 'missing') say('ASSIGNMENT_GONE', 'info', { assignment: id.toString() });
  else {
    const principalId = rawText(reading.body, 'properties', 'principalId');
    const roleDefinitionId = rawText(reading.body, 'properties', 'roleDefinitionId');
    say('HOLDER_LOSES_ACCESS', 'warning', { principalId, roleDefinitionId });
  }
  return findings;
}

async function runDelete(client: AzureClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = referencedArmId(context.references, 'assignment', ROLE_ASSIGNMENT_TYPE);
  const reading = await client.get(id, context);
  if (reading.state === 'missing') return { outcome: 'done', message: 'The assignment is gone.' };
  await client.delete(id, context);
  return { outcome: 'done', message: 'The assignment is deleted.' };
}

async function verifyDelete(client: AzureClient, context: OperationContext<DeleteInput>): Promise<Verification> {
  const id = referencedArmId(context.references, 'assignment', ROLE_ASSIGNMENT_TYPE);
  const reading = await client.get(id, context);
  if (reading.state === 'found') return { verdict: 'missed', message: 'The assignment is there again.' };
  return { verdict: 'reached', result: { removed: id.toString() }, observations: [], absent: [context.target] };
}
