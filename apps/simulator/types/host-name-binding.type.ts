import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { mergePatch, objectAt, textAt } from '../json-merge.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import {
  AT_ONCE,
  CERTIFICATE_TYPE,
  DELETED_AT_ONCE,
  HOST_NAME_BINDING_TYPE,
  WEB_API_VERSIONS,
  customLocationOf,
  webConflict,
  webError,
  withoutState,
} from './app-service.family.js';

const HOST_NAME = /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/i;

/** A host name of a web app. Whether the name leads to the app in DNS is not looked at. */
export const hostNameBindingType: ResourceTypeDescriptor = {
  type: HOST_NAME_BINDING_TYPE,
  apiVersions: WEB_API_VERSIONS,
  tracked: false,
  errorShape: 'standard',
  members: ['kind'],
  readOnly: ['properties.virtualIP'],
  hidesSystemData: true,
  protocols: { put: AT_ONCE, patch: AT_ONCE, delete: DELETED_AT_ONCE },
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (!HOST_NAME.test(name)) throw webError(400, 'BadRequest', `The host name '${name}' is invalid.`);
  },
  planPut: (request) => planWrite(request, objectAt(request.requested, 'properties')),
  planPatch(request) {
    const before = withoutState(objectAt(request.existing.body, 'properties'));
    return planWrite(request, mergePatch(before, objectAt(request.requested, 'properties')));
  },
  planDelete(binding, id, world) {
    const site = id.parent === undefined ? undefined : world.get(id.parent);
    if (textAt(objectAt(site?.body, 'properties'), 'defaultHostName') === binding.name) {
      throw webError(400, 'BadRequest', `The default host name '${binding.name}' of a site cannot be removed.`);
    }
    return { writes: [{ id, body: binding.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
  },
  conflict: webConflict,
  present: (binding) => ({ ...binding.body, properties: withoutState(objectAt(binding.body, 'properties')) }),
};

function planWrite({ id, world }: WriteRequest, sent: JsonObject): WritePlan {
  const site = id.parent!;
  const properties = bindingProperties(site.name, sent);
  checkThumbprint(site, properties, world);
  return { writes: [{ id, body: { properties }, state: 'Succeeded' }] };
}

export function bindingProperties(siteName: string, sent: JsonObject): JsonObject {
  return { siteName, hostNameType: 'Verified', sslState: 'Disabled', ...sent };
}

/**
 * A host name is served with a certificate that lies where its site lies.
 * @throws ArmError NotFound
 */
export function checkThumbprint(siteId: ArmId, binding: JsonObject, world: ResourceWorld): void {
  const thumbprint = textAt(binding, 'thumbprint');
  if (thumbprint === undefined) return;
  const place = customLocationOf(world.get(siteId)?.body);
  const found = world
    .ofSubscription(CERTIFICATE_TYPE, siteId.subscriptionId ?? '')
    .some(
      ({ body }) =>
        textAt(objectAt(body, 'properties'), 'thumbprint') === thumbprint && customLocationOf(body) === place,
    );
  if (!found) throw webError(404, 'NotFound', `Cannot find Certificate with name ${thumbprint}.`, 'thumbprint');
}
