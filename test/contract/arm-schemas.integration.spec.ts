import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Azure } from '#libs/azure/azure.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  AzureOnSimulator,
  CLUSTER_2,
  FLEET,
  MEMBER_1,
  OperationPlayer,
  POOL_1,
  SUBSCRIPTION,
} from './azure-on-simulator.js';

const SCHEMAS = path.resolve(import.meta.dirname, '../../../shared/arm-schemas');
const available = existsSync(SCHEMAS);
if (!available)
  console.warn(`Skipped: the official ARM schemas are not at ../shared/arm-schemas beside the repository.`);

function requestValidator(type: string) {
  const file = path.join(SCHEMAS, `${type.replaceAll('/', '.')}@${armApiVersion(type)}.json`);
  const { request } = JSON.parse(readFileSync(file, 'utf8')) as { request: JsonObject };
  // The schemas carry annotations of their own ("examples" beside a type), which strict mode would refuse.
  return new Ajv2020({ strict: false, allErrors: true }).compile(request);
}

function fleetSystem(azure: Azure): System {
  return createFleetSystem(azure, new FakeKube(), { find: async () => undefined });
}

(available ? describe : describe.skip)('the bodies that we send, by the official ARM schemas', () => {
  let world: AzureOnSimulator;
  beforeEach(async () => {
    world = await AzureOnSimulator.start();
    const patch = { id: MEMBER_1, operation: 'patch', body: { properties: { group: 'canary' } } };
    await world.control('resources', patch);
  });
  afterEach(() => world.stop());

  const fleetWanted = {
    subscriptionId: SUBSCRIPTION,
    resourceGroup: 'demo_aks_fleetmng',
    name: 'aks-fleet02',
    location: 'eastus',
  };
  const joinReferences = { fleet: targetOf(FLEET, 'Fleet'), cluster: targetOf(CLUSTER_2, 'ManagedCluster') };

  const inFleet = { fleet: targetOf(FLEET, 'Fleet') };
  const canary = { name: 'first', groups: [{ name: 'canary', maxConcurrency: '50%' }], afterStageWaitSeconds: 60 };
  const updateRows = [
    {
      type: 'fleet.updateStrategy.apply',
      of: fleetSystem,
      input: { fleet: FLEET, name: 's', stages: [{ ...canary, maxConcurrency: '3' }] },
      references: inFleet,
      repeat: false,
      reason: 'with every option',
    },
    {
      type: 'fleet.updateRun.create',
      of: fleetSystem,
      input: { fleet: FLEET, name: 'r', upgrade: { type: 'NodeImageOnly' }, nodeImageSelection: 'Consistent' },
      references: inFleet,
      repeat: false,
      reason: 'one by one',
    },
    {
      type: 'fleet.updateRun.create',
      of: fleetSystem,
      input: {
        fleet: FLEET,
        name: 'r',
        upgrade: { type: 'ControlPlaneOnly', kubernetesVersion: '1.34.2' },
        stages: [{ name: 'first', groups: [{ name: 'canary' }], afterStageWaitSeconds: 1 }],
        start: false,
      },
      references: inFleet,
      repeat: false,
      reason: 'stage by stage',
    },
    {
      type: 'fleet.autoUpgradeProfile.apply',
      of: fleetSystem,
      input: {
        fleet: FLEET,
        name: 'p',
        channel: 'TargetKubernetesVersion',
        targetKubernetesVersion: '1.33',
        longTermSupport: true,
        nodeImageSelection: 'Latest',
        disabled: true,
      },
      references: inFleet,
      repeat: false,
      reason: 'with every option',
    },
  ];

  it.each([
    {
      type: 'aks.nodePool.scale',
      of: createAksSystem,
      input: { nodePool: POOL_1, count: 2 },
      references: { nodePool: targetOf(POOL_1, 'AgentPool') },
      repeat: false,
      reason: 'a change of an existing object, written back raw',
    },
    {
      type: 'fleet.create',
      of: fleetSystem,
      input: { ...fleetWanted, dnsPrefix: 'f', hubVmSize: 'Standard_D4s_v4', tags: { env: 'dev' } },
      references: {},
      repeat: false,
      reason: 'with every option',
    },
    {
      type: 'fleet.create',
      of: fleetSystem,
      input: { ...fleetWanted, hub: false },
      references: {},
      repeat: false,
      reason: 'with none',
    },
    {
      type: 'fleet.member.join',
      of: fleetSystem,
      input: { fleet: FLEET, cluster: CLUSTER_2, group: 'canary', labels: { env: 'dev' } },
      references: joinReferences,
      repeat: false,
      reason: 'a new member',
    },
    {
      type: 'fleet.member.join',
      of: fleetSystem,
      input: { fleet: FLEET, cluster: CLUSTER_2, group: 'prod' },
      references: joinReferences,
      repeat: true,
      reason: 'a change of an existing member, written back raw',
    },
    ...updateRows,
  ])('$type: $reason', async ({ type, of, input, references, repeat }) => {
    const system: System = of(world.azure);
    const operation = system.operations.find((candidate) => candidate.type === type)!;
    if (repeat) {
      await new OperationPlayer(world, operation, { ...input, group: 'canary' }, references).play();
    }
    await new OperationPlayer(world, operation, input, references).play();
    const puts = await world.requests({ method: 'PUT' });
    const put = puts.at(-1)!;
    const validate = requestValidator(ArmId.parse(put.path).type);
    validate(put.body);
    expect(validate.errors ?? []).toEqual([]);
  });
});
