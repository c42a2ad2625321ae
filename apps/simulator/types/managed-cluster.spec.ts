import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import {
  AKS_VERSION,
  CLUSTER_1,
  CLUSTERS_GROUP,
  POOL_1,
  RESOURCES_VERSION,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  propertiesOf,
} from '../simulated-azure.harness.js';

const NEW = `${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/managedClusters/new`;
const body = {
  location: 'eastus',
  identity: { type: 'SystemAssigned' },
  properties: {
    dnsPrefix: 'new',
    agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5' }],
  },
};

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

async function clusterAsRead(): Promise<JsonObject> {
  return (await azure.get(CLUSTER_1, AKS_VERSION)).body;
}

function profilesOf(cluster: JsonObject): JsonObject[] {
  return propertiesOf(cluster).agentPoolProfiles as JsonObject[];
}

describe('a managed cluster', () => {
  it('is made with its pools and its node resource group, and has host names when it is there', async () => {
    const made = await azure.put(NEW, AKS_VERSION, body);
    expect([made.status, propertiesOf(made.body).provisioningState]).toEqual([201, 'Creating']);
    expect(profilesOf(made.body)).toEqual([expect.objectContaining({ name: 'system', provisioningState: 'Creating' })]);
    expect(propertiesOf(made.body)).not.toHaveProperty('fqdn');
    azure.finishOperations();
    const cluster = (await azure.get(NEW, AKS_VERSION)).body;
    expect(propertiesOf(cluster)).toMatchObject({
      provisioningState: 'Succeeded',
      fqdn: expect.stringMatching(/^new-[a-z0-9]{8}\.hcp\.eastus\.azmk8s\.io$/),
      nodeResourceGroup: 'MC_demo_aks01_new_eastus',
      servicePrincipalProfile: { clientId: 'msi' },
    });
    const group = await azure.get(
      `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_demo_aks01_new_eastus`,
      RESOURCES_VERSION,
    );
    expect(group.body.managedBy).toBe(NEW);
    expect((await azure.get(`${NEW}/agentPools/system`, AKS_VERSION)).status).toBe(200);
  });

  it('has Azure CNI in overlay mode when nothing is said about the network', async () => {
    const made = await azure.put(NEW, AKS_VERSION, body);
    expect(propertiesOf(made.body).networkProfile).toMatchObject({
      networkPlugin: 'azure',
      networkPluginMode: 'overlay',
    });
    expect(profilesOf(made.body)[0]).toMatchObject({ maxPods: 250 });
  });

  it('written back as it was read changes nothing', async () => {
    const before = await clusterAsRead();
    const answer = await azure.put(CLUSTER_1, AKS_VERSION, before);
    expect([answer.status, propertiesOf(answer.body).provisioningState]).toEqual([200, 'Updating']);
    azure.finishOperations();
    const after = await clusterAsRead();
    expect({ ...after, eTag: null, systemData: null }).toEqual({ ...before, eTag: null, systemData: null });
  });

  it('keeps a property that nobody here knows, also of a pool', async () => {
    const before = await clusterAsRead();
    const profiles = profilesOf(before).map((profile) => ({ ...profile, futureOfPool: 7 }));
    await azure.put(CLUSTER_1, AKS_VERSION, {
      ...before,
      properties: { ...propertiesOf(before), futureProfile: { on: true }, agentPoolProfiles: profiles },
    });
    azure.finishOperations();
    expect(propertiesOf(await clusterAsRead()).futureProfile).toEqual({ on: true });
    expect(propertiesOf((await azure.get(POOL_1, AKS_VERSION)).body).futureOfPool).toBe(7);
  });

  it('loses what a PUT leaves out, but not what only Azure writes', async () => {
    const before = await clusterAsRead();
    const { autoUpgradeProfile: _left, addonProfiles: _out, fqdn: _readOnly, ...rest } = propertiesOf(before);
    await azure.put(CLUSTER_1, AKS_VERSION, { ...before, properties: rest });
    azure.finishOperations();
    const after = propertiesOf(await clusterAsRead());
    expect(after).not.toHaveProperty('addonProfiles');
    expect(after.fqdn).toBe(propertiesOf(before).fqdn);
  });

  it('makes, changes and removes pools by agentPoolProfiles', async () => {
    const before = await clusterAsRead();
    const [system] = profilesOf(before);
    const more = [
      { ...system, count: 2 },
      { name: 'extra', count: 1, vmSize: 'Standard_B2ms' },
    ];
    const answer = await azure.put(CLUSTER_1, AKS_VERSION, {
      ...before,
      properties: { ...propertiesOf(before), agentPoolProfiles: more },
    });
    expect(profilesOf(answer.body).map(({ name, provisioningState }) => [name, provisioningState])).toEqual([
      ['extra', 'Creating'],
      ['nodepool1', 'Scaling'],
    ]);
    azure.finishOperations();
    const less = { ...before, properties: { ...propertiesOf(before), agentPoolProfiles: [{ ...system, count: 2 }] } };
    expect(profilesOf((await azure.put(CLUSTER_1, AKS_VERSION, less)).body)[0]).toMatchObject({
      name: 'extra',
      provisioningState: 'Deleting',
    });
    azure.finishOperations();
    expect(profilesOf(await clusterAsRead())).toEqual([expect.objectContaining({ name: 'nodepool1', count: 2 })]);
  });

  it('is upgraded by another version', async () => {
    const before = await clusterAsRead();
    const answer = await azure.put(CLUSTER_1, AKS_VERSION, {
      ...before,
      properties: { ...propertiesOf(before), kubernetesVersion: '1.34' },
    });
    expect(propertiesOf(answer.body)).toMatchObject({
      provisioningState: 'Upgrading',
      currentKubernetesVersion: '1.34.2',
    });
  });

  it('takes its pools along when the request names their version, once their nodes are made anew', async () => {
    const before = await clusterAsRead();
    const profiles = profilesOf(before).map((profile) => ({ ...profile, orchestratorVersion: '1.34' }));
    const answer = await azure.put(CLUSTER_1, AKS_VERSION, {
      ...before,
      properties: { ...propertiesOf(before), kubernetesVersion: '1.34', agentPoolProfiles: profiles },
    });
    expect(profilesOf(answer.body)[0]).toMatchObject({
      provisioningState: 'Upgrading',
      currentOrchestratorVersion: '1.33.5',
    });
    azure.finishOperations();
    expect(profilesOf(await clusterAsRead())[0]).toMatchObject({
      orchestratorVersion: '1.34',
      currentOrchestratorVersion: '1.34.2',
    });
  });

  it('takes new tags by PATCH, one by one', async () => {
    const answer = await azure.send('PATCH', CLUSTER_1, {
      version: AKS_VERSION,
      body: { tags: { team: 'web', extra: 'x' } },
    });
    expect([answer.status, answer.body.tags]).toEqual([200, { environment: 'demo', team: 'web', extra: 'x' }]);
    expect(answer.headers).toHaveProperty('azure-asyncoperation');
    azure.finishOperations();
    const refused = await azure.send('PATCH', CLUSTER_1, { version: AKS_VERSION, body: { properties: {} } });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'InvalidParameter']);
  });

  it('stops and starts, with its pools', async () => {
    const stopped = await azure.send('POST', `${CLUSTER_1}/stop`, { version: AKS_VERSION });
    expect([stopped.status, stopped.text]).toEqual([202, '']);
    expect(propertiesOf(await clusterAsRead()).provisioningState).toBe('Stopping');
    azure.finishOperations();
    expect((await azure.follow(stopped.headers.location)).status).toBe(204);
    const cluster = await clusterAsRead();
    expect([propertiesOf(cluster).powerState, profilesOf(cluster)[0]?.powerState]).toEqual([
      { code: 'Stopped' },
      { code: 'Stopped' },
    ]);
    const refused = await azure.put(POOL_1, AKS_VERSION, { properties: { count: 2 } });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'OperationNotAllowed']);
    await azure.send('POST', `${CLUSTER_1}/start`, { version: AKS_VERSION });
    azure.finishOperations();
    expect(propertiesOf(await clusterAsRead()).powerState).toEqual({ code: 'Running' });
    expect((await azure.send('POST', `${CLUSTER_1}/start`, { version: AKS_VERSION })).status).toBe(204);
  });

  const change = (properties: JsonObject): JsonObject => ({
    ...body,
    properties: { ...body.properties, ...properties },
  });
  const refused: { reason: string; path: string; body: JsonObject; code: string }[] = [
    { reason: 'no pools', path: NEW, body: { ...body, properties: { dnsPrefix: 'new' } }, code: 'InvalidParameter' },
    {
      reason: 'no system pool',
      path: NEW,
      body: change({ agentPoolProfiles: [{ name: 'user', mode: 'User' }] }),
      code: 'InvalidParameter',
    },
    {
      reason: 'two pools of one name',
      path: NEW,
      body: change({ agentPoolProfiles: [{ name: 'a', mode: 'System' }, { name: 'a' }] }),
      code: 'InvalidParameter',
    },
    {
      reason: 'a pool without a name',
      path: NEW,
      body: change({ agentPoolProfiles: [{ mode: 'System' }] }),
      code: 'InvalidParameter',
    },
    {
      reason: 'no identity',
      path: NEW,
      body: { location: 'eastus', properties: body.properties },
      code: 'InvalidParameter',
    },
    {
      reason: 'no name in the DNS',
      path: NEW,
      body: { ...body, properties: { agentPoolProfiles: body.properties.agentPoolProfiles } },
      code: 'InvalidParameter',
    },
    {
      reason: 'a Kubernetes version that is not offered',
      path: NEW,
      body: change({ kubernetesVersion: '1.12' }),
      code: 'K8sVersionNotSupported',
    },
    { reason: 'pools that are no list', path: NEW, body: change({ agentPoolProfiles: {} }), code: 'UnmarshalError' },
    {
      reason: 'the node resource group of somebody else',
      path: NEW,
      body: change({ nodeResourceGroup: 'demo_aks_fleetmng' }),
      code: 'InvalidParameter',
    },
    { reason: 'a bad name', path: `${NEW}-`, body, code: 'InvalidParameter' },
    {
      reason: 'another DNS prefix than before',
      path: CLUSTER_1,
      body: change({ dnsPrefix: 'other' }),
      code: 'PropertyChangeNotAllowed',
    },
    {
      reason: 'an older version than before',
      path: CLUSTER_1,
      body: change({ dnsPrefix: 'demo-aks01-dns', kubernetesVersion: '1.31' }),
      code: 'OperationNotAllowed',
    },
    {
      reason: 'a version two minor versions ahead',
      path: CLUSTER_1,
      body: change({ dnsPrefix: 'demo-aks01-dns', kubernetesVersion: '1.35' }),
      code: 'OperationNotAllowed',
    },
  ];
  it.each(refused)('is refused with $reason', async ({ path, body: sent, code }) => {
    const answer = await azure.put(path, AKS_VERSION, sent);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
  });

  it('goes away with its pools and its node resource group', async () => {
    await azure.send('DELETE', CLUSTER_1, { version: AKS_VERSION });
    expect(propertiesOf(await clusterAsRead()).provisioningState).toBe('Deleting');
    azure.finishOperations();
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(404);
    expect((await azure.get(POOL_1, AKS_VERSION)).status).toBe(404);
    const group = `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_demo_aks01_demo-aks01_eastus`;
    expect((await azure.get(group, RESOURCES_VERSION)).status).toBe(404);
  });
});

