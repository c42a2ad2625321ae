import { ArmId } from '#libs/kernel/arm-id.js';
import { ArmError, resourceNotFound } from '../arm-error.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import type { ResourceEngine } from '../resource.engine.js';
import type { StoredResource } from '../resource.store.js';
import { CONTAINER_GROUP_TYPE } from '../types/container-group.type.js';
import { SUBNET_TYPE } from '../types/network.family.js';
import { linksOf, type AssociationLink } from '../types/service-association-link.js';
import { methodNotAllowed } from './provider.handler.js';

/** The link of Container Instances on a subnet: they let it be deleted, and show it nowhere themselves. */
export class ServiceAssociationLinkHandler {
  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
  ) {}

  handle(request: ArmRequest, subnet: ArmId): ArmAnswer {
    if (request.method !== 'DELETE') throw methodNotAllowed(request);
    const { resources, operations, settings, world, now } = this.state;
    const record = resources.get(subnet.canonical);
    if (record === undefined) throw resourceNotFound(SUBNET_TYPE, subnet.names, subnet.resourceGroup);
    const user = world.referring(CONTAINER_GROUP_TYPE, record.key)[0];
    if (user !== undefined) {
      throw new ArmError(409, 'Conflict', `The subnet '${record.id}' is used by the container group '${user.id}'.`);
    }
    const link = linksOf(record.body)[0];
    if (link === undefined) return { status: 204 };
    const seconds = settings.linkRemovalSeconds;
    if (seconds === 0) this.engine.amend(record.key, { serviceAssociationLinks: null }, now);
    else if (operations.running(link.id.toLowerCase()).length === 0) this.#forget(record, link, seconds);
    return { status: 200 };
  }

  /** Container Instances are done at once. The network goes by its own record for a while, of which it shows no operation. */
  #forget(subnet: StoredResource, link: AssociationLink, seconds: number): void {
    this.engine.start({
      target: ArmId.parse(link.id),
      rootKey: link.id.toLowerCase(),
      runningState: 'Deleting',
      location: 'global',
      action: 'delete',
      seconds,
      settles: [],
      finalState: 'Succeeded',
      removes: [],
      merges: [{ key: subnet.key, patch: { properties: { serviceAssociationLinks: null } } }],
      result: 'nothing',
      retryAfterSeconds: undefined,
      runningNotice: undefined,
    });
  }
}
