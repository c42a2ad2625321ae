import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt } from '../json-merge.js';
import type { ResourceTypeDescriptor } from '../resource-type.descriptor.js';
import { badRequest } from './arc.family.js';
import {
  HCI_API_VERSIONS,
  HCI_PROTOCOLS,
  SKUS_TYPE,
  VERSIONS_TYPE,
  hciConflict,
  validateDefaultName,
} from './hci.family.js';
import { sizeValues, versionValues } from './hci.catalog.js';

/** What a host has, as Azure keeps it below the custom location after it was asked to fetch it. */
function offerType(type: string, values: () => JsonObject[]): ResourceTypeDescriptor {
  return {
    type,
    apiVersions: HCI_API_VERSIONS,
    tracked: false,
    errorShape: 'standard',
    members: ['extendedLocation'],
    readOnly: ['properties.values'],
    protocols: HCI_PROTOCOLS,
    polling: 'provider-hub',
    recordsLastOperation: false,
    actions: new Map(),
    validateName: validateDefaultName,
    planPut({ id, requested }) {
      const state = 'Accepted';
      const body = { ...requested, properties: objectAt(requested, 'properties') };
      return { writes: [{ id, body, state }], merges: [{ id, patch: { properties: { values: values() } } }] };
    },
    planPatch(): never {
      throw badRequest('InvalidRequestContent', 'What a host has cannot be patched.');
    },
    planDelete: (resource, id) => ({
      writes: [{ id, body: resource.body, state: 'Deleting' }],
      removes: [{ id, state: 'Deleting' }],
    }),
    conflict: (target, intent, running) =>
      running.targetKey === target.canonical ? hciConflict(target, intent, running) : undefined,
  };
}

export const kubernetesVersionsType = offerType(VERSIONS_TYPE, versionValues);
export const hciSkusType = offerType(SKUS_TYPE, sizeValues);
