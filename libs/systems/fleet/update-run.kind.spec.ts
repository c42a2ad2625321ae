import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  FLEET_ID,
  PROFILE_ID,
  RUN_ID,
  STRATEGY_ID,
  autoUpgradeProfileBody,
  member,
  updateRunBody,
  updateRunProperties,
  updateRunStatus,
  updateStrategyBody,
} from '#libs/testing/fleet-samples.js';
import { observeFleetAutoUpgradeProfile } from './auto-upgrade-profile.kind.js';
import { failureText, fleetUpdateRunKind, observeFleetUpdateRun, progressText } from './update-run.kind.js';
import { observeFleetUpdateStrategy } from './update-strategy.kind.js';

const reading = { observedAt: new Date('2026-01-01T00:00:00Z'), source: 'ARM' as const };
const FLEET = FLEET_ID.toLowerCase();
const failed = member('Failed', 'm1', {
  status: { state: 'Failed', error: { code: 'PodDrainFailure', message: 'x' } },
});

function described(status: JsonObject) {
  return fleetUpdateRunKind.describe(updateRunProperties({ status }));
}

describe('an update run', () => {
  it('belongs to its fleet, follows its strategy and updates its members', () => {
    const run = observeFleetUpdateRun(updateRunBody({ autoUpgradeProfileId: PROFILE_ID }), reading);
    expect(run.relations).toEqual([
      { type: 'owns', from: FLEET, to: RUN_ID.toLowerCase() },
      { type: 'follows', from: RUN_ID.toLowerCase(), to: STRATEGY_ID.toLowerCase() },
      { type: 'owns', from: PROFILE_ID.toLowerCase(), to: RUN_ID.toLowerCase() },
      { type: 'updates', from: RUN_ID.toLowerCase(), to: `${FLEET}/members/demo-aks01-demo-aks01` },
      { type: 'updates', from: RUN_ID.toLowerCase(), to: `${FLEET}/members/demo-aks02` },
    ]);
  });

  it.each<{ state: string; members: JsonObject[]; health: object; reason: string }>([
    {
      state: 'NotStarted',
      members: [member('NotStarted')],
      health: { state: 'Unknown', reason: 'It has not been started.' },
      reason: 'was only created',
    },
    {
      state: 'Running',
      members: [member('Completed'), member('Running', 'm2')],
      health: {
        state: 'Progressing',
        reason: expect.stringContaining('stage 2 of 2 (second): 1 of 2 members are done'),
      },
      reason: 'is under way',
    },
    {
      state: 'Pending',
      members: [member('Pending', 'm1', { message: 'The window opens on Saturday.\n' })],
      health: { state: 'Progressing', reason: expect.stringContaining('m1 waits: The window opens on Saturday.') },
      reason: 'waits for a window',
    },
    {
      state: 'Completed',
      members: [member('Completed')],
      health: { state: 'Healthy', reason: null },
      reason: 'is completed',
    },
    {
      state: 'Completed',
      members: [failed, member('Completed', 'm2')],
      health: { state: 'Degraded', reason: '1 of 2 members have failed: m1 (PodDrainFailure).' },
      reason: 'is completed although a member has failed',
    },
    {
      state: 'Running',
      members: [failed, member('Running', 'm2')],
      health: { state: 'Degraded', reason: '1 of 2 members have failed: m1 (PodDrainFailure).' },
      reason: 'goes on past a failure',
    },
    {
      state: 'Failed',
      members: [member('Completed')],
      health: { state: 'Degraded', reason: 'The run has failed; Azure gives no reason.' },
      reason: 'has failed without a word',
    },
    {
      state: 'Stopped',
      members: [member('Stopped')],
      health: { state: 'Unknown', reason: 'It was stopped.' },
      reason: 'was stopped',
    },
    {
      state: 'Skipped',
      members: [member('Skipped')],
      health: { state: 'Healthy', reason: null },
      reason: 'had nothing to do',
    },
  ])('that $reason says so', ({ state, members, health }) => {
    expect(observeFleetUpdateRun(updateRunBody({ status: updateRunStatus(state, members) }), reading).health).toEqual(
      health,
    );
  });

  it('whose record could not be kept is at fault, however far it says to be', () => {
    const body = updateRunBody({ provisioningState: 'Failed', status: updateRunStatus('Completed', []) });
    expect(observeFleetUpdateRun(body, reading).health.state).toBe('Degraded');
  });

  it('is the same from the index, which shows what only previews have', () => {
    const fromArm = observeFleetUpdateRun(updateRunBody(), reading);
    const status = updateRunProperties().status as JsonObject;
    const stages = (status.stages as JsonObject[]).map((stage) => ({
      ...stage,
      failureCount: 0,
      maxAllowedFailures: 1,
    }));
    const fromIndex = observeFleetUpdateRun(updateRunBody({ status: { ...status, failureCount: 0, stages } }), reading);
    expect(fromIndex.properties).toEqual(fromArm.properties);
  });

  it('counts its members by their states', () => {
    const states = ['NotStarted', 'Running', 'Pending', 'Stopped', 'Completed', 'Skipped', 'Failed'];
    const members = states.map((state) => member(state, state.toLowerCase()));
    expect(described(updateRunStatus('Running', members))).toMatchObject({
      memberCount: 7,
      notStartedCount: 1,
      runningCount: 1,
      pendingCount: 1,
      stoppedCount: 1,
      completedCount: 1,
      skippedCount: 1,
      failedCount: 1,
      progressPercent: 42,
      currentStage: 'second',
    });
  });

  it('names a few of many failed members', () => {
    const members = Array.from({ length: 8 }, (_none, index) => member('Failed', `m${index}`));
    expect(failureText(described(updateRunStatus('Failed', members)))).toBe(
      '8 of 8 members have failed: m0, m1, m2, m3, m4, and 3 more.',
    );
    expect(failureText(described(updateRunStatus('Completed', [member('Completed')])))).toBeNull();
  });

  it('tells of its progress before there is any', () => {
    expect(progressText(fleetUpdateRunKind.describe({}))).toBe('0 of 0 members are done.');
  });
});

describe('an update strategy', () => {
  it('belongs to its fleet', () => {
    expect(observeFleetUpdateStrategy(updateStrategyBody(), reading)).toMatchObject({
      health: { state: 'Healthy' },
      relations: [{ type: 'owns', from: FLEET, to: STRATEGY_ID.toLowerCase() }],
    });
  });
});

describe('an auto-upgrade profile', () => {
  const error = { code: 'KubernetesVersionNotSupported', message: 'out of support' };
  it.each([
    { change: {}, state: 'Healthy', reason: 'is on' },
    { change: { disabled: true }, state: 'Unknown', reason: 'is switched off' },
    {
      change: { autoUpgradeProfileStatus: { lastTriggerStatus: 'Failed', lastTriggerError: error } },
      state: 'Degraded',
      reason: 'could make no run',
    },
    { change: { provisioningState: 'Failed' }, state: 'Degraded', reason: 'could not be recorded' },
  ])('that $reason is $state', ({ change, state }) => {
    expect(observeFleetAutoUpgradeProfile(autoUpgradeProfileBody(change), reading).health.state).toBe(state);
  });

  it('belongs to its fleet and follows its strategy', () => {
    expect(observeFleetAutoUpgradeProfile(autoUpgradeProfileBody(), reading).relations).toEqual([
      { type: 'owns', from: FLEET, to: PROFILE_ID.toLowerCase() },
      { type: 'follows', from: PROFILE_ID.toLowerCase(), to: STRATEGY_ID.toLowerCase() },
    ]);
  });
});
