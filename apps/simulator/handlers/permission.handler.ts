import type { ArmId } from '#libs/kernel/arm-id.js';
import { ArmError } from '../arm-error.js';
import type { ArmAnswer } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import { objectAt, textAt } from '../json-merge.js';
import { builtInRole, dataActions } from '../types/built-in-role.js';
import type { BuiltInRole } from '../types/built-in-role.js';
import { ROLE_ASSIGNMENT_TYPE, reaches, scopeOf } from '../types/role-assignment.type.js';

/** `GET {scope}/providers/Microsoft.Authorization/permissions`: what the caller may do there. */
export class PermissionHandler {
  constructor(private readonly state: AzureState) {}

  /** Everyone owns what is simulated; roles add what ownership does not give, the data plane. */
  at(scope: ArmId, principal: string): ArmAnswer {
    if (scope.parts.length > 0 && this.state.resources.get(scope.canonical) === undefined) {
      throw new ArmError(404, 'ResourceNotFound', `The resource '${scope.toString()}' was not found.`, {
        gateway: true,
      });
    }
    const owner = { actions: ['*'], notActions: [], dataActions: [], notDataActions: [] };
    const granted = this.#roles(scope, principal).map((role) => ({
      actions: [...role.actions],
      notActions: [],
      dataActions: dataActions(role),
      notDataActions: [],
    }));
    return { status: 200, body: { value: [owner, ...granted] } };
  }

  #roles(scope: ArmId, principal: string): BuiltInRole[] {
    const assignments = this.state.world.ofSubscription(ROLE_ASSIGNMENT_TYPE, scope.subscriptionId ?? '');
    return assignments.flatMap((assignment) => {
      const properties = objectAt(assignment.body, 'properties');
      if (textAt(properties, 'principalId')?.toLowerCase() !== principal) return [];
      if (!reaches(scopeOf(assignment), scope.canonical)) return [];
      return builtInRole(textAt(properties, 'roleDefinitionId') ?? '') ?? [];
    });
  }
}
