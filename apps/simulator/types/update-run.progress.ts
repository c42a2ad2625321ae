import { deterministicUuid } from '../deterministic-id.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import type { ProcessMoment, ProcessOperation } from '../resource-type.descriptor.js';
import { memberTurn, type ClusterUpdate } from './member-upgrade.js';
import type { GroupStatus, MemberStatus, Progress, RunStatus, StageStatus, UpdateState } from './update-run.status.js';

/** A run in one of these moves; in any other it rests until it is started. */
const LIVE: readonly UpdateState[] = ['Running', 'Pending', 'Stopping'];
const DONE: readonly UpdateState[] = ['Completed', 'Skipped'];
const WAITING: readonly UpdateState[] = ['NotStarted', 'Pending', 'Stopped'];

export function isLiveState(state: unknown): boolean {
  return LIVE.some((live) => live === state);
}

/** Changes the status into what it is at the moment, and says which upgrades begin. */
export function playRun(
  run: { key: string; status: RunStatus; update: ClusterUpdate },
  moment: ProcessMoment,
): ProcessOperation[] {
  const { status } = run;
  const begins: ProcessOperation[] = [];
  for (const member of membersOf(status)) settleMember(member, moment);
  for (const stage of status.stages) {
    count(status);
    if (isDone(stage.status)) continue;
    if (stage.status.state === 'NotStarted' && (hasFailed(status) || status.status.state === 'Stopping')) break;
    begin(stage.status, moment.at);
    if (status.status.state !== 'Stopping') begins.push(...startMembers(run, stage, moment));
    count(status);
    for (const group of stage.groups) judgeGroup(group, moment.at);
    if (!judgeStage(stage, moment.at)) break;
  }
  count(status);
  judgeRun(status, moment.at);
  return begins;
}

/** The end of the first wait after the moment. */
export function endOfWait(status: RunStatus, after: number): number | undefined {
  const ends = status.stages.flatMap(({ afterStageWaitStatus: wait }) => {
    if (wait?.status.state !== 'Running') return [];
    const end = endOf(wait);
    return end > after ? [end] : [];
  });
  return ends.length === 0 ? undefined : Math.min(...ends);
}

export function membersOf(status: RunStatus): MemberStatus[] {
  return status.stages.flatMap((stage) => stage.groups.flatMap((group) => group.members));
}

/** Makes a run that rests ready to go on: what has failed is tried again, what was skipped stays so. */
export function restart(status: RunStatus, at: number): void {
  const fresh = (progress: Progress): void => {
    if (isDone(progress)) return;
    progress.state = 'NotStarted';
    delete progress.startTime;
    delete progress.completedTime;
    delete progress.error;
  };
  for (const stage of status.stages) {
    if (stage.afterStageWaitStatus?.status.state === 'Stopped') fresh(stage.afterStageWaitStatus.status);
    for (const group of stage.groups) {
      // A group that is done although members of it have failed is opened again.
      if (group.members.some((member) => member.status.state === 'Failed')) {
        for (const holder of [group.status, stage.status]) holder.state = 'NotStarted';
      }
      fresh(group.status);
      for (const member of group.members) {
        fresh(member.status);
        if (member.status.state === 'NotStarted') delete member.message;
      }
    }
    fresh(stage.status);
  }
  count(status);
  status.status = { state: 'Running', startTime: time(at) };
}

export type SkipTarget = { type: 'Member' | 'Group' | 'Stage' | 'AfterStageWait'; name: string };

/** Skips what has not begun and what has failed; what runs is not touched. @returns whether there is such a target. */
export function skip(status: RunStatus, target: SkipTarget, at: number): boolean {
  if (target.type === 'AfterStageWait') {
    const wait = status.stages.find((stage) => stage.name === target.name)?.afterStageWaitStatus;
    if (wait === undefined) return false;
    if (!isDone(wait.status)) end(wait.status, 'Skipped', at);
    return true;
  }
  const members = membersOfTarget(status, target);
  for (const member of members ?? []) {
    if (!WAITING.includes(member.status.state) && member.status.state !== 'Failed') continue;
    end(member.status, 'Skipped', at);
    delete member.status.error;
    member.message = 'Skipped by the user.';
  }
  return members !== undefined;
}

