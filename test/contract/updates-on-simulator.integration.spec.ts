import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  AzureOnSimulator,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  MEMBER_1,
  MEMBER_2,
  OperationPlayer,
} from './azure-on-simulator.js';

const RUN = `${FLEET}/updateRuns/run`;
const STRATEGY = `${FLEET}/updateStrategies/strategy`;
const PROFILE = `${FLEET}/autoUpgradeProfiles/profile`;
const NAME_1 = 'demo-aks01-demo-aks01';
const NAME_2 = 'demo-aks02-demo-aks01';
const FULL = { type: 'Full', kubernetesVersion: '1.34.2' };
const STAGES = [
  { name: 'first', groups: [{ name: 'canary' }], afterStageWaitSeconds: 30 },
  { name: 'second', groups: [{ name: 'prod' }] },
];
const fleet = targetOf(FLEET, 'Fleet');
const run = targetOf(RUN, 'FleetUpdateRun');
const strategy = targetOf(STRATEGY, 'FleetUpdateStrategy');
const profile = targetOf(PROFILE, 'FleetAutoUpgradeProfile');

let world: AzureOnSimulator;
let system: System;
beforeEach(async () => {
  world = await AzureOnSimulator.start();
  system = createFleetSystem(world.azure, new FakeKube(), { find: async () => undefined });
  await foreign(MEMBER_1, 'patch', { properties: { group: 'canary' } });
  await foreign(MEMBER_2, 'upsert', { properties: { clusterResourceId: CLUSTER_2, group: 'prod' } });
  world.advance(10);
});
afterEach(() => world.stop());

async function foreign(id: string, operation: string, body: JsonObject, longRunning?: JsonObject): Promise<void> {
  await world.control('resources', { id, operation, body, ...(longRunning === undefined ? {} : { longRunning }) });
}

function operation(type: string): OperationDefinition {
  const found = system.operations.find((candidate) => candidate.type === type);
  if (found === undefined) throw new Error(`There is no operation ${type}`);
  return found;
}

function player(type: string, input: JsonObject): OperationPlayer {
  const references = {
    fleet,
    run,
    profile,
    ...(input.strategy === undefined && type !== 'fleet.updateStrategy.delete' ? {} : { strategy }),
  };
  return new OperationPlayer(world, operation(type), input, references);
}

function create(input: JsonObject = {}): OperationPlayer {
  return player('fleet.updateRun.create', { fleet: FLEET, name: 'run', upgrade: FULL, stages: STAGES, ...input });
}

const start = (input: JsonObject = {}): OperationPlayer => player('fleet.updateRun.start', { run: RUN, ...input });
const stop = (): OperationPlayer => player('fleet.updateRun.stop', { run: RUN });
const skip = (...targets: JsonObject[]): OperationPlayer => player('fleet.updateRun.skip', { run: RUN, targets });
const apply = (stages: JsonObject[] = STAGES): OperationPlayer =>
  player('fleet.updateStrategy.apply', { fleet: FLEET, name: 'strategy', stages });

async function posts(): Promise<string[]> {
  const all = await world.requests({ method: 'POST' });
  return all.filter(({ path }) => path.startsWith(RUN)).map(({ path }) => path.slice(RUN.length + 1));
}

async function state(): Promise<unknown> {
  const reading = await world.azure.arm.get(RUN, '2026-06-01', { correlationId: 'c' });
  const status = reading.state === 'found' ? (reading.body.properties as JsonObject).status : undefined;
  return ((status as JsonObject | undefined)?.status as JsonObject | undefined)?.state;
}

const failUpgrade = (id: string): Promise<JsonObject> =>
  world.control('operations/fail-next', {
    match: { resourceId: id, action: 'update' },
    error: { code: 'PodDrainFailure', message: 'A budget forbids it.' },
  });

