import type { ArmId } from '#libs/kernel/arm-id.js';
import { ArmError, resourceNotFound } from '../arm-error.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import type { ResourceEngine } from '../resource.engine.js';
import { CONTAINER_GROUP_TYPE } from '../types/container-group.type.js';
import { SUBNET_TYPE } from '../types/network.family.js';
import { linksOf } from '../types/service-association-link.js';
import { methodNotAllowed } from './provider.handler.js';

/** The link of Container Instances on a subnet: they let it be deleted, and show it nowhere themselves. */
export class ServiceAssociationLinkHandler {
  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
  ) {}

  handle(request: ArmRequest, subnet: ArmId): ArmAnswer {
    if (request.method !== 'DELETE') throw methodNotAllowed(request);
    const { resources, world, now } = this.state;
    const record = resources.get(subnet.canonical);
    if (record === undefined) throw resourceNotFound(SUBNET_TYPE, subnet.names, subnet.resourceGroup);
    const user = world.referring(CONTAINER_GROUP_TYPE, record.key)[0];
    if (user !== undefined) {
      throw new ArmError(409, 'Conflict', `The subnet '${record.id}' is used by the container group '${user.id}'.`);
    }
    if (linksOf(record.body).length === 0) return { status: 204 };
    this.engine.amend(record.key, { serviceAssociationLinks: null }, now);
    return { status: 200 };
  }
}
