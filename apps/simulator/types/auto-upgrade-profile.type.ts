import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { withoutPath } from '../json-path.js';
import { objectAt, textAt } from '../json-merge.js';
import type {
  ActionOutcome,
  ActionRequest,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import {
  AUTO_UPGRADE_PROFILE_TYPE,
  FLEET_ACTION_PROTOCOL,
  FLEET_API_VERSIONS,
  FLEET_PROTOCOLS,
  fleetConflict,
  fleetEtag,
  parseRequest,
  preconditionFailed,
  validateFleetName,
} from './fleet.family.js';
import { minorOf, newestPatchOf, offeredVersions } from './kubernetes-version.js';
import { LATEST_NODE_IMAGE } from './node-image.js';
import { plannedRun } from './update-run.type.js';

const NAME_LENGTH = 50;
const VERSIONED = ['targetKubernetesVersion', 'longTermSupport'].map((member) => ({
  path: `properties.${member}`,
  since: '2026-02-01-preview',
}));

const profileSchema = z.looseObject({
  properties: z.looseObject({
    channel: z.enum(['Stable', 'Rapid', 'NodeImage', 'TargetKubernetesVersion']),
    updateStrategyId: z.string().optional(),
    nodeImageSelection: z.looseObject({ type: z.enum(['Latest', 'Consistent']) }).optional(),
    disabled: z.boolean().optional(),
    targetKubernetesVersion: z.string().optional(),
    longTermSupport: z.boolean().optional(),
  }),
});

/** Makes update runs when new versions come out, which never happens here, and when it is asked to. */
export const autoUpgradeProfileType: ResourceTypeDescriptor = {
  type: AUTO_UPGRADE_PROFILE_TYPE,
  apiVersions: FLEET_API_VERSIONS,
  tracked: false,
  graphTable: 'aksresources',
  errorShape: 'standard',
  members: [],
  readOnly: ['properties.autoUpgradeProfileStatus'],
  versioned: VERSIONED,
  etag: { at: 'top', format: fleetEtag, mismatch: preconditionFailed },
  protocols: FLEET_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map([['generateupdaterun', generateUpdateRun]]),

  validateName: (name) => validateFleetName('auto-upgrade profile', NAME_LENGTH, name),
  planPut,
  planPatch(): never {
    throw new ArmError(405, 'MethodNotAllowed', 'An auto-upgrade profile is changed by PUT.');
  },
  planDelete: (profile, id) => ({
    writes: [{ id, body: profile.body, state: 'Succeeded' }],
    removes: [{ id, state: 'Succeeded' }],
  }),
  conflict: fleetConflict,
};

function planPut({ id, requested, apiVersion, world }: WriteRequest): WritePlan {
  let body = requested;
  for (const { path, since } of VERSIONED) if (apiVersion < since) body = withoutPath(body, path);
  const { properties } = parseRequest(profileSchema, body);
  const strategyId = properties.updateStrategyId;
  if (strategyId !== undefined && world.get(strategyId) === undefined) {
    throw invalid('updateStrategyId', `The update strategy '${strategyId}' does not exist.`);
  }
  const target = properties.targetKubernetesVersion;
  if ((properties.channel === 'TargetKubernetesVersion') !== (target !== undefined)) {
    const rule =
      'targetKubernetesVersion is required for the channel TargetKubernetesVersion, and allowed for no other.';
    throw invalid('targetKubernetesVersion', rule);
  }
  if (target !== undefined && !/^\d+\.\d+$/.test(target)) {
    throw invalid('targetKubernetesVersion', `'${target}' is not a minor version such as 1.33.`);
  }
  return { writes: [{ id, body: { properties: objectAt(body, 'properties') }, state: 'Succeeded' }] };
}

/** The run is named after what it brings, so that it is made once; one that is there stays as it is. It is not started. */
function generateUpdateRun({ id, resource, world }: ActionRequest): ActionOutcome {
  const properties = objectAt(resource.body, 'properties');
  const fleet = id.parent;
  if (fleet === undefined) throw new TypeError(`The profile ${id.toString()} has no fleet`);
  const version = versionOf(properties);
  const suffix = (version ?? LATEST_NODE_IMAGE).toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const run = fleet.child('updateRuns', `${resource.name}-${suffix}`.slice(0, NAME_LENGTH).replace(/-+$/, ''));
  const writes: WritePlan['writes'] = [{ id, body: resource.body, state: 'Succeeded' }];
  if (world.get(run) === undefined) {
    const body = {
      properties: { ...runProperties(run, properties, version, world), autoUpgradeProfileId: resource.id },
    };
    writes.push({ id: run, body, state: 'Succeeded' });
  }
  return {
    kind: 'operation',
    plan: { writes, output: { id: run.toString() } },
    protocol: { ...FLEET_ACTION_PROTOCOL, body: 'empty' },
  };
}

function runProperties(run: ArmId, profile: JsonObject, version: string | undefined, world: ResourceWorld): JsonObject {
  const selection = objectAt(profile, 'nodeImageSelection');
  const strategyId = textAt(profile, 'updateStrategyId');
  const upgrade: JsonObject =
    version === undefined ? { type: 'NodeImageOnly' } : { type: 'Full', kubernetesVersion: version };
  const wanted: JsonObject = {
    ...(strategyId === undefined ? {} : { updateStrategyId: strategyId }),
    managedClusterUpdate: { upgrade, nodeImageSelection: { type: textAt(selection, 'type') ?? 'Latest' } },
  };
  return plannedRun(run, wanted, world);
}

/** The Kubernetes version that the channel stands for today; undefined for the channel of node images. */
function versionOf(profile: JsonObject): string | undefined {
  const newest = offeredVersions().at(-1) ?? '';
  const minor = minorOf(newest);
  switch (profile.channel) {
    case 'NodeImage':
      return undefined;
    case 'Stable':
      return newestPatchOf(`1.${minor - 1}`);
    case 'TargetKubernetesVersion': {
      const target = textAt(profile, 'targetKubernetesVersion') ?? '';
      const patch = newestPatchOf(target);
      if (patch !== undefined) return patch;
      throw new ArmError(400, 'InvalidParameter', `There is no release of the Kubernetes version ${target}.`);
    }
    default:
      return newest;
  }
}

function invalid(property: string, message: string): ArmError {
  return new ArmError(400, 'InvalidParameter', message, { target: `properties.${property}` });
}
