import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { ArmClient } from './arm.client.js';
import { armApiVersion } from './arm-api-versions.js';
import { saysAbsent } from './arm-error.classifier.js';
import type { AzureCallContext } from './azure.options.js';

export const ROLE_ASSIGNMENT_TYPE = 'Microsoft.Authorization/roleAssignments';
const PERMISSION_TYPE = 'Microsoft.Authorization/permissions';
/** A new identity is not known everywhere at once; one that is still not known after so many tries is not there. */
const MOST_TRIES = 10;
/** Before the second try; before each further one it is as much longer. */
const SHORTEST_PAUSE_SECONDS = 2;
export const ASSIGN_ACTION = 'Microsoft.Authorization/roleAssignments/write';

/** Built-in roles, whose ids are the same in every tenant. */
export const BUILT_IN_ROLES = {
  Owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  Contributor: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
  Reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
  NetworkContributor: '4d97b98b-1d4f-4787-a291-c67834d212e7',
  ManagedIdentityOperator: 'f1a07417-d97a-45cb-824c-7a7467783830',
  AcrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d',
  ContainerInstancesContributor: '5d977122-f97e-4b4d-a52f-6b43003ddb4d',
} as const;

/** Who is to have which role where. */
export interface WantedAssignment {
  scope: ArmId;
  /** The last segment of the role definition's id. */
  roleId: string;
  principalId: string;
  /** Spares Azure looking the principal up, which fails for a new one. */
  principalType?: string;
}

/** The same three always make the same assignment: a second try after a crash cannot make a second one. */
export function assignmentIdOf({ scope, roleId, principalId }: WantedAssignment): ArmId {
  const name = resourceUid(`${scope.canonical}|${principalId.toLowerCase()}|${roleId.toLowerCase()}`);
  return scope.resource(ROLE_ASSIGNMENT_TYPE, name);
}

/** By which assignment the principal has one of the roles there, at the scope or above it, whoever made it. */
export async function findAssignment(
  arm: ArmClient,
  wanted: Pick<WantedAssignment, 'scope' | 'principalId'>,
  roleIds: readonly string[],
  context: AzureCallContext,
): Promise<ArmId | undefined> {
  const { scope, principalId } = wanted;
  const path = `${scope.toString()}/providers/${ROLE_ASSIGNMENT_TYPE}`;
  const filter = { $filter: `principalId eq '${principalId}'` };
  try {
    for await (const page of arm.list(path, armApiVersion(ROLE_ASSIGNMENT_TYPE), context, filter)) {
      for (const assignment of page.items) {
        const id = typeof assignment.id === 'string' ? ArmId.tryParse(assignment.id) : undefined;
        const properties = isJsonObject(assignment.properties) ? assignment.properties : {};
        const above = id?.parent?.canonical;
        if (id === undefined || above === undefined || !`${scope.canonical}/`.startsWith(`${above}/`)) continue;
        if (isRole(properties, roleIds) && sameText(properties.principalId, principalId)) return id;
      }
    }
  } catch (error) {
    // Without the object there is nothing that anybody could have a role on.
    if (!(error instanceof ControlError) || !saysAbsent(error)) throw error;
  }
  return undefined;
}

/** Asks for it; one that is there already is as good. @returns its id @throws ControlError PrincipalNotFound and others */
export async function assignRole(
  arm: ArmClient,
  wanted: WantedAssignment,
  context: AzureCallContext,
): Promise<{ id: ArmId; isNew: boolean }> {
  const { scope, roleId, principalId, principalType } = wanted;
  const id = assignmentIdOf(wanted);
  const subscription = ArmId.subscription(scope.subscriptionId ?? '').toString();
  const properties: JsonObject = {
    roleDefinitionId: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${roleId}`,
    principalId,
    ...(principalType === undefined ? {} : { principalType }),
  };
  try {
    await arm.put(id, armApiVersion(ROLE_ASSIGNMENT_TYPE), { properties }, context);
    return { id, isNew: true };
  } catch (error) {
    if (error instanceof ControlError && error.externalCode === 'RoleAssignmentExists') return { id, isNew: false };
    throw error;
  }
}

/** What became of one try to assign a role. */
export type AssignmentTry =
  | { state: 'assigned'; id: ArmId; isNew: boolean }
  /** Entra ID does not know the principal everywhere yet: to be tried again with this token. */
  | { state: 'unknown-principal'; retryAfterSeconds: number; resumeToken: Secret };

/**
 * As `assignRole`, for a principal that may be new.
 * @param resumeToken of the try before, which counts them: what else was waited for before does not.
 * @throws ControlError PrincipalNotFound after the last try
 */
export async function tryAssignRole(
  arm: ArmClient,
  wanted: WantedAssignment,
  resumeToken: Secret | undefined,
  context: AzureCallContext,
): Promise<AssignmentTry> {
  const tries = Number(resumeToken?.reveal() ?? 0) + 1;
  try {
    return { state: 'assigned', ...(await assignRole(arm, wanted, context)) };
  } catch (error) {
    if (!(error instanceof ControlError) || error.externalCode !== 'PrincipalNotFound') throw error;
    if (tries >= MOST_TRIES) {
      throw new ControlError('AZURE_REJECTED', error.message, {
        externalCode: error.externalCode,
        remedy: `Check that ${wanted.principalId} is the object id of somebody in the tenant: Entra ID still does not know it.`,
        cause: error,
      });
    }
    const retryAfterSeconds = tries * Math.min(SHORTEST_PAUSE_SECONDS, arm.pollIntervalSeconds);
    return { state: 'unknown-principal', retryAfterSeconds, resumeToken: new Secret(String(tries)) };
  }
}

/** Whether the identity of Pilothouse may assign roles at the scope; a ControlError where that cannot be read. */
export async function mayAssignRoles(
  arm: ArmClient,
  scope: ArmId,
  context: AzureCallContext,
): Promise<boolean | ControlError> {
  const path = `${scope.toString()}/providers/${PERMISSION_TYPE}`;
  try {
    for await (const page of arm.list(path, armApiVersion(PERMISSION_TYPE), context)) {
      const grants = ({ actions, notActions }: JsonObject): boolean =>
        textsOf(actions).some(coversAssigning) && !textsOf(notActions).some(coversAssigning);
      if (page.items.some(grants)) return true;
    }
    return false;
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
}

/** Whether an action of a role, in which `*` stands for anything, includes the assigning of roles. */
function coversAssigning(action: string): boolean {
  const pattern = action.split('*').map((part) => part.replaceAll(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`, 'i').test(ASSIGN_ACTION);
}

function isRole({ roleDefinitionId }: JsonObject, roleIds: readonly string[]): boolean {
  const id = typeof roleDefinitionId === 'string' ? roleDefinitionId.split('/').at(-1)?.toLowerCase() : undefined;
  return id !== undefined && roleIds.some((role) => role.toLowerCase() === id);
}

function sameText(value: unknown, text: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === text.toLowerCase();
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
