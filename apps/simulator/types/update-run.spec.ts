import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  AKS_VERSION,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  FLEETS_GROUP,
  FLEET_VERSION,
  MEMBER_1,
  POOL_1,
  type Answer,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
  textOf,
} from '../simulated-azure.harness.js';
import { FIRST_NODE_IMAGE, LATEST_NODE_IMAGE } from './node-image.js';

const PREVIEW = '2026-06-02-preview';
const RUN = `${FLEET}/updateRuns/run`;
const STRATEGY = `${FLEET}/updateStrategies/strategy`;
const MEMBER_2 = `${FLEET}/members/demo-aks02`;
const FULL = { upgrade: { type: 'Full', kubernetesVersion: '1.34.2' }, nodeImageSelection: { type: 'Latest' } };
const IMAGES = { upgrade: { type: 'NodeImageOnly' } };
const TWO_STAGES = {
  stages: [
    { name: 'first', groups: [{ name: 'canary' }], afterStageWaitInSeconds: 60 },
    { name: 'second', groups: [{ name: 'prod' }] },
  ],
};
const ONE_STAGE = { stages: [{ name: 'all', groups: [{ name: 'canary' }, { name: 'prod' }] }] };
const UPGRADE_SECONDS = 3;

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
  const patch = { version: FLEET_VERSION, body: { properties: { group: 'canary' } } };
  await azure.send('PATCH', MEMBER_1, patch);
  await azure.put(MEMBER_2, FLEET_VERSION, { properties: { clusterResourceId: CLUSTER_2, group: 'prod' } });
  azure.finishOperations();
});
afterEach(async () => azure.stop());

interface ShownStatus {
  state: string;
  startTime?: string;
  completedTime?: string;
  error?: { code: string; message: string };
}
interface ShownMember {
  name: string;
  status: ShownStatus;
  operationId?: string;
  message?: string;
}
interface ShownRun {
  status: ShownStatus;
  failureCount?: number;
  stages: {
    name: string;
    status: ShownStatus;
    groups: { name: string; status: ShownStatus; members: ShownMember[]; maxConcurrency?: number }[];
    afterStageWaitStatus?: { status: ShownStatus };
  }[];
}

async function status(version = PREVIEW): Promise<ShownRun> {
  return propertiesOf((await azure.get(RUN, version)).body).status as unknown as ShownRun;
}

/** The run's state, then those of the members in order. */
async function states(): Promise<string> {
  const shown = await status();
  const members = shown.stages.flatMap((stage) => stage.groups.flatMap((group) => group.members));
  return [shown.status.state, ...members.map((member) => member.status.state)].join(' ');
}

async function create(properties: JsonObject, version = FLEET_VERSION): Promise<Answer> {
  const answer = await azure.put(RUN, version, { properties });
  azure.finishOperations();
  return answer;
}

async function act(name: 'start' | 'stop' | 'skip', body?: JsonObject): Promise<Answer> {
  const answer = await azure.send('POST', `${RUN}/${name}`, {
    version: FLEET_VERSION,
    ...(body === undefined ? {} : { body }),
  });
  azure.finishOperations();
  return answer;
}

function pass(seconds: number): void {
  azure.clock.advance(seconds * 1000);
}

async function cluster(id: string): Promise<JsonObject> {
  return propertiesOf((await azure.get(id, AKS_VERSION)).body);
}

async function failUpgradeOf(id: string): Promise<void> {
  const failure = { match: { resourceId: id, action: 'update' }, error: { code: 'PodDrainFailure', message: 'pdb' } };
  await azure.control('POST', '/operations/fail-next', failure);
}

