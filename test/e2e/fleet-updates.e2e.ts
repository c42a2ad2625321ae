import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups`;
const clusterId = (name: string): string =>
  `${GROUP}/demo_aks01/providers/Microsoft.ContainerService/managedClusters/${name}`;
const FLEET = `${GROUP}/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
const runId = (name: string): string => `${FLEET}/updateRuns/${name}`;
const STRATEGY = `${FLEET}/updateStrategies/canary-first`;
const FIRST = 'demo-aks01-demo-aks01';
const SECOND = 'demo-aks02-demo-aks01';
const STAGES = [
  { name: 'first', groups: [{ name: 'canary' }], afterStageWaitSeconds: 2 },
  { name: 'second', groups: [{ name: 'prod' }] },
];
const IMAGES = { type: 'NodeImageOnly' };
const to = (kubernetesVersion: string) => ({ type: 'Full', kubernetesVersion });

/** What Fleet Manager does itself: updates of many clusters, in an order, with a way to stop and to leave out. */
describe('updates of a fleet', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
    await stack.does('fleet.member.join', { fleet: FLEET, cluster: clusterId('demo-aks01'), group: 'canary' });
    await stack.does('fleet.member.join', { fleet: FLEET, cluster: clusterId('demo-aks02'), group: 'prod' });
    await stack.does('fleet.updateStrategy.apply', { fleet: FLEET, name: 'canary-first', stages: STAGES });
  }, 180_000);

  afterAll(() => stack.stop(), 60_000);

  async function begins(type: string, input: Record<string, unknown>): Promise<string> {
    const accepted = await stack.startOperation(type, input);
    expect(accepted).toMatchObject({ status: 202 });
    return accepted.body.id;
  }

  async function ended(type: string, input: Record<string, unknown>): Promise<Answer['body']> {
    return stack.endOf(await begins(type, input));
  }

  const create = (name: string, input: Record<string, unknown>): Record<string, unknown> => ({
    fleet: FLEET,
    name,
    strategy: STRATEGY,
    ...input,
  });

  async function failUpgradeOf(cluster: string): Promise<void> {
    const failure = {
      match: { resourceId: clusterId(cluster), action: 'update' },
      error: { code: 'PodDrainFailure', message: 'A disruption budget forbids it.' },
    };
    expect((await stack.simulator('/operations/fail-next', { method: 'POST', body: failure })).status).toBe(201);
  }

  async function setUpgradeSeconds(lroSeconds: number): Promise<void> {
    await stack.simulator('/settings', { method: 'POST', body: { lroSeconds } });
  }

  it('knows the strategy, and its fleet', async () => {
    const { body } = await stack.graphql(`{
      fleetUpdateStrategies { nodes { name stages { name groups { name } afterStageWaitSeconds } fleet { name } } }
    }`);
    expect(body.errors).toBeUndefined();
    expect(body.data.fleetUpdateStrategies.nodes).toEqual([
      {
        name: 'canary-first',
        stages: [
          { name: 'first', groups: [{ name: 'canary' }], afterStageWaitSeconds: 2 },
          { name: 'second', groups: [{ name: 'prod' }], afterStageWaitSeconds: null },
        ],
        fleet: { name: 'aks-fleet01' },
      },
    ]);
  });

  it('shows in a dry run whom it would update, and changes nothing', async () => {
    const accepted = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'fleet.updateRun.create', input: create('dry', { upgrade: IMAGES }), dryRun: true },
    });
    const { status, result } = await stack.endOf(accepted.body.id);
    expect(status).toBe('Succeeded');
    expect(result.changes.stages).toMatchObject([
      { name: 'first', groups: [{ members: [{ name: FIRST }] }] },
      { name: 'second', groups: [{ members: [{ name: SECOND }] }] },
    ]);
    expect(await stack.azureRequests('PUT', /updateRuns\/dry/)).toEqual([]);
  });

  it('follows a run over both clusters to its end, and tells how far it is', async () => {
    // So long that each stage is seen under way, however slow the machine is.
    await setUpgradeSeconds(5);
    const id = await begins('fleet.updateRun.create', create('images', { upgrade: IMAGES, waitFor: 'completed' }));
    const said = await eventsOf(id);
    await setUpgradeSeconds(1);
    expect(await stack.endOf(id)).toMatchObject({
      status: 'Succeeded',
      result: { state: 'Completed', memberCount: 2, completedCount: 2, failedCount: 0 },
    });
    expect(said).toContain('stage 1 of 2 (first): 0 of 2 members are done, 1 running.');
    expect(said).toContain('stage 2 of 2 (second): 1 of 2 members are done, 1 running.');

    const { body } = await stack.graphql(`{
      fleetUpdateRuns(filter: { name: "images" }, first: 1) { nodes {
        name health state memberCount completedCount failedCount progressPercent upgradeType
        fleet { name } updateStrategy { name }
        members { name cluster { name kubernetesVersion } }
        stages { name state groups { name state members { name state errorCode } } }
      } }
      fleets(filter: { name: "aks-fleet01" }, first: 1) { nodes { updateRuns { name } } }
    }`);
    expect(body.errors).toBeUndefined();
    expect(body.data.fleets.nodes[0].updateRuns).toEqual([{ name: 'images' }]);
    const [run] = body.data.fleetUpdateRuns.nodes;
    expect(run).toMatchObject({
      name: 'images',
      health: 'Healthy',
      state: 'Completed',
      progressPercent: 100,
      upgradeType: 'NodeImageOnly',
      fleet: { name: 'aks-fleet01' },
      updateStrategy: { name: 'canary-first' },
      stages: [
        { name: 'first', state: 'Completed', groups: [{ members: [{ name: FIRST, state: 'Completed' }] }] },
        { name: 'second', state: 'Completed', groups: [{ members: [{ name: SECOND, state: 'Completed' }] }] },
      ],
    });
    expect(run.members.map((member: { name: string }) => member.name).sort()).toEqual([FIRST, SECOND]);
    const { body: cluster } = await stack.azure(`${clusterId('demo-aks02')}?api-version=2026-04-01`);
    expect(cluster.properties.agentPoolProfiles[0].nodeImageVersion).toMatch(/202610\.28\.0$/);
  });

  /** All that a follower of an operation is told, until it has ended. */
  async function eventsOf(id: string): Promise<string> {
    const { body } = await stack.api(`/v1/operations/${id}/events`, { headers: { accept: 'text/event-stream' } });
    return String(body);
  }

  it('fails with the name of the member that failed, and goes on where it stopped', async () => {
    await failUpgradeOf('demo-aks01');
    const failed = await ended(
      'fleet.updateRun.create',
      create('failing', { upgrade: to('1.34.2'), waitFor: 'completed' }),
    );
    expect(failed).toMatchObject({
      status: 'Failed',
      error: {
        code: 'AZURE_OPERATION_FAILED',
        externalCode: 'PodDrainFailure',
        remedy: expect.stringContaining('fleet.updateRun.start'),
      },
    });
    expect(failed.error.message).toContain(FIRST);
    const seen = await stack.api(`/v1/fleet-update-runs?name=failing`);
    expect(seen.body.items[0]).toMatchObject({
      health: 'Degraded',
      properties: { state: 'Failed', failedCount: 1, notStartedCount: 1 },
    });
    const again = await stack.does('fleet.updateRun.start', { run: runId('failing'), waitFor: 'completed' });
    expect(again.result).toMatchObject({ state: 'Completed', completedCount: 2 });
    const { body } = await stack.azure(`${clusterId('demo-aks01')}?api-version=2026-04-01`);
    expect(body.properties.currentKubernetesVersion).toBe('1.34.2');
  });

  it('is stopped, left out of, and started again', async () => {
    await setUpgradeSeconds(4);
    await stack.does('fleet.updateRun.create', create('stopped', { upgrade: to('1.35.0') }));
    const stopped = await stack.does('fleet.updateRun.stop', { run: runId('stopped') });
    expect(stopped.result).toMatchObject({ state: 'Stopped', completedCount: 1 });
    await setUpgradeSeconds(1);
    await stack.does('fleet.updateRun.skip', { run: runId('stopped'), targets: [{ type: 'Member', name: SECOND }] });
    const resumed = await stack.does('fleet.updateRun.start', { run: runId('stopped'), waitFor: 'completed' });
    expect(resumed.result).toMatchObject({ state: 'Completed', completedCount: 1, skippedCount: 1 });
    const { body } = await stack.azure(`${clusterId('demo-aks02')}?api-version=2026-04-01`);
    expect(body.properties.currentKubernetesVersion).toBe('1.34.2');
  });

  it('stops when the one who waits for it cancels, and can be started again', async () => {
    await setUpgradeSeconds(5);
    const upgrade = { type: 'ControlPlaneOnly', kubernetesVersion: '1.35.0' };
    // First the cluster that still has something to upgrade, so that the other is left when the run stops.
    const stages = [...STAGES].reverse().map(({ name, groups }) => ({ name, groups }));
    const input = create('called-off', { strategy: undefined, stages, upgrade, waitFor: 'completed' });
    const id = await begins('fleet.updateRun.create', input);
    await stack.until('the waiting for the run', async () => {
      const { body } = await stack.api(`/v1/operations/${id}`);
      return body.steps.find((step: { name: string; status: string }) => step.name === 'follow')?.status === 'Waiting';
    });
    await stack.api(`/v1/operations/${id}/cancel`, { method: 'POST' });
    const canceled = await stack.endOf(id);
    expect(canceled).toMatchObject({ status: 'Canceled', message: expect.stringContaining('Stopped') });
    const { body: run } = await stack.azure(`${runId('called-off')}?api-version=2025-03-01`);
    expect(run.properties.status.status.state).toBe('Stopped');
    await setUpgradeSeconds(1);
    const followed = await stack.does('fleet.updateRun.start', { run: runId('called-off'), waitFor: 'completed' });
    expect(followed.result).toMatchObject({ state: 'Completed' });
  });

  it('makes a run from an auto-upgrade profile, and the same one again', async () => {
    await stack.does('fleet.autoUpgradeProfile.apply', {
      fleet: FLEET,
      name: 'rapid',
      channel: 'Rapid',
      strategy: STRATEGY,
    });
    const profile = `${FLEET}/autoUpgradeProfiles/rapid`;
    const made = await stack.does('fleet.autoUpgradeProfile.generateUpdateRun', { profile });
    expect(made.result).toMatchObject({ name: 'rapid-1-35-0', state: 'NotStarted' });
    const again = await stack.does('fleet.autoUpgradeProfile.generateUpdateRun', { profile });
    expect(again.result.uid).toBe(made.result.uid);
    const { body } = await stack.graphql(`{
      fleetAutoUpgradeProfiles { nodes { name channel updateStrategy { name } updateRuns { name health } } }
    }`);
    expect(body.errors).toBeUndefined();
    expect(body.data.fleetAutoUpgradeProfiles.nodes).toEqual([
      {
        name: 'rapid',
        channel: 'Rapid',
        updateStrategy: { name: 'canary-first' },
        updateRuns: [{ name: 'rapid-1-35-0', health: 'Unknown' }],
      },
    ]);
  });

  interface Mishap {
    code: string;
    reason: string;
    type?: string;
    input: Record<string, unknown>;
    prepare?: () => Promise<unknown>;
    undo?: () => Promise<unknown>;
  }
  /** Behind everyone's back, until the index knows of it too. */
  async function setPower(name: string, code: 'Running' | 'Stopped'): Promise<void> {
    const body = { properties: { powerState: { code } } };
    await stack.simulator('/resources', { method: 'POST', body: { id: clusterId(name), operation: 'patch', body } });
    const query = `resources | where id =~ '${clusterId(name)}' | project properties`;
    await stack.until(`${name} ${code} in the index`, async () => {
      const route = '/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01';
      const answer = await stack.azure(route, { method: 'POST', body: { query } });
      return answer.body.data?.[0]?.properties.powerState.code === code;
    });
  }
  const mishaps: Mishap[] = [
    {
      code: 'VERSION_NOT_OFFERED',
      reason: 'a version that AKS does not have',
      input: create('mishap', { upgrade: to('1.36.0') }),
    },
    {
      code: 'GROUP_WITHOUT_MEMBERS',
      reason: 'a group that nobody is in',
      input: { fleet: FLEET, name: 'mishap', upgrade: IMAGES, stages: [{ name: 'a', groups: [{ name: 'nobody' }] }] },
    },
    {
      code: 'RUN_NAME_TAKEN',
      reason: 'the name of another run',
      input: create('failing', { upgrade: IMAGES }),
    },
    {
      code: 'CLUSTER_STOPPED',
      reason: 'a stopped cluster, which would fail the whole run',
      input: create('mishap', { upgrade: IMAGES }),
      prepare: () => setPower('demo-aks01', 'Stopped'),
      undo: () => setPower('demo-aks01', 'Running'),
    },
    {
      code: 'STRATEGY_NOT_FOUND',
      reason: 'a strategy that is not there any more',
      input: { fleet: FLEET, name: 'mishap', upgrade: IMAGES, strategy: `${STRATEGY}x` },
    },
    {
      code: 'TARGET_NOT_FOUND',
      reason: 'a part that the run does not have',
      type: 'fleet.updateRun.skip',
      input: { run: runId('rapid-1-35-0'), targets: [{ type: 'Stage', name: 'third' }] },
    },
    {
      code: 'RUN_NOT_FOUND',
      reason: 'a run that is not there',
      type: 'fleet.updateRun.start',
      input: { run: runId('nowhere') },
    },
  ];
  it.each(mishaps)('$code: $reason is refused before anything is changed', async (mishap) => {
    await mishap.prepare?.();
    const writes = async (): Promise<number> => (await stack.azureRequests('PUT', /update/i)).length;
    const before = await writes();
    try {
      const operation = await ended(mishap.type ?? 'fleet.updateRun.create', mishap.input);
      expect(operation).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
      expect(operation.findings).toContainEqual(expect.objectContaining({ code: mishap.code, severity: 'error' }));
      expect(await writes()).toBe(before);
    } finally {
      await mishap.undo?.();
    }
  });

  it.each([
    { upgrade: { type: 'Full' }, path: 'upgrade.kubernetesVersion', reason: 'Kubernetes without a version' },
    {
      upgrade: { ...to('1.34.2'), type: 'NodeImageOnly' },
      path: 'upgrade.kubernetesVersion',
      reason: 'node images with one',
    },
    { upgrade: to('1.34'), path: 'upgrade.kubernetesVersion', reason: 'half a version' },
  ])('refuses $reason as a request', async ({ upgrade, path }) => {
    const { status, body } = await stack.startOperation('fleet.updateRun.create', create('mishap', { upgrade }));
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(JSON.stringify(body)).toContain(path);
  });

  it('deletes runs, profile and strategy, and the fleet forgets them', async () => {
    await stack.does('fleet.updateRun.delete', { run: runId('rapid-1-35-0') });
    await stack.does('fleet.autoUpgradeProfile.delete', { profile: `${FLEET}/autoUpgradeProfiles/rapid` });
    await stack.does('fleet.updateStrategy.delete', { strategy: STRATEGY });
    const { body } = await stack.api('/v1/fleet-update-strategies');
    expect(body.items).toEqual([]);
    const runs = await stack.api('/v1/fleet-update-runs?sort=name');
    expect(runs.body.items.map((item: { name: string }) => item.name)).not.toContain('rapid-1-35-0');
  });
});
