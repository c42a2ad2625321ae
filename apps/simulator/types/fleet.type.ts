import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { deterministicUuid } from '../deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { valueAt } from '../json-path.js';
import { withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  ResourceTypeDescriptor,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import {
  FLEET_API_VERSIONS,
  FLEET_PROTOCOLS,
  FLEET_TYPE,
  fleetConflict,
  fleetEtag,
  parseRequest,
  preconditionFailed,
  validateFleetName,
} from './fleet.family.js';
import { hubClusterId, hubGroup, hubIsUp, planHub } from './fleet.hub.js';
import { kubeconfigAnswer, kubernetesUrl } from './kubeconfig.js';

const NAME_LENGTH = 63;

/** Of the hub, these are decided once. */
const IMMUTABLE = [
  'properties.hubProfile.dnsPrefix',
  'properties.hubProfile.apiServerAccessProfile.enablePrivateCluster',
  'properties.hubProfile.apiServerAccessProfile.enableVnetIntegration',
  'properties.hubProfile.apiServerAccessProfile.subnetId',
  'properties.hubProfile.agentProfile.subnetId',
];

const fleetSchema = z.looseObject({
  tags: z.record(z.string(), z.string()).optional(),
  identity: z.looseObject({ type: z.string() }).optional(),
  properties: z
    .looseObject({
      hubProfile: z
        .looseObject({
          dnsPrefix: z.string().max(54).optional(),
          apiServerAccessProfile: z.looseObject({ enablePrivateCluster: z.boolean().optional() }).optional(),
          agentProfile: z.looseObject({ vmSize: z.string().optional() }).optional(),
        })
        .optional(),
    })
    .optional(),
});

export const fleetType: ResourceTypeDescriptor = {
  type: FLEET_TYPE,
  apiVersions: FLEET_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['identity'],
  readOnly: [
    'properties.hubProfile.fqdn',
    'properties.hubProfile.portalFqdn',
    'properties.hubProfile.kubernetesVersion',
    'properties.status',
    'identity.principalId',
    'identity.tenantId',
  ],
  etag: { at: 'top', format: fleetEtag, mismatch: preconditionFailed },
  protocols: FLEET_PROTOCOLS,
  recordsLastOperation: true,
  actions: new Map([['listcredentials', listCredentials]]),

  validateName: (name) => validateFleetName('fleet', NAME_LENGTH, name),
  planPut,
  planPatch,
  planDelete: (fleet, id) => ({
    // ARM deletes children with their parent; the members' clusters themselves stay as they are.
    writes: [{ id, body: fleet.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict: fleetConflict,
  dependents: (fleet) => {
    const id = ArmId.parse(fleet.id);
    if (!hasHub(fleet.body)) return [];
    const location = textAt(fleet.body, 'location') ?? '';
    return [hubClusterId(id, location), ArmId.resourceGroup(fleet.subscriptionId, hubGroup(id, location))];
  },
};

export function hasHub(fleet: JsonObject): boolean {
  return objectAt(fleet, 'properties').hubProfile !== undefined;
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  parseRequest(fleetSchema, requested);
  const sent = objectAt(requested, 'properties');
  const wantsHub = sent.hubProfile !== undefined;
  const hadHub = existing !== undefined && hasHub(existing.body);
  if (hadHub && !wantsHub) throw hubRefusal('A fleet with a hub cannot be turned into a fleet without one.');
  const body: JsonObject = {
    ...requested,
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    ...identityOf(id, requested, world.tenantId),
    properties: wantsHub
      ? { ...sent, hubProfile: { dnsPrefix: id.name.slice(0, 54), ...objectAt(sent, 'hubProfile') } }
      : sent,
  };
  if (hadHub) refuseHubChanges(existing.body, body);
  const needsHub = wantsHub && !(hadHub && hubIsUp(id, textAt(body, 'location') ?? '', world));
  const hub = needsHub ? planHub(id, body, world) : undefined;
  return {
    writes: [{ id, body, state: existing === undefined ? 'Creating' : 'Updating' }, ...(hub?.writes ?? [])],
    groups: hub?.groups ?? [],
    merges: hub?.merges ?? [],
    ...(hub?.fails === undefined ? {} : { fails: hub.fails }),
  };
}

/** PATCH knows tags and identity. */
function planPatch({ id, requested, existing, world }: WriteRequest & { existing: StoredResource }): WritePlan {
  parseRequest(fleetSchema, withoutNulls(requested));
  const foreign = Object.keys(omit(requested, ['tags', 'identity']))[0];
  if (foreign !== undefined) {
    throw new ArmError(
      400,
      'InvalidParameter',
      `A fleet can be patched in tags and identity only, not in '${foreign}'.`,
      {
        target: foreign,
      },
    );
  }
  const merged = mergePatch(existing.body, requested);
  return { writes: [{ id, body: { ...merged, ...identityOf(id, merged, world.tenantId) }, state: 'Updating' }] };
}

function refuseHubChanges(before: JsonObject, after: JsonObject): void {
  for (const path of IMMUTABLE) {
    const old = valueAt(before, path) ?? false;
    if (old !== (valueAt(after, path) ?? false)) throw hubRefusal(`The property '${path}' cannot be changed.`);
  }
}

function hubRefusal(message: string): ArmError {
  return new ArmError(400, 'InvalidParameter', message, { target: 'properties.hubProfile' });
}

function identityOf(id: ArmId, body: JsonObject, tenantId: string): JsonObject {
  const identity = objectAt(body, 'identity');
  if (!(textAt(identity, 'type') ?? '').includes('SystemAssigned')) return {};
  return { identity: { ...identity, principalId: deterministicUuid(`principal|${id.canonical}`), tenantId } };
}

/** Always for the kubelogin plugin: a hub has no local accounts. The refusal's words for a hubless fleet are our own. */
function listCredentials({ resource, id, world, baseUrl }: ActionRequest): ActionOutcome {
  if (!hasHub(resource.body)) {
    throw new ArmError(
      400,
      'BadRequest',
      `The fleet '${resource.name}' has no hub, so there are no credentials to list.`,
    );
  }
  const location = textAt(resource.body, 'location') ?? '';
  const body = kubeconfigAnswer('clusterUser', {
    cluster: 'hub',
    server: kubernetesUrl(baseUrl, hubClusterId(id, location).canonical),
    authority: world.certificateAuthority(),
    userName: `clusterUser_${hubGroup(id, location)}_hub`,
    user: { kind: 'exec', tenantId: world.tenantId },
  });
  return { kind: 'answer', status: 200, body };
}