describe('an update run', () => {
  it('is created and started: creating alone would do nothing', async () => {
    const operation = create();
    expect((await operation.findings()).filter((finding) => finding.startsWith('error'))).toEqual([]);
    await expect(operation.play()).resolves.toMatchObject({
      verdict: 'reached',
      result: { name: 'run', state: 'Running', memberCount: 2 },
      observations: [{ kind: 'FleetUpdateRun', health: { state: 'Progressing' }, source: 'OPERATION' }],
    });
    expect(await world.writes()).toEqual([`PUT ${RUN}`]);
    expect(await posts()).toEqual(['start']);
  });

  it('is only recorded when that is all that is wanted', async () => {
    await expect(create({ start: false }).play()).resolves.toMatchObject({ result: { state: 'NotStarted' } });
    expect(await posts()).toEqual([]);
  });

  it('is followed to its end, saying how far it is, and the clusters are upgraded', async () => {
    const operation = create({ waitFor: 'completed' });
    const said: string[] = [];
    for (const step of ['create', 'skip', 'start', 'follow']) {
      for (;;) {
        const outcome = await operation.runStep(step);
        if (step === 'follow') said.push(outcome.outcome === 'failed' ? outcome.error.message : outcome.message);
        if (outcome.outcome === 'done') break;
        if (outcome.outcome === 'failed') throw outcome.error;
        // Its end is Fleet Manager's work: whoever cancels need not wait for it.
        if (step === 'follow') expect(outcome.outcome).toBe('blocked');
        await world.pass(2);
      }
    }
    expect(said[0]).toBe('Running: stage 1 of 2 (first): 0 of 2 members are done, 1 running.');
    expect(said).toContainEqual(expect.stringContaining('The next stage begins 30 s after this one.'));
    expect(said).toContainEqual(expect.stringContaining('stage 2 of 2 (second): 1 of 2 members are done, 1 running.'));
    expect(said.at(-1)).toContain('2 of 2 members updated');
    await expect(player('fleet.updateRun.start', { run: RUN, waitFor: 'completed' }).play()).resolves.toMatchObject({
      result: { state: 'Completed', completedCount: 2, failedCount: 0 },
    });
    const cluster = await world.azure.arm.get(CLUSTER_2, '2026-04-01', { correlationId: 'c' });
    expect(cluster).toMatchObject({ body: { properties: { currentKubernetesVersion: '1.34.2' } } });
  });

  it('that fails names the member, and goes on from there when it is started again', async () => {
    await failUpgrade(CLUSTER_1);
    await expect(create({ waitFor: 'completed' }).play()).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      externalCode: 'PodDrainFailure',
      message: expect.stringContaining(NAME_1),
    });
    expect(await state()).toBe('Failed');
    const again = start({ waitFor: 'completed' });
    expect(await again.findings()).toEqual(['info FAILED_MEMBERS_RETRIED']);
    await expect(again.play()).resolves.toMatchObject({ result: { state: 'Completed', completedCount: 2 } });
  });

  it('that is completed although a member has failed is no success', async () => {
    const strategy = {
      stages: [{ name: 'all', maxAllowedFailures: '1', groups: [{ name: 'canary' }, { name: 'prod' }] }],
    };
    const body = { properties: { strategy, managedClusterUpdate: { upgrade: FULL } } };
    await world.azure.arm.put(RUN, '2026-06-02-preview', body, { correlationId: 'c' });
    world.advance(10);
    await failUpgrade(CLUSTER_1);
    await expect(start({ waitFor: 'completed' }).play()).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      message: expect.stringContaining('is completed, but 1 of 2 members have failed'),
    });
    expect(await state()).toBe('Completed');
    const collector = system.collectors[0];
    await expect(
      collector?.observe(run, { correlationId: 'c', signal: new AbortController().signal }),
    ).resolves.toMatchObject({
      observations: [{ health: { state: 'Degraded', reason: expect.stringContaining(NAME_1) } }],
    });
  });

  it('is sent once when the worker dies before it could save the token', async () => {
    const operation = create();
    await operation.runStep('create');
    operation.forgetToken();
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await world.writes()).toEqual([`PUT ${RUN}`]);
  });

  it('is started once when the answer to the start is lost', async () => {
    await create({ start: false }).play();
    await world.control('faults', {
      match: { method: 'POST', path: '/start' },
      fault: { type: 'drop-after-effect' },
      times: 1,
    });
    const operation = start();
    await expect(operation.runStep('start')).rejects.toMatchObject({ code: 'AZURE_UNAVAILABLE' });
    world.advance(5);
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await posts()).toEqual(['start']);
  });

  it('is stopped when what runs has ended, and goes on when it is started again', async () => {
    await world.control('settings', { lroSeconds: 20 });
    await create().play();
    const operation = stop();
    expect(await operation.findings()).toEqual(['info UPGRADES_RUNNING']);
    await expect(operation.play()).resolves.toMatchObject({ result: { state: 'Stopped', completedCount: 1 } });
    await expect(start({ waitFor: 'completed' }).play()).resolves.toMatchObject({ result: { completedCount: 2 } });
  });

  it('that was stopped behind the back of the one who waits ends the waiting', async () => {
    const operation = create({ waitFor: 'completed' });
    for (const step of ['create', 'skip', 'start']) {
      while ((await operation.runStep(step)).outcome !== 'done') await world.pass(2);
    }
    await stop().play();
    await expect(operation.runStep('follow')).resolves.toMatchObject({
      outcome: 'failed',
      error: { externalCode: 'UpdateRunStopped' },
    });
  });

  it('can be stopped, and parts of it skipped, while an operation waits for its end', () => {
    const references = { fleet, run };
    const { input } = create().context;
    const lockOf = (type: string): string => operation(type).target(input, references).lock;
    expect(lockOf('fleet.updateRun.stop')).not.toBe(lockOf('fleet.updateRun.create'));
    expect(lockOf('fleet.updateRun.skip')).toBe(lockOf('fleet.updateRun.stop'));
    expect(lockOf('fleet.updateRun.delete')).toBe(lockOf('fleet.updateRun.create'));
  });

  it.each([
    { targets: [{ type: 'Member', name: NAME_1 }], expected: { skippedCount: 1, completedCount: 1 } },
    { targets: [{ type: 'Stage', name: 'second' }], expected: { skippedCount: 1, completedCount: 1 } },
    {
      targets: [
        { type: 'Group', name: 'canary' },
        { type: 'Group', name: 'prod' },
      ],
      expected: { state: 'Skipped', skippedCount: 2 },
    },
  ])('leaves $targets out', async ({ targets, expected }) => {
    await create({ start: false }).play();
    await expect(skip(...targets).play()).resolves.toMatchObject({ verdict: 'reached' });
    await expect(start({ waitFor: 'completed' }).play()).resolves.toMatchObject({ result: expected });
    expect(await posts()).toEqual(['skip', 'start']);
  });

  it('leaves a stopped cluster out from the beginning', async () => {
    await foreign(CLUSTER_1, 'patch', { properties: { powerState: { code: 'Stopped' } } });
    world.advance(10);
    expect(await create().findings()).toContain('error CLUSTER_STOPPED');
    const operation = create({ skip: [{ type: 'Member', name: NAME_1 }], waitFor: 'completed' });
    expect((await operation.findings()).filter((finding) => finding.startsWith('error'))).toEqual([]);
    await expect(operation.play()).resolves.toMatchObject({ result: { completedCount: 1, skippedCount: 1 } });
  });

  it('skips nothing that is under way', async () => {
    await world.control('settings', { lroSeconds: 60 });
    await create().play();
    const operation = skip({ type: 'Member', name: NAME_1 });
    expect(await operation.findings()).toEqual(['warning TARGET_RUNNING']);
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached', result: { skippedCount: 0 } });
  });

  it('is deleted when it has ended, and not before', async () => {
    await world.control('settings', { lroSeconds: 60 });
    await create().play();
    const remove = (): OperationPlayer => player('fleet.updateRun.delete', { run: RUN });
    expect(await remove().findings()).toEqual(['error RUN_ACTIVE']);
    await stop().play();
    await expect(remove().play()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: RUN }] });
    expect(await remove().findings()).toEqual(['info RUN_NOT_FOUND']);
  });

  it('shows before it is made whom it would update, and when', async () => {
    const operation = create();
    const plan = await system.operations
      .find((candidate) => candidate.type === 'fleet.updateRun.create')
      ?.plan?.(operation.context);
    expect(plan).toMatchObject({
      stages: [
        { name: 'first', groups: [{ name: 'canary', members: [{ name: NAME_1 }] }] },
        { name: 'second', groups: [{ name: 'prod', members: [{ name: NAME_2 }] }] },
      ],
    });
    expect(await world.writes()).toEqual([]);
  });
});