function membersOfTarget(status: RunStatus, { type, name }: SkipTarget): MemberStatus[] | undefined {
  const named = <T extends { name: string }>(items: readonly T[]): T | undefined =>
    items.find((item) => item.name === name);
  const groups = status.stages.flatMap((stage) => stage.groups);
  switch (type) {
    case 'Member': {
      const member = named(membersOf(status));
      return member === undefined ? undefined : [member];
    }
    case 'Group':
      return named(groups)?.members;
    case 'Stage':
    case 'AfterStageWait':
      return named(status.stages)?.groups.flatMap((group) => group.members);
  }
}

function settleMember(member: MemberStatus, moment: ProcessMoment): void {
  if (member.status.state !== 'Running') return;
  const { at, world } = moment;
  const state = moment.operation(member.operationId ?? '')?.state ?? forgottenState(member, at, world);
  switch (state.status) {
    case 'InProgress':
      return;
    case 'Succeeded':
      end(member.status, 'Completed', state.endedAt);
      return;
    case 'Failed':
    case 'Canceled':
      end(member.status, 'Failed', state.endedAt);
      member.status.error = { code: state.error.code, message: state.error.message };
      member.message = state.error.message;
  }
}

/** Ended so long ago that nothing is known of it but the cluster itself. */
function forgottenState(
  { clusterResourceId }: MemberStatus,
  at: number,
  world: ProcessMoment['world'],
): LongRunningOperation['state'] {
  if (world.get(clusterResourceId) !== undefined) return { status: 'Succeeded', endedAt: at };
  const message = `The cluster '${clusterResourceId}' does not exist.`;
  return { status: 'Failed', endedAt: at, error: { code: 'ClusterNotFound', message } };
}

/** Groups side by side, the members of each in their order, as many at a time as are allowed. */
function startMembers(
  { key, update }: { key: string; update: ClusterUpdate },
  stage: StageStatus,
  { at, world }: ProcessMoment,
): ProcessOperation[] {
  const begins: ProcessOperation[] = [];
  for (const group of stage.groups) {
    for (const member of group.members) {
      if (isOverLimit(stage)) return begins;
      if (runningIn(group) >= group.maxConcurrency || runningIn(stage) >= stage.maxConcurrency) break;
      if (!WAITING.includes(member.status.state)) continue;
      begin(member.status, at);
      const turn = memberTurn(member.clusterResourceId, update, at, world);
      delete member.message;
      delete member.status.error;
      switch (turn.turn) {
        case 'skip':
          end(member.status, 'Skipped', at);
          member.message = turn.message;
          break;
        case 'wait':
          member.status.state = 'Pending';
          member.message = turn.message;
          if (turn.error !== undefined) member.status.error = { code: turn.error.code, message: turn.error.message };
          break;
        case 'fail':
          end(member.status, 'Failed', at);
          member.status.error = { code: turn.error.code, message: turn.error.message };
          member.message = turn.error.message;
          break;
        case 'upgrade':
          member.operationId = deterministicUuid(`${key}|${member.name}|${at}`);
          begins.push({ id: member.operationId, plan: turn.plan });
      }
    }
  }
  return begins;
}

function judgeGroup(group: GroupStatus, at: number): void {
  if (group.status.state === 'Failed') return;
  const states = group.members.map((member) => member.status.state);
  if (states.every((state) => DONE.includes(state) || state === 'Failed')) {
    if (group.failureCount > group.maxAllowedFailures) {
      failWith(group.status, group.members, at);
    } else if (!isDone(group.status)) {
      end(group.status, states.every((state) => state === 'Skipped') ? 'Skipped' : 'Completed', at);
    }
    return;
  }
  if (states.every((state) => state === 'NotStarted')) return;
  begin(group.status, at);
  const open = states.filter((state) => !DONE.includes(state) && state !== 'Failed');
  group.status.state = open.includes('Pending') && !open.includes('Running') ? 'Pending' : 'Running';
  if (failuresOf(group) > group.maxAllowedFailures && !open.includes('Running')) {
    failWith(group.status, group.members, at);
  }
}

