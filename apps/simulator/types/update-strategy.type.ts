import { objectAt } from '../json-merge.js';
import { ArmError } from '../arm-error.js';
import type { ResourceTypeDescriptor, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import {
  FLEET_API_VERSIONS,
  FLEET_PROTOCOLS,
  UPDATE_STRATEGY_TYPE,
  fleetConflict,
  fleetEtag,
  preconditionFailed,
  validateFleetName,
} from './fleet.family.js';
import { VERSIONED_STRATEGY, checkedStages, knownTo } from './update-strategy.body.js';

const NAME_LENGTH = 50;

/** A sequence of stages and groups that update runs are made from. Its groups need no members until then. */
export const updateStrategyType: ResourceTypeDescriptor = {
  type: UPDATE_STRATEGY_TYPE,
  apiVersions: FLEET_API_VERSIONS,
  tracked: false,
  graphTable: 'aksresources',
  errorShape: 'standard',
  members: [],
  readOnly: [],
  versioned: VERSIONED_STRATEGY,
  etag: { at: 'top', format: fleetEtag, mismatch: preconditionFailed },
  protocols: FLEET_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map(),

  validateName: (name) => validateFleetName('update strategy', NAME_LENGTH, name),
  planPut,
  planPatch(): never {
    throw new ArmError(405, 'MethodNotAllowed', 'An update strategy is changed by PUT.');
  },
  planDelete: (strategy, id) => ({
    writes: [{ id, body: strategy.body, state: 'Succeeded' }],
    removes: [{ id, state: 'Succeeded' }],
  }),
  conflict: fleetConflict,
};

function planPut({ id, requested, apiVersion }: WriteRequest): WritePlan {
  const body = knownTo(apiVersion, requested);
  checkedStages(objectAt(objectAt(body, 'properties'), 'strategy'));
  return { writes: [{ id, body: { properties: objectAt(body, 'properties') }, state: 'Succeeded' }] };
}