describe('an update run', () => {
  it('is recorded at once and does nothing until it is started', async () => {
    const made = await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    expect([made.status, propertiesOf(made.body).provisioningState]).toEqual([201, 'Succeeded']);
    expect(made.headers['azure-asyncoperation']).toContain('/operations/');
    pass(3600);
    expect(await states()).toBe('NotStarted NotStarted NotStarted');
    expect((await cluster(CLUSTER_1)).currentKubernetesVersion).toBe('1.33.5');
  });

  it('plays its stages one after the other, with the wait between them', async () => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    expect((await act('start')).status).toBe(202);
    expect(await states()).toBe('Running Running NotStarted');
    expect(await cluster(CLUSTER_1)).toMatchObject({
      provisioningState: 'Upgrading',
      kubernetesVersion: '1.34.2',
      currentKubernetesVersion: '1.33.5',
    });
    expect(codeOf(await azure.send('POST', `${CLUSTER_1}/stop`, { version: AKS_VERSION }))).toBe('OperationNotAllowed');
    pass(UPGRADE_SECONDS);
    expect(await states()).toBe('Running Completed NotStarted');
    expect((await status()).stages[0]).toMatchObject({
      status: { state: 'Running' },
      groups: [{ status: { state: 'Completed' } }],
      afterStageWaitStatus: { status: { state: 'Running' }, waitDurationInSeconds: 60 },
    });
    pass(60);
    expect(await states()).toBe('Running Completed Running');
    pass(UPGRADE_SECONDS);
    expect(await states()).toBe('Completed Completed Completed');
    expect(await cluster(CLUSTER_2)).toMatchObject({
      provisioningState: 'Succeeded',
      currentKubernetesVersion: '1.34.2',
      agentPoolProfiles: [
        { currentOrchestratorVersion: '1.34.2', nodeImageVersion: LATEST_NODE_IMAGE, provisioningState: 'Succeeded' },
      ],
    });
  });

  it('dates what happened to when it happened, however late somebody looks', async () => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    await act('start');
    const started = Date.parse((await status()).stages[0]?.groups[0]?.members[0]?.status.startTime ?? '');
    pass(86_400);
    expect(await states()).toBe('Completed Completed Completed');
    const completed = Date.parse((await status()).status.completedTime ?? '');
    expect((completed - started) / 1000).toBe(UPGRADE_SECONDS + 60 + UPGRADE_SECONDS);
  });

  it('updates the groups of a stage side by side', async () => {
    await create({ strategy: ONE_STAGE, managedClusterUpdate: FULL });
    await act('start');
    expect(await states()).toBe('Running Running Running');
  });

  it('updates all members one by one where it has no strategy', async () => {
    await create({ managedClusterUpdate: FULL });
    await act('start');
    expect(await states()).toBe('Running Running NotStarted');
    pass(UPGRADE_SECONDS);
    expect(await states()).toBe('Running Completed Running');
  });

  it.each([
    { group: { maxConcurrency: '2' }, expected: 'Running Running Running', reason: 'both at once' },
    { group: { maxConcurrency: '50%' }, expected: 'Running Running NotStarted', reason: 'half of two at once' },
    { group: {}, expected: 'Running Running NotStarted', reason: 'one after the other by default' },
  ])('updates the members of a group: $reason', async ({ group, expected }) => {
    await azure.send('PATCH', MEMBER_2, { version: FLEET_VERSION, body: { properties: { group: 'canary' } } });
    azure.finishOperations();
    const strategy = { stages: [{ name: 'all', groups: [{ name: 'canary', ...group }] }] };
    await create({ strategy, managedClusterUpdate: FULL });
    await act('start');
    expect(await states()).toBe(expected);
  });

  it.each([
    {
      update: { upgrade: { type: 'ControlPlaneOnly', kubernetesVersion: '1.34.2' } },
      version: '1.34.2',
      pool: { currentOrchestratorVersion: '1.33.5', nodeImageVersion: FIRST_NODE_IMAGE },
      reason: 'the control plane alone',
    },
    {
      update: IMAGES,
      version: '1.33.5',
      pool: { currentOrchestratorVersion: '1.33.5', nodeImageVersion: LATEST_NODE_IMAGE },
      reason: 'the node images alone',
    },
  ])('updates $reason', async ({ update, version, pool }) => {
    await create({ managedClusterUpdate: update });
    await act('start');
    pass(60);
    expect(await states()).toBe('Completed Completed Completed');
    expect(await cluster(CLUSTER_1)).toMatchObject({
      currentKubernetesVersion: version,
      agentPoolProfiles: [expect.objectContaining(pool)],
    });
  });

  it('skips what is there already', async () => {
    await create({ managedClusterUpdate: { upgrade: { type: 'ControlPlaneOnly', kubernetesVersion: '1.33.5' } } });
    await act('start');
    expect(await states()).toBe('Skipped Skipped Skipped');
  });

  it('stops at the first failure, says which, and tries it again when it is started again', async () => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    await failUpgradeOf(CLUSTER_1);
    await act('start');
    pass(3600);
    expect(await states()).toBe('Failed Failed NotStarted');
    const shown = await status();
    for (const holder of [shown, shown.stages[0], shown.stages[0]?.groups[0]]) {
      expect(holder).toMatchObject({
        status: { state: 'Failed', error: { code: 'PodDrainFailure' } },
        failureCount: 1,
      });
    }
    expect(await cluster(CLUSTER_1)).toMatchObject({
      provisioningState: 'Failed',
      currentKubernetesVersion: '1.33.5',
    });
    await act('start');
    pass(3600);
    expect(await states()).toBe('Completed Completed Completed');
    expect((await status()).status).not.toHaveProperty('error');
  });

  it('goes past failures that it is allowed, and is Completed all the same', async () => {
    const strategy = { stages: [{ name: 'all', maxAllowedFailures: '1', groups: ONE_STAGE.stages[0]?.groups ?? [] }] };
    await create({ strategy, managedClusterUpdate: FULL }, PREVIEW);
    await failUpgradeOf(CLUSTER_1);
    await act('start');
    pass(60);
    expect(await states()).toBe('Completed Failed Completed');
    expect((await status()).failureCount).toBe(1);
    expect(await status(FLEET_VERSION)).not.toHaveProperty('failureCount');
  });

  it('knows nothing of allowed failures in a version that has none', async () => {
    const strategy = { stages: [{ name: 'all', maxAllowedFailures: '1', groups: [{ name: 'canary' }] }] };
    await create({ strategy, managedClusterUpdate: FULL }, FLEET_VERSION);
    expect(propertiesOf((await azure.get(RUN, PREVIEW)).body).strategy).toEqual({
      stages: [{ name: 'all', groups: [{ name: 'canary' }] }],
    });
  });

  it('is Stopping until what runs has ended, then Stopped, and goes on from there', async () => {
    await create({ managedClusterUpdate: FULL });
    await azure.control('POST', '/settings', { lroSeconds: 30 });
    await act('start');
    pass(30);
    await azure.send('POST', `${RUN}/stop`, { version: FLEET_VERSION });
    expect(await states()).toBe('Stopping Running NotStarted');
    pass(60);
    expect(await states()).toBe('Stopped Completed NotStarted');
    await act('start');
    pass(120);
    expect(await states()).toBe('Completed Completed Completed');
  });

  it.each([
    { target: { type: 'Member', name: 'demo-aks01-demo-aks01' }, expected: 'Completed Skipped Completed' },
    { target: { type: 'Group', name: 'prod' }, expected: 'Completed Completed Skipped' },
    { target: { type: 'Stage', name: 'first' }, expected: 'Completed Skipped Completed' },
  ])('skips a $target.type before it has begun', async ({ target, expected }) => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    expect((await act('skip', { targets: [target] })).status).toBe(202);
    await act('start');
    pass(3600);
    expect(await states()).toBe(expected);
  });

  it('skips the wait between two stages', async () => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    await act('start');
    pass(UPGRADE_SECONDS);
    await act('skip', { targets: [{ type: 'AfterStageWait', name: 'first' }] });
    expect(await states()).toBe('Running Completed Running');
    expect((await status()).stages[0]?.afterStageWaitStatus?.status.state).toBe('Skipped');
  });

  it('goes on without a member that has failed once it is skipped', async () => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    await failUpgradeOf(CLUSTER_1);
    await act('start');
    pass(60);
    await act('skip', { targets: [{ type: 'Member', name: 'demo-aks01-demo-aks01' }] });
    await act('start');
    pass(3600);
    expect(await states()).toBe('Completed Skipped Completed');
  });

  it('copies its strategy', async () => {
    await azure.put(STRATEGY, FLEET_VERSION, { properties: { strategy: TWO_STAGES } });
    azure.finishOperations();
    await create({ updateStrategyId: STRATEGY, managedClusterUpdate: FULL });
    await azure.put(STRATEGY, FLEET_VERSION, { properties: { strategy: ONE_STAGE } });
    azure.finishOperations();
    expect(propertiesOf((await azure.get(RUN, FLEET_VERSION)).body)).toMatchObject({
      updateStrategyId: STRATEGY,
      strategy: TWO_STAGES,
    });
  });

  it('written back as it was read changes nothing before it is started, and is refused afterwards', async () => {
    await azure.put(STRATEGY, FLEET_VERSION, { properties: { strategy: TWO_STAGES } });
    azure.finishOperations();
    await create({ updateStrategyId: STRATEGY, managedClusterUpdate: FULL });
    const before = (await azure.get(RUN, FLEET_VERSION)).body;
    expect((await azure.put(RUN, FLEET_VERSION, before)).status).toBe(200);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(RUN, FLEET_VERSION)).body)).toEqual(propertiesOf(before));
    await act('start');
    expect(codeOf(await azure.put(RUN, FLEET_VERSION, before))).toBe('OperationNotAllowed');
  });

  it('is in Resource Graph as it goes on', async () => {
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    await act('start');
    pass(3600);
    await azure.get(RUN, FLEET_VERSION);
    pass(60);
    const rows = await azure.query(
      "aksresources | where type =~ 'microsoft.containerservice/fleets/updateruns' | project name, properties",
    );
    expect(rows.body.data).toMatchObject([
      { name: 'run', properties: { status: { status: { state: 'Completed' }, failureCount: 0 } } },
    ]);
  });

  it('ends whenever it is started anew, also by those who come late', async () => {
    await create({ strategy: ONE_STAGE, managedClusterUpdate: FULL });
    await azure.control('POST', '/settings', { lroSeconds: 0 });
    await act('start');
    expect(await states()).toBe('Completed Completed Completed');
  });
});