/** @returns whether the next stage may begin. */
function judgeStage(stage: StageStatus, at: number): boolean {
  if (stage.status.state === 'Failed') return false;
  const states = stage.groups.map((group) => group.status.state);
  const members = stage.groups.flatMap((group) => group.members);
  if (states.includes('Failed') || stage.failureCount > stage.maxAllowedFailures) {
    if (runningIn(stage) === 0) failWith(stage.status, members, at);
    return false;
  }
  if (!states.every((state) => DONE.includes(state))) {
    const open = states.filter((state) => !DONE.includes(state));
    const pends = open.includes('Pending') && open.every((state) => state === 'Pending' || state === 'NotStarted');
    stage.status.state = pends ? 'Pending' : 'Running';
    return false;
  }
  const skipped = states.every((state) => state === 'Skipped');
  const wait = stage.afterStageWaitStatus;
  if (wait !== undefined && !skipped && !isDone(wait.status)) {
    begin(wait.status, at);
    if (at < endOf(wait)) return false;
    end(wait.status, 'Completed', endOf(wait));
  }
  end(stage.status, skipped ? 'Skipped' : 'Completed', at);
  return true;
}

function judgeRun(status: RunStatus, at: number): void {
  const { stages } = status;
  const running = membersOf(status).some((member) => member.status.state === 'Running');
  if (stages.every((stage) => isDone(stage.status))) {
    end(status.status, stages.every((stage) => stage.status.state === 'Skipped') ? 'Skipped' : 'Completed', at);
    return;
  }
  if (stages.some((stage) => stage.status.state === 'Failed')) {
    failWith(status.status, membersOf(status), at);
    return;
  }
  if (status.status.state === 'Stopping') {
    if (!running) stop(status, at);
    return;
  }
  status.status.state = stages.some((stage) => stage.status.state === 'Pending') ? 'Pending' : 'Running';
}

function stop(status: RunStatus, at: number): void {
  end(status.status, 'Stopped', at);
  const open = (progress: Progress): boolean => progress.state === 'Running' || progress.state === 'Pending';
  for (const stage of status.stages) {
    const held = [
      stage.status,
      ...(stage.afterStageWaitStatus === undefined ? [] : [stage.afterStageWaitStatus.status]),
      ...stage.groups.flatMap((group) => [group.status, ...group.members.map((member) => member.status)]),
    ];
    for (const progress of held.filter(open)) end(progress, 'Stopped', at);
  }
}

function failWith(progress: Progress, members: readonly MemberStatus[], at: number): void {
  const failed = members.filter((member) => member.status.state === 'Failed');
  if (progress.state !== 'Failed') end(progress, 'Failed', at);
  const named = failed.map((member) => `${member.name}: ${member.status.error?.message ?? 'failed'}`).join('; ');
  progress.error = {
    code: failed[0]?.status.error?.code ?? 'UpdateFailed',
    message: `The update of ${failed.length} member(s) failed: ${named}`,
  };
}

function count(status: RunStatus): void {
  for (const stage of status.stages) {
    for (const group of stage.groups) group.failureCount = failuresOf(group);
    stage.failureCount = failuresOf(stage);
  }
  status.failureCount = status.stages.reduce((sum, stage) => sum + stage.failureCount, 0);
}

/** Then nothing more of the stage begins. */
function isOverLimit(stage: StageStatus): boolean {
  return (
    failuresOf(stage) > stage.maxAllowedFailures ||
    stage.groups.some((group) => failuresOf(group) > group.maxAllowedFailures)
  );
}

function hasFailed(status: RunStatus): boolean {
  return status.stages.some((stage) => stage.status.state === 'Failed');
}

function countIn(holder: GroupStatus | StageStatus, state: UpdateState): number {
  return membersBelow(holder).filter((member) => member.status.state === state).length;
}

function membersBelow(holder: GroupStatus | StageStatus): MemberStatus[] {
  return isStage(holder) ? holder.groups.flatMap((group) => group.members) : holder.members;
}

function isStage(holder: GroupStatus | StageStatus): holder is StageStatus {
  return 'groups' in holder;
}

function failuresOf(holder: GroupStatus | StageStatus): number {
  return countIn(holder, 'Failed');
}

function runningIn(holder: GroupStatus | StageStatus): number {
  return countIn(holder, 'Running');
}

function isDone(progress: Progress): boolean {
  return DONE.includes(progress.state);
}

/** What has begun once stays as it is. */
function begin(progress: Progress, at: number): void {
  progress.startTime ??= time(at);
  if (WAITING.includes(progress.state)) progress.state = 'Running';
}

function end(progress: Progress, state: UpdateState, at: number): void {
  progress.state = state;
  progress.startTime ??= time(at);
  progress.completedTime = time(at);
}

function endOf(wait: NonNullable<StageStatus['afterStageWaitStatus']>): number {
  return Date.parse(wait.status.startTime ?? '') + wait.waitDurationInSeconds * 1000;
}

function time(at: number): string {
  return new Date(at).toISOString();
}
