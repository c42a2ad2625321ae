import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { objectAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { builtInRole } from './built-in-role.js';
import { parseRequest } from './fleet.family.js';

export const ROLE_ASSIGNMENT_TYPE = 'Microsoft.Authorization/roleAssignments';

/** Also what fills the `authorizationresources` table of Resource Graph. */
const GRAPH_TABLE = 'authorizationresources';

const assignmentSchema = z.looseObject({
  properties: z.looseObject({
    roleDefinitionId: z.string(),
    principalId: z.string(),
    principalType: z.string().optional(),
  }),
});

/** Who holds which role where. An extension of any scope: a subscription, a group, a resource. */
export const roleAssignmentType: ResourceTypeDescriptor = {
  type: ROLE_ASSIGNMENT_TYPE,
  apiVersions: ['2018-09-01-preview', '2020-04-01-preview', '2020-10-01-preview', '2022-04-01'],
  tracked: false,
  graphTable: GRAPH_TABLE,
  errorShape: 'standard',
  members: [],
  readOnly: [
    'properties.scope',
    'properties.createdOn',
    'properties.createdBy',
    'properties.updatedOn',
    'properties.updatedBy',
  ],
  protocols: {
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: false, location: false, immediate: true },
    patch: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
    delete: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
  },
  hidesSystemData: true,
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (isUuid(name)) return;
    throw new ArmError(
      400,
      'InvalidRoleAssignmentId',
      `The role assignment ID '${name}' is not valid. The role assignment ID must be a GUID.`,
    );
  },
  planPut,
  planPatch(): never {
    throw new ArmError(405, 'HttpMethodNotAllowed', 'A role assignment cannot be changed, only made and deleted.');
  },
  planDelete: (assignment, id) => ({
    writes: [{ id, body: assignment.body, state: '' }],
    removes: [{ id, state: '' }],
  }),
  conflict: () => undefined,
  present: (assignment) => ({
    properties: {
      ...omit(objectAt(assignment.body, 'properties'), ['provisioningState']),
      scope: scopeOf(assignment),
      createdOn: assignment.createdAt,
      createdBy: assignment.createdBy,
      updatedOn: assignment.modifiedAt,
      updatedBy: assignment.modifiedBy,
    },
  }),
  listing,
};

/** Where an assignment stands: its id without what names the assignment. */
export function scopeOf(assignment: StoredResource): string {
  return assignment.id.slice(0, assignment.id.toLowerCase().lastIndexOf('/providers/microsoft.authorization/'));
}

/** Whether what is granted at the one scope holds at the other. */
export function reaches(granted: string, scope: string): boolean {
  const outer = granted.toLowerCase();
  const inner = scope.toLowerCase();
  return inner === outer || inner.startsWith(`${outer}/`);
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  parseRequest(assignmentSchema, requested);
  const properties = objectAt(requested, 'properties');
  const definition = textAt(properties, 'roleDefinitionId') ?? '';
  const role = builtInRole(definition);
  if (role === undefined) {
    throw new ArmError(
      400,
      'RoleDefinitionDoesNotExist',
      `The specified role definition with ID '${definition.split('/').at(-1)}' does not exist.`,
    );
  }
  const principalId = textAt(properties, 'principalId') ?? '';
  if (!isUuid(principalId)) {
    throw new ArmError(
      400,
      'InvalidPrincipalId',
      `The Principal ID '${principalId}' is not valid. Principal ID must be a GUID.`,
    );
  }
  if (textAt(properties, 'principalType') === undefined && !world.principalExists(principalId))
    throw unknownPrincipal(principalId, world);
  const body: JsonObject = {
    properties: {
      ...omit(properties, ['provisioningState']),
      roleDefinitionId: `/subscriptions/${id.subscriptionId ?? ''}/providers/Microsoft.Authorization/roleDefinitions/${role.id}`,
      principalId,
      principalType: textAt(properties, 'principalType') ?? 'User',
    },
  };
  const same = twin(id, role.id, principalId, world);
  if (same !== undefined && same.key !== id.canonical) throw assignmentExists(same);
  if (existing !== undefined && same === undefined) {
    throw new ArmError(
      400,
      'RoleAssignmentUpdateNotPermitted',
      'Tenant ID, application ID, principal ID, and scope are not allowed to be updated.',
    );
  }
  return { writes: [{ id, body, state: '' }] };
}

/** The assignment of the same role to the same principal at the same scope. */
function twin(id: ArmId, roleId: string, principalId: string, world: ResourceWorld): StoredResource | undefined {
  const scope = id.parent?.canonical ?? '';
  return world.ofSubscription(ROLE_ASSIGNMENT_TYPE, id.subscriptionId ?? '').find((other) => {
    const properties = objectAt(other.body, 'properties');
    return (
      scopeOf(other).toLowerCase() === scope &&
      builtInRole(textAt(properties, 'roleDefinitionId') ?? '')?.id === roleId &&
      textAt(properties, 'principalId')?.toLowerCase() === principalId.toLowerCase()
    );
  });
}

function assignmentExists(same: StoredResource): ArmError {
  const message = 'The role assignment already exists.';
  return new ArmError(
    409,
    'RoleAssignmentExists',
    `${message} The ID of the existing role assignment is ${same.name.replaceAll('-', '')}.`,
  );
}

function unknownPrincipal(principalId: string, world: ResourceWorld): ArmError {
  return new ArmError(
    400,
    'PrincipalNotFound',
    `Principal ${principalId.replaceAll('-', '')} does not exist in the directory ${world.tenantId}. Check that you have the ` +
      'correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be ' +
      'related to a replication delay. In this case, set the role assignment principalType property to a value, such as ' +
      'ServicePrincipal, User, or Group. See https://aka.ms/docs-principaltype',
  );
}

/**
 * Without a filter a list shows what holds at the scope and what stands below it; `atScope()` leaves out what stands
 * below, `principalId eq '…'` and `assignedTo('…')` what others hold.
 */
function listing(scope: string, filter: string | undefined): (assignment: StoredResource) => boolean {
  const clauses = (filter ?? '').split(/\s+and\s+/i).filter((clause) => clause.trim() !== '');
  let below = true;
  const principals: string[] = [];
  for (const clause of clauses) {
    const principal = /^\s*(?:principalId\s+eq\s+'([^']*)'|assignedTo\('([^']*)'\))\s*$/i.exec(clause);
    if (/^\s*atScope\(\)\s*$/i.test(clause)) below = false;
    else if (principal !== null) principals.push((principal[1] ?? principal[2] ?? '').toLowerCase());
    else
      throw new ArmError(
        400,
        'UnsupportedQuery',
        `The filter '${filter ?? ''}' is not supported. Supported filters are either 'atScope()' or 'principalId eq '{value}''.`,
      );
  }
  return (assignment) => {
    const at = scopeOf(assignment);
    const holder = textAt(objectAt(assignment.body, 'properties'), 'principalId')?.toLowerCase() ?? '';
    return (
      (reaches(at, scope) || (below && reaches(scope, at))) && principals.every((principal) => principal === holder)
    );
  };
}
