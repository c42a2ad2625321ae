import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { delay, systemClock } from '#libs/kernel/clock.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { SCHEMAS_ARE_HERE, schemaFaults } from '../arm-schema.validator.js';
import { objectAt, objectsAt, textAt } from '../json-merge.js';
import { SUBSCRIPTION, SimulatedAzure, codeOf, itemsOf, propertiesOf, textOf } from '../simulated-azure.harness.js';

const GROUPS_VERSION = '2023-05-01';
const AKS = '2026-04-01';
const NETWORK = '2025-05-01';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/netcoresample/providers`;
const CLUSTER = `${GROUP}/Microsoft.ContainerService/managedClusters/netcoresampleaks`;
const SUBNET = `${GROUP}/Microsoft.Network/virtualNetworks/netcoresampleaksvnet/subnets/aksvirtualsubnet`;
const NETWORK_CONTRIBUTOR = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/4d97b98b-1d4f-4787-a291-c67834d212e7`;
const LIST = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/containerGroups`;
const NODE_GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_netcoresample_netcoresampleaks_eastus`;
const PATIENCE_MS = 15_000;

let azure: SimulatedAzure;
afterEach(async () => azure.stop());

async function start(estate: 'scenario-d' | 'scenario-e', settings = {}): Promise<void> {
  azure = await SimulatedAzure.start({
    clock: systemClock,
    estate: fileURLToPath(new URL(`../estates/${estate}.estate.json`, import.meta.url)),
    settings: { lroSeconds: 0, indexLagSeconds: 0, linkRemovalSeconds: 0, throttleScale: 0, ...settings },
  });
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}`);
    await delay(20, new AbortController().signal);
  }
}

const groups = async (): Promise<JsonObject[]> => itemsOf(await azure.get(LIST, GROUPS_VERSION));

async function running(count: number): Promise<JsonObject[]> {
  return until(`${count} container groups`, async () => {
    const all = await groups();
    const isRunning = (group: JsonObject) =>
      textAt(objectAt(propertiesOf(group), 'instanceView'), 'state') === 'Running';
    return all.length === count && all.every(isRunning) ? all : undefined;
  });
}

async function enable(): Promise<JsonObject> {
  await azure.put(SUBNET, NETWORK, { properties: { addressPrefix: '10.0.2.0/24' } });
  return setAddon({ enabled: true, config: { SubnetName: 'aksvirtualsubnet' } });
}

async function setAddon(addon: JsonObject): Promise<JsonObject> {
  const { body } = await azure.get(CLUSTER, AKS);
  const properties = { ...propertiesOf(body), addonProfiles: { ACIConnectorLinux: addon } };
  expect((await azure.put(CLUSTER, AKS, { ...body, properties })).status).toBe(200);
  const after = await azure.get(CLUSTER, AKS);
  return objectAt(objectAt(propertiesOf(after.body), 'addonProfiles'), 'aciConnectorLinux');
}

async function grant(addon: JsonObject): Promise<void> {
  const path = `${SUBNET}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001`;
  const principalId = textOf(objectAt(addon, 'identity').objectId);
  const properties = { roleDefinitionId: NETWORK_CONTRIBUTOR, principalId, principalType: 'ServicePrincipal' };
  expect((await azure.put(path, '2022-04-01', { properties })).status).toBe(201);
}

/** The schemas were made from types that know no fractions: Azure answers with 1.5 GB all the same. */
function faultsOf(group: JsonObject): string[] {
  const faults = schemaFaults('Microsoft.ContainerInstance/containerGroups', GROUPS_VERSION, 'response', group);
  return faults.filter((fault) => !fault.includes('memoryInGB must be integer'));
}

function workload(name: string, replicas: number, spec: JsonObject): JsonObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

const onVirtualNode = (image = 'example.com/web:1', more: JsonObject = {}): JsonObject => ({
  nodeSelector: { type: 'virtual-kubelet' },
  tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
  containers: [{ name: 'web', image, ...more }],
});

async function change(operation: 'put' | 'delete', ...objects: Json[]): Promise<void> {
  const path = '/kubernetes/netcoresampleaks/objects';
  expect((await azure.control('POST', path, { objects, operation })).status).toBe(200);
}

describe('the virtual nodes add-on', () => {
  it('runs pods as container groups of the node resource group, in its subnet', async () => {
    await start('scenario-e');
    await grant(await enable());
    await change('put', workload('core3webapp', 3, onVirtualNode()));
    const all = await running(3);
    for (const group of all) {
      expect(textOf(group.id).toLowerCase()).toContain(NODE_GROUP.toLowerCase());
      expect(group).toMatchObject({
        tags: { NodeName: 'virtual-node-aci-linux', Namespace: 'default' },
        properties: { ipAddress: { type: 'Private' }, subnetIds: [{ name: 'aksvirtualsubnet' }] },
      });
      const [container] = objectsAt(propertiesOf(group), 'containers');
      expect(objectAt(propertiesOf(container!), 'resources')).toEqual({ requests: { cpu: 1, memoryInGB: 1.5 } });
      if (SCHEMAS_ARE_HERE) expect(faultsOf(group)).toEqual([]);
    }
    const addresses = all.map((group) => textAt(objectAt(propertiesOf(group), 'ipAddress'), 'ip'));
    expect(new Set(addresses)).toEqual(new Set(['10.0.2.4', '10.0.2.5', '10.0.2.6']));
    const subnet = propertiesOf((await azure.get(SUBNET, NETWORK)).body);
    expect(objectsAt(subnet, 'ipConfigurations')).toHaveLength(3);
    expect(objectsAt(subnet, 'delegations')).toHaveLength(1);

    await change('put', workload('core3webapp', 1, onVirtualNode()));
    await running(1);
    expect(codeOf(await azure.send('DELETE', SUBNET, { version: NETWORK }))).toBe('InUseSubnetCannotBeDeleted');
  });

  it('has no node before the identity of its connector may use the subnet', async () => {
    await start('scenario-e');
    const addon = await enable();
    await change('put', workload('core3webapp', 1, onVirtualNode()));
    expect(await groups()).toEqual([]);
    await grant(addon);
    await running(1);
  });

  it('has no node without the role that AKS gives its identity in the node resource group', async () => {
    await start('scenario-e');
    const addon = await enable();
    const list = `${NODE_GROUP}/providers/Microsoft.Authorization/roleAssignments`;
    const [given] = itemsOf(await azure.get(list, '2022-04-01')).filter(
      (assignment) => propertiesOf(assignment).principalId === objectAt(addon, 'identity').objectId,
    );
    const type = 'Microsoft.Authorization/roleAssignments';
    if (SCHEMAS_ARE_HERE) expect(schemaFaults(type, '2022-04-01', 'response', given!)).toEqual([]);
    await azure.send('DELETE', textOf(given!.id), { version: '2022-04-01' });
    await grant(addon);
    await change('put', workload('core3webapp', 1, onVirtualNode()));
    expect(await groups()).toEqual([]);
    const { roleDefinitionId, principalId, principalType } = propertiesOf(given!);
    const properties = { roleDefinitionId, principalId, principalType } as JsonObject;
    expect((await azure.put(textOf(given!.id), '2022-04-01', { properties })).status).toBe(201);
    await running(1);
  });

  it('leaves a link on its subnet, which keeps it until the link is deleted', async () => {
    await start('scenario-e');
    await grant(await enable());
    await change('put', workload('core3webapp', 1, onVirtualNode()));
    await running(1);
    const link = `${SUBNET}/providers/Microsoft.ContainerInstance/serviceAssociationLinks/default`;
    const deletion = () => azure.send('DELETE', link, { version: GROUPS_VERSION });
    expect((await deletion()).status).toBe(409);
    await change('delete', workload('core3webapp', 1, onVirtualNode()));
    await running(0);
    const { body } = await azure.get(SUBNET, NETWORK);
    const type = 'Microsoft.Network/virtualNetworks/subnets';
    if (SCHEMAS_ARE_HERE) expect(schemaFaults(type, NETWORK, 'response', body)).toEqual([]);
    expect(codeOf(await azure.send('DELETE', SUBNET, { version: NETWORK }))).toBe('InUseSubnetCannotBeDeleted');
    const free = { ...body, properties: { ...propertiesOf(body), delegations: [] } };
    expect(codeOf(await azure.put(SUBNET, NETWORK, free))).toBe('SubnetMissingRequiredDelegation');
    expect((await deletion()).status).toBe(200);
    expect((await deletion()).status).toBe(204);
    expect((await azure.put(SUBNET, NETWORK, free)).status).toBe(200);
    expect((await azure.send('DELETE', SUBNET, { version: NETWORK })).status).toBe(202);
    expect((await deletion()).status).toBe(404);
  });

  it('ends no pod any more when its connector has died', async () => {
    await start('scenario-e');
    const addon = await enable();
    await grant(addon);
    await change('put', workload('core3webapp', 1, onVirtualNode()));
    await running(1);
    const path = `${SUBNET}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001`;
    expect((await azure.send('DELETE', path, { version: '2022-04-01' })).status).toBe(200);
    await change('delete', workload('core3webapp', 1, onVirtualNode()));
    await running(1);
    await grant(addon);
    await running(0);
  });

  it('leaves container groups behind when it is switched off under its pods', async () => {
    await start('scenario-e');
    await grant(await enable());
    await change('put', workload('core3webapp', 1, onVirtualNode()));
    await running(1);
    await setAddon({ enabled: false });
    await change('delete', workload('core3webapp', 1, onVirtualNode()));
    await running(1);
  });

  it.each([
    { reason: 'a private image without a secret', container: { image: 'shop.azurecr.io/web:1' } },
    { reason: 'arguments without a command', container: { args: ['--verbose'] } },
    { reason: 'a probe of a TCP port', container: { readinessProbe: { tcpSocket: { port: 80 } } } },
    {
      reason: 'a limit above its request',
      container: { resources: { requests: { cpu: '1', memory: '1G' }, limits: { cpu: '2' } } },
    },
    { reason: 'more cores than a group can have', container: { resources: { requests: { cpu: '8' } } } },
  ])('makes no container group of a pod with $reason', async ({ container }) => {
    await start('scenario-e');
    await grant(await enable());
    const { image, ...more } = { image: 'example.com/web:1', ...container };
    await change('put', workload('bad', 1, onVirtualNode(image, more)), workload('good', 1, onVirtualNode()));
    const [only] = await running(1);
    expect(textOf(only!.name)).toMatch(/^default-good-/);
  });

  it('runs plain init containers before the others', async () => {
    await start('scenario-e');
    await grant(await enable());
    const init = {
      name: 'init',
      image: 'busybox',
      command: ['sh', '-c'],
      args: ['true'],
      env: [{ name: 'A', value: 'b' }],
    };
    await change('put', workload('core3webapp', 1, { ...onVirtualNode(), initContainers: [init] }));
    const [group] = await running(1);
    expect(propertiesOf(group!).initContainers).toEqual([
      {
        name: 'init',
        properties: {
          image: 'busybox',
          command: ['sh', '-c', 'true'],
          environmentVariables: [{ name: 'A', value: 'b' }],
        },
      },
    ]);
    if (SCHEMAS_ARE_HERE) expect(faultsOf(group!)).toEqual([]);
  });

  it('makes no more container groups than the region allows', async () => {
    await start('scenario-e', { containerGroupLimit: 2 });
    await grant(await enable());
    await change('put', workload('core3webapp', 3, onVirtualNode()));
    await running(2);
    const usages = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/eastus/usages`;
    expect(itemsOf(await azure.get(usages, GROUPS_VERSION))).toContainEqual(
      expect.objectContaining({
        currentValue: 2,
        limit: 2,
        name: expect.objectContaining({ value: 'ContainerGroups' }),
      }),
    );
  });

  it('makes no more of them than there are cores', async () => {
    await start('scenario-e', { containerCoreLimit: 2 });
    await grant(await enable());
    await change('put', workload('core3webapp', 3, onVirtualNode()));
    await running(2);
    const usages = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/eastus/usages`;
    expect(itemsOf(await azure.get(usages, GROUPS_VERSION))).toContainEqual(
      expect.objectContaining({ currentValue: 2, limit: 2, name: expect.objectContaining({ value: 'StandardCores' }) }),
    );
  });

  it('has one size that none may exceed, which the region tells', async () => {
    await start('scenario-e');
    const path = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/EastUS/capabilities`;
    const [first, ...others] = itemsOf(await azure.get(path, GROUPS_VERSION));
    expect(first).toEqual({
      resourceType: 'containerGroups',
      osType: 'Linux',
      location: 'EASTUS',
      ipAddressType: 'Public',
      gpu: 'None',
      capabilities: { maxMemoryInGB: 16, maxCpu: 4, maxGpuCount: 0 },
    });
    expect(others).toHaveLength(2);
    expect((await azure.get(path.replace('EastUS', 'moon'), GROUPS_VERSION)).status).toBe(400);
  });

  it.each([
    { cluster: 'overlayaks', config: { SubnetName: 's' }, code: 'UnsupportedNetworkPluginModeWithNetworkPlugin' },
    { cluster: 'netcoresampleaks', config: {}, code: 'InvalidParameter' },
  ])('is refused by AKS: $code', async ({ cluster, config, code }) => {
    await start('scenario-e');
    const path = CLUSTER.replace('netcoresampleaks', cluster);
    const { body } = await azure.get(path, AKS);
    const addonProfiles = { aciConnectorLinux: { enabled: true, config } };
    const answer = await azure.put(path, AKS, { ...body, properties: { ...propertiesOf(body), addonProfiles } });
    expect(codeOf(answer)).toBe(code);
  });
});

describe('the early connector', () => {
  it('runs pods as container groups with public addresses', async () => {
    await start('scenario-d');
    const spec = {
      nodeSelector: { 'kubernetes.io/hostname': 'virtual-kubelet-aci-connector-linux-westus' },
      tolerations: [{ key: 'azure.com/aci', effect: 'NoSchedule' }],
      containers: [{ name: 'aci-helloworld', image: 'microsoft/aci-helloworld', ports: [{ containerPort: 80 }] }],
    };
    const objects = [workload('aci-helloworld', 3, spec)];
    await azure.control('POST', '/kubernetes/demo-vk/objects', { objects });
    for (const group of await running(3)) {
      expect(group).toMatchObject({ location: 'westus', properties: { ipAddress: { type: 'Public' } } });
      expect(propertiesOf(group)).not.toHaveProperty('subnetIds');
      expect(textOf(group.name)).toMatch(/^default-aci-helloworld-/);
    }
  });
});
