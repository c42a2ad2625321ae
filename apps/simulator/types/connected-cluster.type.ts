import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { deterministicHex, deterministicUuid } from '../deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  ResourceTypeDescriptor,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import { CONNECTED_CLUSTER_TYPE, arcConflict, badRequest } from './arc.family.js';
import { clusterToken } from './cluster.credentials.js';
import { parseRequest } from './fleet.family.js';
import { kubeconfigText } from './kubeconfig.js';

const NAME_PATTERN = /^[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?$/;
/** Where the proxy of the command line listens, and with it every kubeconfig that goes through it. */
const LOCAL_PROXY = 'https://127.0.0.1:47011/proxies';
const RELAY_TOKEN_SECONDS = 3 * 3600;

const clusterSchema = z.looseObject({
  tags: z.record(z.string(), z.string()).optional(),
  kind: z.literal('ProvisionedCluster').optional(),
  identity: z.looseObject({ type: z.enum(['SystemAssigned', 'None']) }),
  properties: z.looseObject({
    agentPublicKeyCertificate: z.string(),
    distribution: z.string().optional(),
    infrastructure: z.string().optional(),
    privateLinkState: z.enum(['Enabled', 'Disabled']).optional(),
    aadProfile: z.looseObject({ enableAzureRBAC: z.boolean().optional() }).optional(),
  }),
});

const credentialSchema = z.looseObject({ authenticationMethod: z.enum(['Token', 'AAD']), clientProxy: z.boolean() });

/**
 * A cluster somewhere that Azure knows of. The PUT makes the object in Azure and nothing else: it stays `Connecting` until
 * the agents run in the cluster. Hidden (`simulation`): `pools`, the nodes of the cluster that is imagined behind the
 * object; `kubernetesVersion`; `features`, those that the agents have from the start.
 */
export const connectedClusterType: ResourceTypeDescriptor = {
  type: CONNECTED_CLUSTER_TYPE,
  wireType: 'microsoft.kubernetes/connectedclusters',
  apiVersions: ['2021-03-01', '2021-10-01', '2024-01-01', '2026-05-01'],
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['identity', 'kind'],
  readOnly: [
    'properties.connectivityStatus',
    'properties.kubernetesVersion',
    'properties.totalNodeCount',
    'properties.totalCoreCount',
    'properties.agentVersion',
    'properties.offering',
    'properties.lastConnectivityTime',
    'properties.managedIdentityCertificateExpirationTime',
    'identity.principalId',
    'identity.tenantId',
  ],
  versioned: [
    { path: 'kind', since: '2024-01-01' },
    { path: 'properties.aadProfile', since: '2024-01-01' },
    { path: 'properties.arcAgentProfile', since: '2024-01-01' },
    { path: 'properties.securityProfile', since: '2026-05-01' },
    { path: 'properties.oidcIssuerProfile', since: '2026-05-01' },
    { path: 'properties.gateway', since: '2026-05-01' },
    { path: 'properties.arcAgentryConfigurations', since: '2026-05-01' },
  ],
  protocols: {
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: true },
    patch: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
    delete: { status: 202, body: 'null', asyncOperation: true, location: true },
  },
  polling: 'provider-hub',
  headers: (resource) => ({
    etag: `"${deterministicHex(`${resource.key}|${resource.version}`, 8)}-0000-0100-0000-${deterministicHex(resource.key, 8)}0000"`,
    'x-ms-providerhub-traffic': 'True',
  }),
  recordsLastOperation: false,
  actions: new Map([['listclusterusercredential', listClusterUserCredential]]),

  validateName(name) {
    if (NAME_PATTERN.test(name)) return;
    throw badRequest('InvalidResourceName', `The name '${name}' must match ${NAME_PATTERN.source}.`, 'name');
  },
  planPut,
  planPatch,
  planDelete: (cluster, id) => ({
    writes: [{ id, body: cluster.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict: arcConflict,
};

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  parseRequest(clusterSchema, requested);
  const connectivity = existing === undefined ? { connectivityStatus: 'Connecting' } : {};
  const body: JsonObject = {
    ...requested,
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    identity: identityOf(id, requested, world.tenantId),
    properties: {
      privateLinkState: 'Disabled',
      distribution: 'generic',
      infrastructure: 'generic',
      ...objectAt(requested, 'properties'),
      ...connectivity,
    },
  };
  return { writes: [{ id, body, state: existing === undefined ? 'Provisioning' : 'Updating' }] };
}

function planPatch({ id, requested, existing, world }: WriteRequest & { existing: StoredResource }): WritePlan {
  const foreign = Object.keys(omit(requested, ['tags', 'properties']))[0];
  if (foreign !== undefined) throw badRequest('InvalidRequestContent', `'${foreign}' cannot be patched.`, foreign);
  const merged = mergePatch(existing.body, requested);
  parseRequest(clusterSchema, withoutNulls(merged));
  return {
    writes: [{ id, body: { ...merged, identity: identityOf(id, merged, world.tenantId) }, state: 'Succeeded' }],
  };
}

function identityOf(id: ArmId, body: JsonObject, tenantId: string): JsonObject {
  const identity = objectAt(body, 'identity');
  if (textAt(identity, 'type') !== 'SystemAssigned') return identity;
  return { ...identity, principalId: deterministicUuid(`principal|${id.canonical}`), tenantId };
}

/** The cluster is reached through a relay; what is answered says how, and which kubeconfig goes with it. */
function listClusterUserCredential({ resource, requested, world }: ActionRequest): ActionOutcome {
  const { authenticationMethod, clientProxy } = parseRequest(credentialSchema, requested ?? {});
  const status = textAt(objectAt(resource.body, 'properties'), 'connectivityStatus');
  if (status === 'Connecting' || status === 'AgentNotInstalled') {
    throw badRequest(
      'HybridConnectionNotFound',
      'Hybrid connection for the target resource does not exist. Agent might not have started successfully.',
    );
  }
  const proxied = deterministicHex(`proxy|${resource.key}`, 64);
  const relay = `azgnrelay-${textAt(resource.body, 'location') ?? ''}-l1`;
  const kubeconfig = kubeconfigText({
    cluster: resource.name,
    server: `${clientProxy ? LOCAL_PROXY : `https://${relay}.servicebus.windows.net/proxies`}/${proxied}`,
    authority: world.certificateAuthority(),
    userName: `clusterUser_${resource.resourceGroup ?? ''}_${resource.name}`,
    user:
      authenticationMethod === 'AAD'
        ? { kind: 'exec', tenantId: world.tenantId }
        : { kind: 'token', token: clusterToken(resource, 'user') },
  });
  const body: JsonObject = {
    hybridConnectionConfig: {
      expirationTime: Math.floor(Date.parse(resource.modifiedAt) / 1000) + RELAY_TOKEN_SECONDS,
      hybridConnectionName: `microsoft.kubernetes/connectedclusters/${deterministicHex(resource.key, 64)}/1`,
      relay,
      relayTid: world.tenantId,
      relayType: 'Provider',
      token: `SharedAccessSignature sig=${deterministicHex(`relay|${resource.key}`, 64)}`,
    },
    kubeconfigs: [{ name: 'clusterUser', value: Buffer.from(kubeconfig, 'utf8').toString('base64') }],
  };
  return { kind: 'answer', status: 200, body };
}