describe('a member whose turn has come', () => {
  it.each([
    {
      prepare: { properties: { powerState: { code: 'Stopped' } } },
      update: FULL,
      state: 'Failed',
      code: 'OperationNotAllowed',
      reason: 'is stopped: the run fails',
    },
    {
      prepare: { properties: { currentKubernetesVersion: '1.32.9' } },
      update: FULL,
      state: 'Failed',
      code: 'OperationNotAllowed',
      reason: 'is two minor versions behind',
    },
    {
      prepare: { properties: { currentKubernetesVersion: '1.35.0' } },
      update: FULL,
      state: 'Failed',
      code: 'OperationNotAllowed',
      reason: 'is ahead of the version',
    },
    {
      prepare: {},
      update: { upgrade: { type: 'Full', kubernetesVersion: '1.36.1' } },
      state: 'Pending',
      code: undefined,
      reason: 'waits for a version that is not out yet',
    },
    {
      prepare: {},
      update: {
        ...IMAGES,
        nodeImageSelection: {
          type: 'Custom',
          customNodeImageVersions: [{ version: 'AKSUbuntu-2204gen2containerd-202699.01.0' }],
        },
      },
      state: 'Pending',
      code: 'NodeImageVersionNotAvailable',
      reason: 'waits for an image that is not in its region',
    },
  ])('$reason', async ({ prepare, update, state, code }) => {
    if (Object.keys(prepare).length > 0) {
      await azure.control('POST', '/resources', { id: CLUSTER_1, operation: 'patch', body: prepare });
    }
    await create({ strategy: TWO_STAGES, managedClusterUpdate: update });
    await act('start');
    pass(3600);
    const shown = await status();
    expect([shown.status.state, shown.stages[0]?.status.state]).toEqual([state, state]);
    const member = shown.stages[0]?.groups[0]?.members[0];
    expect([member?.status.state, member?.status.error?.code]).toEqual([state, code]);
    expect(member?.message).toEqual(expect.any(String));
  });

  it('lets the next one of its group go first while it waits', async () => {
    const window = {
      maintenanceWindow: {
        schedule: { weekly: { intervalWeeks: 1, dayOfWeek: 'Saturday' } },
        durationHours: 4,
        utcOffset: '+02:00',
        startTime: '02:00',
      },
    };
    const path = `${CLUSTER_1}/maintenanceConfigurations/aksManagedAutoUpgradeSchedule`;
    expect((await azure.put(path, AKS_VERSION, { properties: window })).status).toBe(201);
    await create({ managedClusterUpdate: FULL });
    await act('start');
    pass(UPGRADE_SECONDS);
    // 2026-11-01 is a Sunday.
    expect(await states()).toBe('Pending Pending Completed');
    expect((await status()).stages[0]?.groups[0]?.members[0]?.message).toContain('2026-11-07T00:00:00.000Z');
    pass(7 * 86_400);
    expect(await states()).toBe('Completed Completed Completed');
    const completed = (await status()).status.completedTime;
    expect(completed).toBe(`2026-11-07T00:00:0${UPGRADE_SECONDS}.000Z`);
  });

  it('waits while somebody else changes its cluster, and begins when that has ended', async () => {
    const body = { tags: { touched: 'yes' } };
    await azure.control('POST', '/resources', { id: POOL_1, operation: 'patch', body, longRunning: { seconds: 30 } });
    await create({ strategy: TWO_STAGES, managedClusterUpdate: FULL });
    await act('start');
    expect(await states()).toBe('Pending Pending NotStarted');
    pass(30);
    expect(await states()).toMatch(/^Running (Running|Completed) NotStarted$/);
  });

  it('does not hold the run up once it is skipped', async () => {
    await create({ managedClusterUpdate: { upgrade: { type: 'Full', kubernetesVersion: '1.36.1' } } });
    await act('start');
    const targets = ['demo-aks01-demo-aks01', 'demo-aks02'].map((name) => ({ type: 'Member', name }));
    await act('skip', { targets });
    expect(await states()).toBe('Skipped Skipped Skipped');
  });
});

