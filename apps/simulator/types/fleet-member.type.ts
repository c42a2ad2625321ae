import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import {
  FLEET_API_VERSIONS,
  FLEET_MEMBER_TYPE,
  FLEET_PROTOCOLS,
  fleetConflict,
  fleetEtag,
  parseRequest,
  preconditionFailed,
  validateFleetName,
} from './fleet.family.js';

const NAME_LENGTH = 50;
const MAXIMUM_MEMBERS = 1000;
const GROUP_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const CLUSTER_TYPES = ['microsoft.containerservice/managedclusters', 'microsoft.kubernetes/connectedclusters'];

const memberSchema = z.looseObject({
  properties: z
    .looseObject({
      clusterResourceId: z.string().optional(),
      group: z.string().optional(),
      labels: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});

export const fleetMemberType: ResourceTypeDescriptor = {
  type: FLEET_MEMBER_TYPE,
  apiVersions: FLEET_API_VERSIONS,
  tracked: false,
  graphTable: 'aksresources',
  errorShape: 'standard',
  members: [],
  readOnly: ['properties.status'],
  versioned: [{ path: 'properties.labels', since: '2026-06-01' }],
  etag: { at: 'top', format: fleetEtag, mismatch: preconditionFailed },
  protocols: FLEET_PROTOCOLS,
  recordsLastOperation: true,
  actions: new Map(),

  validateName: (name) => validateFleetName('member', NAME_LENGTH, name),
  planPut,
  planPatch,
  planDelete: (member, id) => ({
    writes: [{ id, body: member.body, state: 'Leaving' }],
    removes: [{ id, state: 'Leaving' }],
  }),
  conflict: fleetConflict,
  references: (body) => {
    const cluster = textAt(objectAt(body, 'properties'), 'clusterResourceId');
    return cluster === undefined ? [] : [cluster.toLowerCase()];
  },
};

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const properties = validated(requested);
  const cluster = textAt(properties, 'clusterResourceId');
  if (cluster === undefined) throw invalid('clusterResourceId', 'The property clusterResourceId is required.');
  const before =
    existing === undefined ? undefined : textAt(objectAt(existing.body, 'properties'), 'clusterResourceId');
  if (before !== undefined && before.toLowerCase() !== cluster.toLowerCase()) {
    throw invalid('clusterResourceId', 'The property clusterResourceId cannot be changed.');
  }
  if (before === undefined) checkJoin(id, cluster, world);
  const body: JsonObject = { ...omit(requested, ['location', 'tags']), properties };
  // The same body again re-joins the cluster, as is done after its identity changed.
  return { writes: [{ id, body, state: existing === undefined ? 'Joining' : 'Updating' }] };
}

function planPatch({ id, requested, existing }: WriteRequest & { existing: StoredResource }): WritePlan {
  const sent = objectAt(requested, 'properties');
  validated(withoutNulls(requested));
  const foreign = Object.keys(omit(sent, ['group', 'labels']))[0];
  if (foreign !== undefined)
    throw invalid(foreign, `A member can be patched in group and labels only, not in '${foreign}'.`);
  const body = { ...existing.body, properties: mergePatch(objectAt(existing.body, 'properties'), sent) };
  return { writes: [{ id, body, state: 'Updating' }] };
}

function validated(requested: JsonObject): JsonObject {
  parseRequest(memberSchema, requested);
  const properties = objectAt(requested, 'properties');
  const group = textAt(properties, 'group');
  if (group !== undefined && (group.length > NAME_LENGTH || !GROUP_PATTERN.test(group))) {
    throw invalid(
      'group',
      `The group '${group}' must match ${GROUP_PATTERN.source} and have at most ${NAME_LENGTH} characters.`,
    );
  }
  return properties;
}

/** @throws ArmError when the cluster cannot join: only its code for a second fleet is known, the others are our choice. */
function checkJoin(id: ArmId, clusterId: string, world: ResourceWorld): void {
  const cluster = ArmId.tryParse(clusterId);
  if (cluster === undefined || !CLUSTER_TYPES.includes(cluster.canonicalType)) {
    throw invalid('clusterResourceId', `'${clusterId}' is not the id of a managed cluster or a connected cluster.`);
  }
  if (world.get(cluster) === undefined) {
    throw new ArmError(
      400,
      'ClusterNotFound',
      `The cluster '${clusterId}' does not exist or cannot be read by the caller.`,
      {
        target: 'properties.clusterResourceId',
      },
    );
  }
  const membership = world.referring(FLEET_MEMBER_TYPE, cluster.canonical)[0];
  if (membership !== undefined) {
    throw new ArmError(
      409,
      'ClusterAlreadyJoinedAnotherFleet',
      `The cluster '${clusterId}' has already joined a fleet as '${membership.id}'. A cluster can be a member of one fleet only.`,
      { target: 'properties.clusterResourceId' },
    );
  }
  if (world.children(id.parent?.canonical ?? '', FLEET_MEMBER_TYPE).length >= MAXIMUM_MEMBERS) {
    throw new ArmError(400, 'QuotaExceeded', `A fleet can have at most ${MAXIMUM_MEMBERS} members.`);
  }
}

function invalid(property: string, message: string): ArmError {
  return new ArmError(400, 'InvalidParameter', message, { target: `properties.${property}` });
}
