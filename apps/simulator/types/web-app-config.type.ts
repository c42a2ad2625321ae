import type { JsonObject } from '#libs/kernel/json.js';
import { mergePatch, objectAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ActionOutcome, ActionRequest, ResourceTypeDescriptor } from '../resource-type.descriptor.js';
import {
  AT_ONCE,
  DELETED_AT_ONCE,
  SITE_CONFIG_TYPE,
  WEB_API_VERSIONS,
  webConflict,
  webError,
  withoutState,
} from './app-service.family.js';

const SETTINGS = 'appsettings';

/** The configuration of a web app (`web`), and its settings (`appsettings`), whose values only an action tells. */
export const webAppConfigType: ResourceTypeDescriptor = {
  type: SITE_CONFIG_TYPE,
  apiVersions: WEB_API_VERSIONS,
  tracked: false,
  errorShape: 'standard',
  members: ['kind'],
  readOnly: [],
  hidesSystemData: true,
  protocols: { put: AT_ONCE, patch: AT_ONCE, delete: DELETED_AT_ONCE },
  recordsLastOperation: false,
  actions: new Map([['list', list]]),

  validateName(name) {
    if (name !== 'web' && name !== SETTINGS) throw webError(404, 'NotFound', `There is no configuration '${name}'.`);
  },
  planPut: ({ id, requested }) => ({
    writes: [{ id, body: { properties: objectAt(requested, 'properties') }, state: 'Succeeded' }],
  }),
  planPatch({ id, requested, existing }) {
    if (id.name.toLowerCase() === SETTINGS) {
      throw webError(405, 'MethodNotAllowed', 'The settings are replaced as a whole.');
    }
    const properties = mergePatch(propertiesOf(existing), objectAt(requested, 'properties'));
    return { writes: [{ id, body: { properties }, state: 'Succeeded' }] };
  },
  planDelete() {
    throw webError(405, 'MethodNotAllowed', 'The configuration of a site cannot be deleted.');
  },
  conflict: webConflict,
  present: (config) => ({ properties: config.name.toLowerCase() === SETTINGS ? {} : propertiesOf(config) }),
};

function list({ resource, id }: ActionRequest): ActionOutcome {
  const body = { id: id.toString(), name: resource.name, type: SITE_CONFIG_TYPE, properties: propertiesOf(resource) };
  return { kind: 'answer', status: 200, body };
}

function propertiesOf(config: StoredResource): JsonObject {
  return withoutState(objectAt(config.body, 'properties'));
}