describe('an update run is refused', () => {
  const rows: { reason: string; properties: JsonObject; code: string }[] = [
    { reason: 'without an upgrade', properties: {}, code: 'InvalidRequestContent' },
    {
      reason: 'with a type that is none',
      properties: { managedClusterUpdate: { upgrade: { type: 'All' } } },
      code: 'InvalidRequestContent',
    },
    {
      reason: 'Full without a version',
      properties: { managedClusterUpdate: { upgrade: { type: 'Full' } } },
      code: 'InvalidParameter',
    },
    {
      reason: 'ControlPlaneOnly without a version',
      properties: { managedClusterUpdate: { upgrade: { type: 'ControlPlaneOnly' } } },
      code: 'InvalidParameter',
    },
    {
      reason: 'NodeImageOnly with one',
      properties: { managedClusterUpdate: { upgrade: { type: 'NodeImageOnly', kubernetesVersion: '1.34.2' } } },
      code: 'InvalidParameter',
    },
    {
      reason: 'with half a version',
      properties: { managedClusterUpdate: { upgrade: { type: 'Full', kubernetesVersion: '1.34' } } },
      code: 'InvalidParameter',
    },
    {
      reason: 'Custom without images',
      properties: { managedClusterUpdate: { ...IMAGES, nodeImageSelection: { type: 'Custom' } } },
      code: 'InvalidParameter',
    },
    {
      reason: 'with an unknown strategy',
      properties: { updateStrategyId: `${STRATEGY}x`, managedClusterUpdate: IMAGES },
      code: 'InvalidParameter',
    },
    {
      reason: 'with a strategy that is a member',
      properties: { updateStrategyId: MEMBER_1, managedClusterUpdate: IMAGES },
      code: 'InvalidParameter',
    },
    {
      reason: 'with a strategy and the id of one',
      properties: { updateStrategyId: STRATEGY, strategy: ONE_STAGE, managedClusterUpdate: IMAGES },
      code: 'InvalidParameter',
    },
    {
      reason: 'with a group that nobody is in',
      properties: { strategy: { stages: [{ name: 'a', groups: [{ name: 'nobody' }] }] }, managedClusterUpdate: IMAGES },
      code: 'InvalidParameter',
    },
  ];
  it.each(rows)('$reason', async ({ properties, code }) => {
    const answer = await azure.put(RUN, FLEET_VERSION, { properties });
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  it('of a fleet without members', async () => {
    const other = `${FLEETS_GROUP}/providers/Microsoft.ContainerService/fleets/other`;
    await azure.put(other, FLEET_VERSION, { location: 'eastus' });
    azure.finishOperations();
    const body = { properties: { managedClusterUpdate: IMAGES } };
    expect(codeOf(await azure.put(`${other}/updateRuns/run`, FLEET_VERSION, body))).toBe('InvalidParameter');
  });

  it.each([
    { name: 'Run', reason: 'upper case' },
    { name: 'a'.repeat(51), reason: '51 characters' },
  ])('under a name with $reason', async ({ name }) => {
    const answer = await azure.put(RUN.replace(/run$/, name), FLEET_VERSION, {
      properties: { managedClusterUpdate: IMAGES },
    });
    expect(codeOf(answer)).toBe('InvalidParameter');
  });

  it('as an action that its state does not allow', async () => {
    await create({ managedClusterUpdate: FULL });
    expect(codeOf(await act('stop'))).toBe('OperationNotAllowed');
    expect(codeOf(await act('skip', { targets: [{ type: 'Member', name: 'nobody' }] }))).toBe('InvalidParameter');
    expect(codeOf(await act('skip', { targets: [] }))).toBe('InvalidRequestContent');
    await azure.control('POST', '/settings', { lroSeconds: 600 });
    await act('start');
    pass(600);
    expect(await states()).toBe('Running Running NotStarted');
    expect(codeOf(await act('start'))).toBe('OperationNotAllowed');
    expect(codeOf(await azure.send('DELETE', RUN, { version: FLEET_VERSION }))).toBe('OperationNotAllowed');
  });

  it('as an action under an eTag of the past', async () => {
    await create({ managedClusterUpdate: FULL });
    const etag = textOf((await azure.get(RUN, FLEET_VERSION)).body.eTag);
    const start = (ifMatch: string): Promise<Answer> =>
      azure.send('POST', `${RUN}/start`, { version: FLEET_VERSION, headers: { 'if-match': ifMatch } });
    expect((await start('"old"')).status).toBe(412);
    expect((await start(etag)).status).toBe(202);
  });
});

describe('an update strategy', () => {
  it('is made, changed, listed and deleted', async () => {
    const made = await azure.put(STRATEGY, FLEET_VERSION, { properties: { strategy: TWO_STAGES } });
    expect([made.status, propertiesOf(made.body).provisioningState]).toEqual([201, 'Succeeded']);
    azure.finishOperations();
    expect(itemsOf(await azure.get(`${FLEET}/updateStrategies`, FLEET_VERSION))).toHaveLength(1);
    expect((await azure.put(STRATEGY, FLEET_VERSION, { properties: { strategy: ONE_STAGE } })).status).toBe(200);
    azure.finishOperations();
    expect((await azure.send('DELETE', STRATEGY, { version: FLEET_VERSION })).status).toBe(202);
    azure.finishOperations();
    expect((await azure.get(STRATEGY, FLEET_VERSION)).status).toBe(404);
  });

  const stage = (change: JsonObject): JsonObject => ({ stages: [{ name: 'a', groups: [{ name: 'g' }], ...change }] });
  const rows: { reason: string; strategy: JsonObject; code: string }[] = [
    { reason: 'without stages', strategy: { stages: [] }, code: 'InvalidParameter' },
    { reason: 'with a stage without a name', strategy: stage({ name: '' }), code: 'InvalidParameter' },
    { reason: 'with a stage without groups', strategy: stage({ groups: [] }), code: 'InvalidParameter' },
    {
      reason: 'with a group twice',
      strategy: stage({ groups: [{ name: 'g' }, { name: 'g' }] }),
      code: 'InvalidParameter',
    },
    {
      reason: 'with 51 groups in a stage',
      strategy: stage({ groups: Array.from({ length: 51 }, (_none, index) => ({ name: `g${index}` })) }),
      code: 'InvalidParameter',
    },
    { reason: 'with 51 at once', strategy: stage({ maxConcurrency: '51' }), code: 'InvalidParameter' },
    { reason: 'with 101 percent at once', strategy: stage({ maxConcurrency: '101%' }), code: 'InvalidParameter' },
    {
      reason: 'with more at once in a group than in its stage',
      strategy: stage({ maxConcurrency: '2', groups: [{ name: 'g', maxConcurrency: '3' }] }),
      code: 'InvalidParameter',
    },
    { reason: 'with a wait of text', strategy: stage({ afterStageWaitInSeconds: '1' }), code: 'InvalidRequestContent' },
  ];
  it.each(rows)('is refused $reason', async ({ strategy, code }) => {
    const answer = await azure.put(STRATEGY, FLEET_VERSION, { properties: { strategy } });
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });
});

describe('an auto-upgrade profile', () => {
  const PROFILE = `${FLEET}/autoUpgradeProfiles/profile`;
  const generate = async (): Promise<string> => {
    const answer = await azure.send('POST', `${PROFILE}/generateUpdateRun`, { version: FLEET_VERSION });
    expect(answer.status).toBe(202);
    azure.finishOperations();
    const { body } = await azure.follow(answer.headers['azure-asyncoperation']);
    expect((await azure.follow(answer.headers.location)).body).toEqual(body.properties);
    return textOf(body.id);
  };

  it.each([
    { properties: { channel: 'Stable' }, upgrade: { type: 'Full', kubernetesVersion: '1.34.2' } },
    { properties: { channel: 'Rapid' }, upgrade: { type: 'Full', kubernetesVersion: '1.35.0' } },
    { properties: { channel: 'NodeImage' }, upgrade: { type: 'NodeImageOnly' } },
    {
      properties: { channel: 'TargetKubernetesVersion', targetKubernetesVersion: '1.33' },
      upgrade: { type: 'Full', kubernetesVersion: '1.33.5' },
    },
  ])('of the channel $properties.channel makes a run that rests, once', async ({ properties, upgrade }) => {
    expect((await azure.put(PROFILE, FLEET_VERSION, { properties })).status).toBe(201);
    azure.finishOperations();
    const id = await generate();
    expect(propertiesOf((await azure.get(id, FLEET_VERSION)).body)).toMatchObject({
      autoUpgradeProfileId: PROFILE,
      managedClusterUpdate: { upgrade },
      status: { status: { state: 'NotStarted' } },
    });
    expect(await generate()).toBe(id);
    expect(itemsOf(await azure.get(`${FLEET}/updateRuns`, FLEET_VERSION))).toHaveLength(1);
  });

  it.each([
    { properties: { channel: 'Weekly' }, code: 'InvalidRequestContent', reason: 'a channel that is none' },
    {
      properties: { channel: 'Stable', updateStrategyId: STRATEGY },
      code: 'InvalidParameter',
      reason: 'a strategy that is not there',
    },
    { properties: { channel: 'TargetKubernetesVersion' }, code: 'InvalidParameter', reason: 'no target' },
    {
      properties: { channel: 'TargetKubernetesVersion', targetKubernetesVersion: '1.33.5' },
      code: 'InvalidParameter',
      reason: 'a patch as its target',
    },
  ])('is refused with $reason', async ({ properties, code }) => {
    const answer = await azure.put(PROFILE, FLEET_VERSION, { properties });
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });
});

describe('the upgrades of a cluster', () => {
  it('are the newer patches and the next minor version', async () => {
    const profile = await azure.get(`${CLUSTER_1}/upgradeProfiles/default`, AKS_VERSION);
    expect(propertiesOf(profile.body)).toEqual({
      controlPlaneProfile: {
        kubernetesVersion: '1.33.5',
        osType: 'Linux',
        upgrades: [{ kubernetesVersion: '1.34.2', isPreview: false }],
      },
      agentPoolProfiles: [expect.objectContaining({ name: 'nodepool1', kubernetesVersion: '1.33.5' })],
    });
    expect((await azure.get(`${CLUSTER_1}x/upgradeProfiles/default`, AKS_VERSION)).status).toBe(404);
    expect((await azure.put(`${CLUSTER_1}/upgradeProfiles/default`, AKS_VERSION, {})).status).toBe(405);
  });
});
