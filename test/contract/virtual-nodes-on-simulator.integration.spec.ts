import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { systemClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { Secret } from '#libs/kernel/secret.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import { createKube } from '#libs/kube/kube.factory.js';
import type { Kube } from '#libs/kube/kube.js';
import { DEFAULT_KUBE_OPTIONS } from '#libs/kube/kube.options.js';
import { createAksAccess } from '#libs/systems/aks/aks.access.js';
import { createAzureSystem } from '#libs/systems/azure/azure.module.js';
import type { Verification } from '#libs/systems/contract/operation-definition.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createVirtualNodesSystem } from '#libs/systems/virtual-nodes/virtual-nodes.module.js';
import { AzureOnSimulator, OperationPlayer, SUBSCRIPTION } from './azure-on-simulator.js';
import { watchedCluster } from './clusters-on-simulator.js';

const ESTATE = fileURLToPath(new URL('../../apps/simulator/estates/scenario-e.estate.json', import.meta.url));
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/netcoresample/providers`;
const clusterId = (name: string): string => `${GROUP}/Microsoft.ContainerService/managedClusters/${name}`;
const CLUSTER = clusterId('netcoresampleaks');
const NETWORK = `${GROUP}/Microsoft.Network/virtualNetworks/netcoresampleaksvnet`;
const SCHEMAS = path.resolve(import.meta.dirname, '../../../shared/arm-schemas');
const available = existsSync(SCHEMAS);
if (!available)
  console.warn(`Skipped: the official ARM schemas are not at ../shared/arm-schemas beside the repository.`);

const call = { correlationId: 'c', signal: new AbortController().signal };

describe('virtual nodes on the simulator', () => {
  let world: AzureOnSimulator;
  let kube: Kube;
  let system: System;

  beforeEach(async () => {
    const settings = { lroSeconds: 0, indexLagSeconds: 0, throttleScale: 0 };
    world = await AzureOnSimulator.start({ clock: systemClock, settings, estate: ESTATE });
    const known = watchedCluster(CLUSTER, 'ManagedCluster');
    const clusters = { find: async (uid: string) => (uid === known.uid ? known : undefined) };
    kube = createKube(DEFAULT_KUBE_OPTIONS, {
      providers: [createAksAccess(world.azure)],
      tokens: async () => ({ token: new Secret('simulated'), expiresAt: new Date(Date.now() + 3_600_000) }),
      findCluster: clusters.find,
    });
    system = createVirtualNodesSystem(world.azure, kube, clusters);
  });

  afterEach(async () => {
    await kube.close();
    await world.stop();
  });

  function player(type: string, input: JsonObject, kind: Record<string, string>): OperationPlayer {
    const operations = [...system.operations, ...createAzureSystem(world.azure).operations];
    const operation = operations.find((candidate) => candidate.type === type)!;
    const references = Object.entries(kind).map(([field, name]) => [field, targetOf(input[field] as string, name)]);
    return new OperationPlayer(world, operation, input, Object.fromEntries(references));
  }

  async function reached(playing: OperationPlayer): Promise<Extract<Verification, { verdict: 'reached' }>> {
    const verification = await playing.play();
    if (verification.verdict !== 'reached') throw new Error(verification.message);
    return verification;
  }

  const enable = (input: JsonObject = {}) =>
    player(
      'virtualNodes.enable',
      { cluster: CLUSTER, subnetName: 'aksvirtualsubnet', subnetPrefix: '10.0.2.0/24', ...input },
      { cluster: 'ManagedCluster' },
    );

  async function collected(): Promise<Observation[]> {
    const [collector] = system.collectors;
    const run = collector!.collect(collector!.scopes([SUBSCRIPTION])[0]!, call);
    const seen: Observation[] = [];
    for (let next = await run.next(); next.done !== true; next = await run.next()) seen.push(...next.value);
    return seen;
  }

  it('come up with their subnet, their role and their node, and go again', async () => {
    await reached(enable());
    const { result } = await reached(enable());
    expect(result).toMatchObject({ subnet: `${NETWORK}/subnets/aksvirtualsubnet` });
    const seen = await collected();
    expect(seen.map(({ kind }) => kind).sort()).toEqual([
      // That on the subnet, and that of AKS in the node resource group.
      'RoleAssignment',
      'RoleAssignment',
      'Subnet',
      'Subnet',
      'Subnet',
      'VirtualNetwork',
    ]);
    const disable = player('virtualNodes.disable', { cluster: CLUSTER }, { cluster: 'ManagedCluster' });
    expect((await reached(disable)).absent).toHaveLength(1);
  });

  it('let a workload burst, and show each of its pods as a container group', async () => {
    await reached(enable());
    const spec = { containers: [{ name: 'web', image: 'example.com/web:1' }] };
    const labels = { app: 'web' };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    };
    await world.control('kubernetes/netcoresampleaks/objects', { objects: [deployment] });
    const { uid } = ArmId.parse(CLUSTER);
    const workload = KubernetesId.of({
      clusterUid: uid,
      group: 'apps',
      kind: 'Deployment',
      namespace: 'default',
      name: 'web',
    });
    const input = { workload: workload.canonical, replicas: 3 };
    const burst = player('virtualNodes.workload.burst', input, { workload: 'Workload' });
    // The runner hands on what a step has put down.
    for (let outcome = await burst.runStep('place'); ; outcome = await burst.runStep('settle')) {
      if (outcome.outcome === 'done' && outcome.output !== undefined) burst.context.outputs = { place: outcome.output };
      else if (outcome.outcome === 'done') break;
      else await world.pass(0.05);
    }
    const groups = (await collected()).filter(({ kind }) => kind === 'ContainerGroup');
    expect(groups).toHaveLength(3);
    for (const { health, relations } of groups) {
      expect(health.state).toBe('Healthy');
      expect(relations.map(({ type }) => type).sort()).toEqual(['hosts', 'placedOn', 'runsOn']);
    }
  });

  (available ? it : it.skip)('send what the official ARM types allow', async () => {
    await reached(enable());
    const subnet = { network: NETWORK, name: 'spare', prefix: '10.0.9.0/24', delegation: 'Microsoft.Web/serverFarms' };
    await reached(player('azure.subnet.create', subnet, { network: 'VirtualNetwork' }));
    const grant = { scope: NETWORK, role: 'Reader', principalId: '00000000-0000-4000-8000-00000000000a' };
    await reached(player('azure.roleAssignment.create', grant, { scope: 'VirtualNetwork' }));
    const disable = player('virtualNodes.disable', { cluster: CLUSTER }, { cluster: 'ManagedCluster' });
    await reached(disable);
    const puts = await world.requests({ method: 'PUT' });
    expect(puts).toHaveLength(6);
    for (const { path: sent, body } of puts) {
      const { type } = ArmId.parse(sent);
      const file = path.join(SCHEMAS, `${type.replaceAll('/', '.')}@${armApiVersion(type)}.json`);
      const { request } = JSON.parse(readFileSync(file, 'utf8')) as { request: JsonObject };
      const validate = new Ajv2020({ strict: false, allErrors: true }).compile(request);
      validate(body);
      expect({ type, errors: validate.errors ?? [] }).toEqual({ type, errors: [] });
    }
  });
});