describe('what is found before an update run is made', () => {
  interface Row {
    reason: string;
    prepare?: () => Promise<unknown>;
    input?: JsonObject;
    found: string;
  }
  const window = {
    schedule: { weekly: { intervalWeeks: 1, dayOfWeek: 'Saturday' } },
    durationHours: 4,
    startTime: '02:00',
  };
  const rows: Row[] = [
    {
      reason: 'the clusters are two minor versions behind',
      prepare: () => foreign(CLUSTER_1, 'patch', { properties: { currentKubernetesVersion: '1.32.9' } }),
      found: 'error VERSION_NOT_OFFERED',
    },
    {
      reason: 'the version is not out',
      input: { upgrade: { type: 'Full', kubernetesVersion: '1.36.0' } },
      found: 'error VERSION_NOT_OFFERED',
    },
    {
      reason: 'the members are there already',
      input: { upgrade: { type: 'ControlPlaneOnly', kubernetesVersion: '1.33.5' } },
      found: 'info MEMBERS_AT_VERSION',
    },
    {
      reason: 'AKS upgrades a cluster by itself',
      prepare: () => foreign(CLUSTER_1, 'patch', { properties: { autoUpgradeProfile: { upgradeChannel: 'stable' } } }),
      found: 'warning AUTO_UPGRADE_ON',
    },
    {
      reason: 'somebody changes a cluster',
      prepare: () => foreign(CLUSTER_1, 'patch', { tags: { a: 'b' } }, { seconds: 600 }),
      found: 'warning CLUSTER_BUSY',
    },
    {
      reason: 'a cluster is at fault',
      prepare: () => foreign(CLUSTER_1, 'patch', { properties: { provisioningState: 'Failed' } }),
      found: 'warning CLUSTER_NOT_READY',
    },
    {
      reason: 'a cluster was deleted without leaving the fleet',
      prepare: () => foreign(CLUSTER_2, 'delete', {}),
      found: 'error CLUSTER_NOT_FOUND',
    },
    {
      reason: 'nobody is in a group',
      input: { stages: [{ name: 'a', groups: [{ name: 'nobody' }, { name: 'prod' }] }] },
      found: 'error GROUP_WITHOUT_MEMBERS',
    },
    {
      reason: 'a member is in no group of the sequence',
      input: { stages: [{ name: 'a', groups: [{ name: 'prod' }] }] },
      found: 'warning MEMBERS_NOT_IN_SEQUENCE',
    },
    {
      reason: 'what is to be skipped is not there',
      input: { skip: [{ type: 'Group', name: 'nobody' }] },
      found: 'error SKIP_TARGET_NOT_FOUND',
    },
    {
      reason: 'the fleet is empty',
      prepare: async () => {
        for (const member of [MEMBER_1, MEMBER_2]) await foreign(member, 'delete', {});
      },
      found: 'error FLEET_WITHOUT_MEMBERS',
    },
    { reason: 'the fleet is not there', prepare: () => foreign(FLEET, 'delete', {}), found: 'error FLEET_NOT_FOUND' },
    {
      reason: 'the strategy is not there',
      input: { strategy: STRATEGY },
      found: 'error STRATEGY_NOT_FOUND',
    },
    {
      reason: 'the run is there as it is wanted',
      prepare: () => create({ start: false }).play(),
      found: 'info RUN_EXISTS',
    },
    {
      reason: 'another run has the name',
      prepare: () => create({ start: false, upgrade: { type: 'NodeImageOnly' } }).play(),
      found: 'error RUN_NAME_TAKEN',
    },
    {
      reason: 'another run is under way over the same members',
      prepare: async () => {
        await world.control('settings', { lroSeconds: 600 });
        await create({ name: 'other' }).play();
        world.advance(10);
      },
      found: 'warning MEMBERS_IN_OTHER_RUN',
    },
    {
      reason: 'a cluster has a maintenance window',
      prepare: () =>
        foreign(`${CLUSTER_1}/maintenanceConfigurations/aksManagedAutoUpgradeSchedule`, 'upsert', {
          properties: { maintenanceWindow: window },
        }),
      found: 'info MAINTENANCE_WINDOWS',
    },
    {
      reason: 'the index cannot be asked for the clusters',
      prepare: () => world.control('faults', { match: { kind: 'graph' }, fault: { type: 'error', status: 500 } }),
      found: 'info CLUSTERS_UNREAD',
    },
  ];
  it.each(rows)('$found: $reason', async ({ prepare, input = {}, found }) => {
    await prepare?.();
    world.advance(10);
    const sequence = input.strategy === undefined ? { stages: STAGES } : {};
    const given = { fleet: FLEET, name: 'run', upgrade: FULL, ...sequence, ...input };
    expect(await player('fleet.updateRun.create', given).findings()).toContain(found);
  });

  it('offers what every member can go to', async () => {
    await foreign(CLUSTER_1, 'patch', { properties: { currentKubernetesVersion: '1.32.9' } });
    world.advance(10);
    const findings = await operation('fleet.updateRun.create').preflight(create().context);
    expect(findings.find(({ code }) => code === 'VERSION_NOT_OFFERED')).toMatchObject({
      evidence: { offeredToAll: ['1.33.5'], members: [NAME_1] },
      remedy: expect.stringContaining('1.33.5'),
    });
  });

  it.each<{ input: JsonObject; path: string; reason: string }>([
    { input: { upgrade: { type: 'Full' } }, path: 'upgrade.kubernetesVersion', reason: 'Full without a version' },
    {
      input: { upgrade: { type: 'NodeImageOnly', kubernetesVersion: '1.34.2' } },
      path: 'upgrade.kubernetesVersion',
      reason: 'node images with a version',
    },
    { input: { nodeImageSelection: 'Custom' }, path: 'nodeImageVersions', reason: 'Custom without images' },
    { input: { nodeImageVersions: ['x'] }, path: 'nodeImageVersions', reason: 'images without Custom' },
    { input: { strategy: STRATEGY }, path: 'stages', reason: 'a strategy and stages' },
    { input: { start: false, waitFor: 'completed' }, path: 'waitFor', reason: 'the end of what is not started' },
    {
      input: { stages: [...STAGES, { name: 'first', groups: [{ name: 'x' }] }] },
      path: 'stages.2.name',
      reason: 'two stages of one name',
    },
  ])('refuses $reason at once', ({ input, path }) => {
    const definition = operation('fleet.updateRun.create');
    const parsed = definition.input.parse({ fleet: FLEET, name: 'run', upgrade: FULL, stages: STAGES, ...input });
    expect(() => definition.target(parsed, { fleet, strategy })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', violations: [expect.objectContaining({ path })] }),
    );
  });
});

