import { dump } from 'js-yaml';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { ApiResource } from '../kubernetes-object.js';
import { groupOfApiVersion } from './manifest.order.js';

const OLD_GROUP = 'fleet.azure.com';
const NETWORKING_GROUP = 'networking.fleet.azure.com';
const PLACEMENT_GROUP = 'placement.kubernetes-fleet.io';
const PLACEMENT_API = `${PLACEMENT_GROUP}/v1`;
const MEMBER_API = 'cluster.kubernetes-fleet.io/v1';
const PLACEMENT_KINDS = new Set(['ClusterResourcePlacement', 'ResourcePlacement']);
/** What only a server writes. */
const SERVER_METADATA = new Set([
  'creationTimestamp',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
]);

export interface OutdatedFleetDocument {
  code: 'OUTDATED_FLEET_API' | 'OUTDATED_PLACEMENT_SHAPE';
  message: string;
  remedy: string;
  /** What to write today, as a complete YAML document; null where there is no equivalent. */
  replacement: string | null;
}

/**
 * Recognises what was written for the preview of Fleet Manager (2022). A server does not know `fleet.azure.com` any more;
 * the old shape of a placement under today's API is worse, since a hub that does not check fields strictly drops the
 * selector with a warning and places on every member.
 */
export function findOutdatedFleetDocument(object: JsonObject): OutdatedFleetDocument | undefined {
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const group = groupOfApiVersion(apiVersion);
  if (group === OLD_GROUP) return outdatedPreview(object, apiVersion, kind);
  if (group !== PLACEMENT_GROUP || !PLACEMENT_KINDS.has(kind) || !hasOldShape(object)) return undefined;
  return {
    code: 'OUTDATED_PLACEMENT_SHAPE',
    message:
      'clusterSelectorTerms stands directly under clusterAffinity; a hub would drop it and place on every member.',
    remedy: 'Put clusterSelectorTerms under requiredDuringSchedulingIgnoredDuringExecution: see the replacement.',
    replacement: documentText({ ...object, apiVersion: PLACEMENT_API, spec: placementSpec(object) }),
  };
}

/** A document of Fleet networking in a version that the hub does not serve, while it serves the kind in another one. */
export function outdatedNetworking(object: JsonObject, served: ApiResource): OutdatedFleetDocument | undefined {
  if (served.group !== NETWORKING_GROUP) return undefined;
  const today = `${served.group}/${served.version}`;
  return {
    code: 'OUTDATED_FLEET_API',
    message: `The hub serves ${served.kind} as ${today}.`,
    remedy: `Write apiVersion: ${today}.`,
    replacement: documentText({ ...object, apiVersion: today }),
  };
}

function outdatedPreview(object: JsonObject, apiVersion: string, kind: string): OutdatedFleetDocument {
  const message = `${apiVersion} was the preview of Fleet Manager; no hub serves it any more.`;
  const code = 'OUTDATED_FLEET_API';
  switch (kind) {
    case 'ClusterResourcePlacement':
      return {
        code,
        message,
        remedy: `Write ${PLACEMENT_API}: see the replacement.`,
        replacement: documentText({ ...object, apiVersion: PLACEMENT_API, spec: placementSpec(object) }),
      };
    case 'MemberCluster': {
      const { state: _state, ...spec } = memberOf(object, 'spec');
      return {
        code,
        message,
        remedy: 'Use fleet.member.join: the hub makes its MemberClusters itself when a cluster joins.',
        replacement: documentText({ ...object, apiVersion: MEMBER_API, spec }),
      };
    }
    case 'InternalMemberCluster':
      return {
        code,
        message,
        remedy: 'Use fleet.member.join: the hub makes its InternalMemberClusters itself when a cluster joins.',
        replacement: documentText({ ...object, apiVersion: MEMBER_API }),
      };
    default:
      return { code, message, remedy: `There is no ${kind} in today's API.`, replacement: null };
  }
}

function hasOldShape(object: JsonObject): boolean {
  return clusterAffinityOf(object).clusterSelectorTerms !== undefined;
}

function clusterAffinityOf(object: JsonObject): JsonObject {
  return memberOf(memberOf(memberOf(memberOf(object, 'spec'), 'policy'), 'affinity'), 'clusterAffinity');
}

/** In the preview, cluster names went before the affinity; without either, every member was meant. */
function placementSpec(object: JsonObject): JsonObject {
  const spec = memberOf(object, 'spec');
  if (!isJsonObject(spec.policy)) return spec;
  const { affinity: oldAffinity, placementType, ...policy } = spec.policy;
  if (Array.isArray(policy.clusterNames) && policy.clusterNames.length > 0) {
    return { ...spec, policy: { placementType: 'PickFixed', ...policy } };
  }
  const { clusterNames: _empty, ...rest } = policy;
  const affinity = isJsonObject(oldAffinity) ? { affinity: todaysAffinity(oldAffinity) } : {};
  return { ...spec, policy: { placementType: placementType ?? 'PickAll', ...rest, ...affinity } };
}

function todaysAffinity(affinity: JsonObject): JsonObject {
  const { clusterSelectorTerms, ...clusterAffinity } = memberOf(affinity, 'clusterAffinity');
  if (clusterSelectorTerms === undefined) return affinity;
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  // Where both are there, only the new one counts for a hub.
  const moved = clusterAffinity[required] === undefined ? { [required]: { clusterSelectorTerms } } : {};
  return { ...affinity, clusterAffinity: { ...clusterAffinity, ...moved } };
}

function documentText(object: JsonObject): string {
  const { apiVersion, kind, metadata, spec, status: _status, ...rest } = object;
  const kept = isJsonObject(metadata)
    ? Object.fromEntries(Object.entries(metadata).filter(([name]) => !SERVER_METADATA.has(name)))
    : {};
  const document = { apiVersion, kind, metadata: kept, ...(spec === undefined ? {} : { spec }), ...rest };
  return dump(document, { noRefs: true, lineWidth: -1 });
}

function memberOf(object: JsonObject, name: string): JsonObject {
  const value: Json | undefined = object[name];
  return isJsonObject(value) ? value : {};
}
