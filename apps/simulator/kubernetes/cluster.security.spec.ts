import { beforeEach, describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ManualClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { principalOfToken } from '../authentication.js';
import { AzureState } from '../azure.state.js';
import { loadEstate } from '../estate.loader.js';
import { parseEstate } from '../estate.schema.js';
import { ResourceEngine } from '../resource.engine.js';
import { ResourceTypeRegistry } from '../resource-type.registry.js';
import { RESOURCE_TYPES } from '../resource-types.js';
import { DEFAULT_SETTINGS } from '../simulator.settings.js';
import type { SimulatorSettings } from '../simulator.settings.js';
import { clusterToken } from '../types/cluster.credentials.js';
import type { AccessAttributes } from './cluster.objects.js';
import { AzureClusterSecurity } from './cluster.security.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourcegroups/g`;
const OID = '11111111-2222-4333-8444-555555555555';
const FLEET_ROLES = {
  clusterAdmin: '18ab4d3d-a1bf-4477-8ad9-8359bc988f69',
  admin: '434fb43a-c01c-447e-9f67-c3ad923cfaba',
  writer: '5af6afb3-c06c-4fa4-8848-71a8aee05683',
  reader: '30b27cfc-9c84-438e-b0ce-70e35255df80',
};
const AKS_ADMIN = 'b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b';

let clock: ManualClock;
let state: AzureState;

function cluster(name: string, properties: JsonObject): JsonObject {
  return {
    type: 'Microsoft.ContainerService/managedClusters',
    name,
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    properties: { dnsPrefix: name, agentPoolProfiles: [{ name: 'p', mode: 'System', count: 1 }], ...properties },
  };
}

beforeEach(() => {
  clock = new ManualClock('2026-11-01T10:00:00Z');
  state = new AzureState(new ResourceTypeRegistry(RESOURCE_TYPES), clock, { ...DEFAULT_SETTINGS });
  const resources = [
    cluster('local', {}),
    cluster('entra', { aadProfile: { managed: true } }),
    cluster('azure', { aadProfile: { managed: true, enableAzureRBAC: true } }),
    cluster('closed', { aadProfile: { managed: true, enableAzureRBAC: true }, disableLocalAccounts: true }),
    {
      type: 'Microsoft.ContainerService/fleets',
      name: 'fleet',
      location: 'eastus',
      properties: { hubProfile: {} },
    },
  ];
  const estate = parseEstate({
    tenantId: '2f4a9838-26b7-47ee-be60-ccc1fdec5953',
    createdAt: '2026-01-01T00:00:00Z',
    subscriptions: [
      {
        subscriptionId: SUBSCRIPTION,
        displayName: 's',
        resourceGroups: [{ name: 'g', location: 'eastus', resources }],
      },
    ],
  });
  loadEstate(estate, state, new ResourceEngine(state));
});

function securityOf(name: string, tokens?: string[]): AzureClusterSecurity {
  return new AzureClusterSecurity({
    state,
    clusterKey: keyOf(name),
    fleetKey: undefined,
    tokens: tokens === undefined ? undefined : new Set(tokens),
  });
}

function keyOf(name: string): string {
  return `${GROUP}/providers/microsoft.containerservice/managedclusters/${name}`;
}

function set(settings: Partial<SimulatorSettings>): void {
  state.settings = { ...state.settings, ...settings };
}

function jwt(claims: JsonObject): string {
  const part = (value: JsonObject): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.signature`;
}

describe('authentication', () => {
  const forClusters = '6dae42f8-4368-4678-94ff-3960e28e3630';
  const tokens: { cluster: string; token: string | undefined; user: string | undefined; reason: string }[] = [
    { cluster: 'local', token: undefined, user: undefined, reason: 'no token is nobody' },
    {
      cluster: 'local',
      token: 'any',
      user: undefined,
      reason: 'a cluster without Entra ID knows its own tokens alone',
    },
    { cluster: 'entra', token: 'any', user: principalOfToken('any'), reason: 'a bearer token of ARM is good here too' },
    { cluster: 'azure', token: jwt({ oid: OID, aud: forClusters }), user: OID, reason: 'the holder of the token' },
    { cluster: 'azure', token: jwt({ oid: OID, aud: `spn:${forClusters}/` }), user: OID, reason: 'another spelling' },
    {
      cluster: 'azure',
      token: jwt({ oid: OID, aud: 'https://management.azure.com' }),
      user: undefined,
      reason: 'a token for ARM is none for a cluster',
    },
    {
      cluster: 'azure',
      token: jwt({ oid: OID, aud: forClusters, exp: Date.parse('2026-11-01T10:00:00Z') / 1000 }),
      user: undefined,
      reason: 'its time is over',
    },
  ];
  it.each(tokens)('$cluster: $reason', ({ cluster: name, token, user }) => {
    expect(securityOf(name).authenticate(token)?.name).toBe(user);
  });

  it.each([
    { cluster: 'local', account: 'user', user: 'masterclient' },
    { cluster: 'local', account: 'admin', user: 'masterclient' },
    { cluster: 'local', account: 'monitoring', user: 'clusterMonitoringUser' },
    { cluster: 'entra', account: 'admin', user: 'masterclient' },
  ] as const)('the static token of $account of $cluster is $user', ({ cluster: name, account, user }) => {
    const token = clusterToken(state.resources.get(keyOf(name))!, account);
    expect(securityOf(name).authenticate(token)?.name).toBe(user);
  });

  it('no static token is good where local accounts are disabled', () => {
    const token = clusterToken(state.resources.get(keyOf('closed'))!, 'admin');
    expect(securityOf('closed').authenticate(token)?.groups).not.toContain('system:masters');
  });

  it('of the tokens that ARM was told, no other is good', () => {
    expect(securityOf('azure', ['good']).authenticate('good')?.name).toBe(principalOfToken('good'));
    expect(securityOf('azure', ['good']).authenticate('bad')).toBeUndefined();
  });
});

describe('authorisation', () => {
  const fleetKey = `${GROUP}/providers/microsoft.containerservice/fleets/fleet`;

  function hub(): AzureClusterSecurity {
    const hubCluster = `/subscriptions/${SUBSCRIPTION}/resourcegroups/fl_g_fleet_eastus/providers/microsoft.containerservice/managedclusters/hub`;
    return new AzureClusterSecurity({ state, clusterKey: hubCluster, fleetKey, tokens: undefined });
  }

  function assign(scope: string, role: string, principalId: string): void {
    new ResourceEngine(state).write(
      ArmId.parse(`${scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001`),
      { properties: { roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${role}`, principalId } },
      'test',
      state.now,
    );
  }

  function wish(verb: string, resource: string, namespace = 'default', group = ''): AccessAttributes {
    return { verb, group, resource, subresource: '', namespace, name: '', nonResourcePath: undefined };
  }

  const user = { name: OID, groups: ['system:authenticated'] };

  it('refuses in the words of Azure without an assignment', () => {
    expect(hub().authorize(user, wish('list', 'pods'))).toEqual({
      allowed: false,
      reason: 'User does not have access to the resource in Azure. Update role assignment to allow access.',
    });
  });

  it.each([{ scope: fleetKey }, { scope: GROUP }, { scope: `/subscriptions/${SUBSCRIPTION}` }])(
    'holds from $scope on, once it has spread',
    ({ scope }) => {
      set({ rolePropagationSeconds: 60 });
      assign(scope, FLEET_ROLES.clusterAdmin, OID);
      expect(hub().authorize(user, wish('list', 'pods')).allowed).toBe(false);
      clock.advance(60_000);
      expect(hub().authorize(user, wish('list', 'pods')).allowed).toBe(true);
    },
  );

  it.each([
    { scope: keyOf('azure'), role: FLEET_ROLES.clusterAdmin, principal: OID, reason: 'of another resource' },
    { scope: fleetKey, role: AKS_ADMIN, principal: OID, reason: 'for clusters, not for fleets' },
    { scope: fleetKey, role: FLEET_ROLES.clusterAdmin, principal: SUBSCRIPTION, reason: 'of someone else' },
  ])('an assignment $reason does not help', ({ scope, role, principal }) => {
    set({ rolePropagationSeconds: 0 });
    assign(scope, role, principal);
    expect(hub().authorize(user, wish('list', 'pods')).allowed).toBe(false);
  });

  const rights: { role: keyof typeof FLEET_ROLES; wish: AccessAttributes; allowed: boolean; reason: string }[] = [
    { role: 'reader', wish: wish('watch', 'pods'), allowed: true, reason: 'reading' },
    { role: 'reader', wish: wish('get', 'secrets'), allowed: false, reason: 'secrets would give more than reading' },
    { role: 'reader', wish: wish('update', 'pods'), allowed: false, reason: 'a write' },
    { role: 'writer', wish: wish('create', 'deployments', 'a', 'apps'), allowed: true, reason: 'a write' },
    {
      role: 'writer',
      wish: wish('create', 'roles', 'a', 'rbac.authorization.k8s.io'),
      allowed: false,
      reason: 'roles would give more',
    },
    { role: 'writer', wish: wish('create', 'namespaces', ''), allowed: false, reason: 'outside of namespaces' },
    {
      role: 'admin',
      wish: wish('create', 'rolebindings', 'a', 'rbac.authorization.k8s.io'),
      allowed: true,
      reason: 'roles of a namespace',
    },
    { role: 'admin', wish: wish('create', 'resourcequotas', 'a'), allowed: false, reason: 'quotas limit the admin' },
    { role: 'clusterAdmin', wish: wish('create', 'namespaces', ''), allowed: true, reason: 'everything' },
  ];
  it.each(rights)('$role, $wish.verb $wish.resource: $allowed ($reason)', ({ role, wish: wanted, allowed }) => {
    set({ rolePropagationSeconds: 0 });
    assign(fleetKey, FLEET_ROLES[role], OID);
    expect(hub().authorize(user, wanted).allowed).toBe(allowed);
  });

  it('is everyone’s on clusters by default, and on hubs where the settings say so', () => {
    expect(securityOf('azure').authorize(user, wish('delete', 'nodes', '')).allowed).toBe(true);
    set({ clusterAccess: 'assigned', hubAccess: 'everyone' });
    expect(securityOf('azure').authorize(user, wish('delete', 'nodes', '')).allowed).toBe(false);
    expect(hub().authorize(user, wish('delete', 'nodes', '')).allowed).toBe(true);
  });

  it('without Azure RBAC is the cluster’s own affair', () => {
    expect(securityOf('entra').authorize(user, wish('get', 'pods'))).toEqual({ allowed: false, reason: '' });
    expect(securityOf('entra').authenticate('any')?.groups).toContain('system:masters');
    set({ clusterAccess: 'assigned' });
    expect(securityOf('entra').authenticate('any')?.groups).not.toContain('system:masters');
  });
});