describe('an update strategy', () => {
  it('is created, changed and deleted', async () => {
    await expect(apply().play()).resolves.toMatchObject({ verdict: 'reached', result: { name: 'strategy' } });
    expect(await apply().findings()).toEqual(['info STRATEGY_EXISTS']);
    const other = [{ name: 'all', groups: [{ name: 'canary', maxConcurrency: '2' }, { name: 'prod' }] }];
    await expect(apply(other).play()).resolves.toMatchObject({
      observations: [{ properties: { strategy: { stages: [{ name: 'all' }] } } }],
    });
    const remove = player('fleet.updateStrategy.delete', { strategy: STRATEGY });
    await expect(remove.play()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: STRATEGY }] });
  });

  it('says that runs under way keep the copy they have', async () => {
    await apply().play();
    await world.control('settings', { lroSeconds: 600 });
    const made = { fleet: FLEET, name: 'run', upgrade: FULL, strategy: STRATEGY };
    await player('fleet.updateRun.create', made).play();
    const other = [{ name: 'all', groups: [{ name: 'nobody' }] }];
    expect(await apply(other).findings()).toEqual([
      'info STRATEGY_CHANGES',
      'warning RUNS_KEEP_THEIR_COPY',
      'warning GROUP_WITHOUT_MEMBERS',
    ]);
  });
});

