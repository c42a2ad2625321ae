import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { STAGE_CONCURRENCY, resolvedShare, type Stage } from './update-strategy.body.js';

/** The same for a run, a stage, a group, a member and a wait. */
export const UPDATE_STATES = [
  'NotStarted',
  'Running',
  'Stopping',
  'Stopped',
  'Skipped',
  'Failed',
  'Pending',
  'Completed',
] as const;
export type UpdateState = (typeof UPDATE_STATES)[number];

const progress = z.looseObject({
  state: z.enum(UPDATE_STATES),
  startTime: z.string().optional(),
  completedTime: z.string().optional(),
  error: z.looseObject({ code: z.string(), message: z.string() }).optional(),
});

const memberStatus = z.looseObject({
  name: z.string(),
  clusterResourceId: z.string(),
  status: progress,
  operationId: z.string().optional(),
  message: z.string().optional(),
});

const groupStatus = z.looseObject({
  name: z.string(),
  status: progress,
  members: z.array(memberStatus),
  maxConcurrency: z.int(),
  maxAllowedFailures: z.int(),
  failureCount: z.int(),
});

const stageStatus = z.looseObject({
  name: z.string(),
  status: progress,
  groups: z.array(groupStatus),
  maxConcurrency: z.int(),
  maxAllowedFailures: z.int(),
  failureCount: z.int(),
  afterStageWaitStatus: z.looseObject({ status: progress, waitDurationInSeconds: z.int() }).optional(),
});

const runStatus = z.looseObject({ status: progress, stages: z.array(stageStatus), failureCount: z.int() });

/** How far something is. Times are ISO texts. */
export type Progress = z.infer<typeof progress>;
export type MemberStatus = z.infer<typeof memberStatus>;
export type GroupStatus = z.infer<typeof groupStatus>;
export type StageStatus = z.infer<typeof stageStatus>;
/** `properties.status` of a run. */
export type RunStatus = z.infer<typeof runStatus>;

/** Members of the status that only later API versions show. */
export const VERSIONED_STATUS: readonly { path: string; since: string }[] = [
  ...['maxConcurrency', 'beforeGates', 'afterGates'].flatMap((member) => [
    { path: `properties.status.stages.${member}`, since: '2026-02-01-preview' },
    { path: `properties.status.stages.groups.${member}`, since: '2026-02-01-preview' },
  ]),
  ...['maxAllowedFailures', 'failureCount'].flatMap((member) => [
    { path: `properties.status.stages.${member}`, since: '2026-06-02-preview' },
    { path: `properties.status.stages.groups.${member}`, since: '2026-06-02-preview' },
  ]),
  { path: 'properties.status.failureCount', since: '2026-06-02-preview' },
];

/** A copy of its own to be changed; undefined for what somebody else has put in place of a status. */
export function runStatusOf(properties: JsonObject): RunStatus | undefined {
  const parsed = runStatus.safeParse(structuredClone(properties.status));
  return parsed.success ? parsed.data : undefined;
}

/** A member as it is counted when the run is made. */
export interface RunMember {
  name: string;
  clusterResourceId: string;
}

export function newRunStatus(
  stages: readonly Stage[],
  membersOf: (group: string) => readonly RunMember[],
  images: readonly string[],
): JsonObject {
  const made = stages.map((stage) => {
    const memberLists = stage.groups.map((group) => membersOf(group.name));
    const count = memberLists.reduce((sum, members) => sum + members.length, 0);
    const atOnce = resolvedShare(stage.maxConcurrency, count, 1) ?? STAGE_CONCURRENCY;
    const allowed = resolvedShare(stage.maxAllowedFailures, count, 0);
    const groups = stage.groups.map((group, index): GroupStatus => {
      const members = memberLists[index] ?? [];
      return {
        name: group.name,
        status: { state: 'NotStarted' },
        members: members.map((member) => ({ ...member, status: { state: 'NotStarted' } })),
        maxConcurrency: Math.min(resolvedShare(group.maxConcurrency, members.length, 1) ?? 1, atOnce),
        maxAllowedFailures: resolvedShare(group.maxAllowedFailures, members.length, 0) ?? allowed ?? 0,
        failureCount: 0,
      };
    });
    const wait = stage.afterStageWaitInSeconds ?? 0;
    const status: StageStatus = {
      name: stage.name,
      status: { state: 'NotStarted' },
      groups,
      maxConcurrency: atOnce,
      // Where a stage says nothing, each of its groups counts for itself.
      maxAllowedFailures: allowed ?? groups.reduce((sum, group) => sum + group.maxAllowedFailures, 0),
      failureCount: 0,
      ...(wait === 0 ? {} : { afterStageWaitStatus: { status: { state: 'NotStarted' }, waitDurationInSeconds: wait } }),
    };
    return status;
  });
  const selected = images.map((version) => ({ version }));
  const status: RunStatus = { status: { state: 'NotStarted' }, failureCount: 0, stages: made };
  return asJson({
    ...status,
    ...(selected.length === 0 ? {} : { nodeImageSelection: { selectedNodeImageVersions: selected } }),
  });
}

/** Members that are undefined do not exist in JSON. */
export function asJson(status: object): JsonObject {
  return JSON.parse(JSON.stringify(status)) as JsonObject;
}
