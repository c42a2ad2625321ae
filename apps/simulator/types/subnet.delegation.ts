import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, objectsAt, textAt } from '../json-merge.js';

/** To whom a subnet is given that container groups are to have their addresses in. */
export const ACI_DELEGATION = 'Microsoft.ContainerInstance/containerGroups';

/** The services that a subnet is delegated to, in lower case. */
export function delegationsOf(subnet: JsonObject): string[] {
  return objectsAt(objectAt(subnet, 'properties'), 'delegations').map((delegation) =>
    (textAt(objectAt(delegation, 'properties'), 'serviceName') ?? '').toLowerCase(),
  );
}

export function aciDelegation(): JsonObject {
  return { name: 'aciDelegation', properties: { serviceName: ACI_DELEGATION } };
}