describe('the versions that new clusters can run', () => {
  const versions = (location: string) =>
    azure.get(
      `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService/locations/${location}/kubernetesVersions`,
      AKS_VERSION,
    );

  it('are listed by region, each minor version with its patch and where that leads', async () => {
    const { status, body: offer } = await versions('eastus');
    expect(status).toBe(200);
    expect(offer.values).toContainEqual({
      version: '1.33',
      capabilities: { supportPlan: ['KubernetesOfficial', 'AKSLongTermSupport'] },
      isDefault: true,
      isPreview: false,
      patchVersions: { '1.33.5': { upgrades: ['1.34.2'] } },
    });
  });

  it('are not known of a region that is none', async () => {
    expect((await versions('moon')).status).toBe(400);
  });
});

describe('the credentials of a cluster', () => {
  async function kubeconfig(action: string, path = CLUSTER_1): Promise<{ name: string; text: string }> {
    const answer = await azure.send('POST', `${path}/${action}`, { version: AKS_VERSION });
    const [config] = answer.body.kubeconfigs as { name: string; value: string }[];
    return { name: config?.name ?? '', text: Buffer.from(config?.value ?? '', 'base64').toString('utf8') };
  }

  it('hold a token where the cluster has local accounts', async () => {
    const { name, text } = await kubeconfig('listClusterUserCredential');
    expect(name).toBe('clusterUser');
    expect(text).toMatch(/current-context: demo-aks01\n/);
    expect(text).toMatch(/name: clusterUser_demo_aks01_demo-aks01\n/);
    expect(text).toMatch(/token: [0-9a-f]{128}\n/);
    expect(text).toMatch(/server: https:\/\/localhost:80\/kubernetes\/[0-9a-f-]{36}\n/);
    expect((await kubeconfig('listClusterAdminCredential')).name).toBe('clusterAdmin');
  });

  it('call the kubelogin plugin where Entra ID decides, and a static credential is refused', async () => {
    const managed = {
      ...body,
      properties: { ...body.properties, aadProfile: { managed: true }, disableLocalAccounts: true },
    };
    await azure.put(NEW, AKS_VERSION, managed);
    azure.finishOperations();
    const { text } = await kubeconfig('listClusterUserCredential', NEW);
    expect(text).toContain('command: kubelogin');
    expect(text).toContain('- 6dae42f8-4368-4678-94ff-3960e28e3630');
    const refused = await azure.send('POST', `${NEW}/listClusterAdminCredential`, { version: AKS_VERSION });
    expect([refused.status, refused.body.code, refused.body.message]).toEqual([
      400,
      'BadRequest',
      'Getting static credential is not allowed because this cluster is set to disable local accounts.',
    ]);
  });

  it('of a cluster that is not there are not', async () => {
    expect((await azure.send('POST', `${NEW}/listClusterUserCredential`, { version: AKS_VERSION })).status).toBe(404);
  });

  it('an action that does not exist is refused', async () => {
    const answer = await azure.send('POST', `${CLUSTER_1}/explode`, { version: AKS_VERSION });
    expect([answer.status, codeOf(answer)]).toEqual([404, 'InvalidResourceType']);
  });
});
