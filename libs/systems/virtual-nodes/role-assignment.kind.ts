import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { BUILT_IN_ROLES, ROLE_ASSIGNMENT_TYPE } from '#libs/azure/role-assignments.js';
import { armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation } from '../contract/observation.js';
import { rawText } from '../contract/raw-reader.js';

const NAMES = new Map<string, string>(Object.entries(BUILT_IN_ROLES).map(([name, id]) => [id, name]));

const roleAssignmentProperties = z.object({
  scope: z
    .string()
    .nullable()
    .describe('Where the role holds: the id of a subscription, a resource group or a resource.'),
  roleDefinitionId: z.string().nullable().describe('The ARM id of the role.'),
  roleName: z
    .string()
    .nullable()
    .describe('The name of the role, such as `NetworkContributor`, where it is one that Pilothouse knows.'),
  principalId: z.string().nullable().describe('The object id of who has the role.'),
  principalType: z.string().nullable().describe('`User`, `Group` or `ServicePrincipal`.'),
});

export const roleAssignmentKind: KindDefinition<typeof roleAssignmentProperties> = {
  name: 'RoleAssignment',
  description: 'Who has which role where in Azure.',
  armType: ROLE_ASSIGNMENT_TYPE,
  properties: roleAssignmentProperties,
  describe: (raw) => {
    const definition = rawText(raw, 'roleDefinitionId');
    return {
      scope: rawText(raw, 'scope'),
      roleDefinitionId: definition,
      roleName: NAMES.get(definition?.split('/').at(-1)?.toLowerCase() ?? '') ?? null,
      principalId: rawText(raw, 'principalId'),
      principalType: rawText(raw, 'principalType'),
    };
  },
  relations: [],
};

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeRoleAssignment(body: JsonObject, reading: Reading): Observation {
  return armObservation(body, {
    ...reading,
    kind: roleAssignmentKind.name,
    health: { state: 'Healthy', reason: null },
    relations: [],
    tags: {},
    location: null,
  });
}
