import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, objectsAt, textAt } from '../json-merge.js';
import { ACI_DELEGATION } from './subnet.delegation.js';

const LINK_TYPE = 'Microsoft.Network/virtualNetworks/subnets/serviceAssociationLinks';
/** What Container Instances call theirs. */
const CONTAINER_LINK = 'acisal';

/** What a service that has had something in a subnet leaves on it. */
export interface AssociationLink {
  id: string;
  /** `Microsoft.ContainerInstance/containerGroups`. */
  service: string;
}

/** As the subnet shows it. */
export function containerLink(subnetId: string): JsonObject {
  return {
    id: `${subnetId}/serviceAssociationLinks/${CONTAINER_LINK}`,
    name: CONTAINER_LINK,
    type: LINK_TYPE,
    properties: { provisioningState: 'Succeeded', linkedResourceType: ACI_DELEGATION, locations: [] },
  };
}

export function linksOf(subnet: JsonObject): AssociationLink[] {
  return objectsAt(objectAt(subnet, 'properties'), 'serviceAssociationLinks').map((link) => ({
    id: textAt(link, 'id') ?? '',
    service: textAt(objectAt(link, 'properties'), 'linkedResourceType') ?? '',
  }));
}