describe('an auto-upgrade profile', () => {
  const applied = (input: JsonObject = {}): OperationPlayer =>
    player('fleet.autoUpgradeProfile.apply', { fleet: FLEET, name: 'profile', channel: 'Stable', ...input });

  it('is created, changed and deleted', async () => {
    await apply().play();
    await applied({ strategy: STRATEGY }).play();
    expect(await player('fleet.updateStrategy.delete', { strategy: STRATEGY }).findings()).toEqual([
      'warning PROFILES_USE_IT',
    ]);
    await expect(applied({ channel: 'NodeImage', disabled: true }).play()).resolves.toMatchObject({
      observations: [{ relations: [{ type: 'owns' }], health: { state: 'Unknown', reason: 'It is switched off.' } }],
    });
    const remove = player('fleet.autoUpgradeProfile.delete', { profile: PROFILE });
    await expect(remove.play()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: PROFILE }] });
  });

  it('makes an update run that rests, and gives the same one again', async () => {
    await applied().play();
    const generate = (): OperationPlayer => player('fleet.autoUpgradeProfile.generateUpdateRun', { profile: PROFILE });
    const played = async (): Promise<unknown> => {
      const operation = generate();
      for (;;) {
        const outcome = await operation.runStep('generate');
        if (outcome.outcome === 'done') return outcome.output;
        await world.pass(2);
      }
    };
    const first = await played();
    expect(first).toEqual({ updateRun: `${FLEET}/updateRuns/profile-1-34-2` });
    expect(await generate().findings()).toEqual(['info RUNS_OF_PROFILE', 'info RUN_NOT_STARTED']);
    expect(await played()).toEqual(first);
    const definition = operation('fleet.autoUpgradeProfile.generateUpdateRun');
    const context = { ...generate().context, outputs: { generate: first as JsonObject } };
    await expect(definition.verify(context)).resolves.toMatchObject({
      result: { name: 'profile-1-34-2', state: 'NotStarted', memberCount: 2 },
      observations: [{ kind: 'FleetUpdateRun', health: { reason: 'It has not been started.' } }],
    });
  });
});
