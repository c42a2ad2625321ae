import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import {
  describePlacement,
  isAvailable,
  memberFailure,
  stepText,
  type PlacementMember,
} from './cluster-resource-placement.kind.js';
import type { ProgressVerdict } from './patience.js';
import { rawText } from '../contract/raw-reader.js';

/** How far a placement is waited for. */
export const PLACEMENT_GOALS = ['stored', 'applied', 'available'] as const;
export type PlacementGoal = (typeof PLACEMENT_GOALS)[number];

/** How far it has come, member by member, for the record of an operation. */
export function placementMembers(object: JsonObject): Json[] {
  return describePlacement(object).memberStatuses.map((status) => ({
    member: status.member,
    scheduled: status.scheduled.status === 'True',
    applied: status.applied.status === 'True',
    available: isAvailable(status.available),
    reason: memberFailure(status) ?? openReason(status),
  }));
}

function openReason({ applied, available }: PlacementMember): string | null {
  if (applied.status !== 'True') return applied.reason;
  return isAvailable(available) ? null : available.reason;
}

/** Whether the placement has come as far as wanted. What was said about an older state of it does not count. */
export function judgePlacement(object: JsonObject, goal: PlacementGoal): ProgressVerdict {
  const name = rawText(object, 'metadata', 'name') ?? '';
  const placement = describePlacement(object);
  const members = placementMembers(object);
  if (goal === 'stored' || rawText(object, 'spec', 'strategy', 'applyStrategy', 'type') === 'ReportDiff') {
    return { progress: 'reached', message: `The hub has the placement ${name}.`, output: { members } };
  }
  const failing = (message: string, reason: string | null): ProgressVerdict => ({
    progress: 'failing',
    error: new ControlError('VERIFICATION_FAILED', message, {
      remedy: 'See the member statuses of the placement; what failed is named there with its reason.',
      ...(reason === null ? {} : { externalCode: reason }),
    }),
    output: { members },
  });
  const { scheduled, rolloutStarted } = placement;
  if (scheduled.status === 'False') {
    const missing = placement.memberStatuses.flatMap((status) =>
      status.scheduled.status === 'False' ? (memberFailure(status) ?? []) : [],
    );
    const found = missing.length === 0 ? '' : ` ${missing.join('; ')}.`;
    return failing(
      `The placement ${name} finds not enough members (${stepText(scheduled)}).${found}`,
      scheduled.reason,
    );
  }
  if (scheduled.status === 'Unknown') return { progress: 'moving', message: `Members are chosen for ${name}.` };
  const failures = placement.memberStatuses.flatMap((status) => memberFailure(status) ?? []);
  if (failures.length > 0) {
    const reason = placement.memberStatuses
      .flatMap((status) => status.failed)
      .find((failure) => failure.reason !== null);
    return failing(`The placement ${name} fails on ${failures.join('; ')}`, reason?.reason ?? placement.applied.reason);
  }
  const chosen = placement.memberStatuses.filter((status) => status.member !== null);
  if (chosen.length === 0) {
    return placement.numberOfClusters === 0
      ? { progress: 'reached', message: `The placement ${name} is to have no member.`, output: { members } }
      : failing(`No member fits the placement ${name}.`, scheduled.reason);
  }
  const applied = chosen.filter((status) => status.applied.status === 'True').length;
  const available = chosen.filter((status) => status.applied.status === 'True' && isAvailable(status.available)).length;
  const reached = goal === 'applied' ? applied : available;
  const counts = `${applied} applied, ${available} available, of ${chosen.length} members`;
  if (reached === chosen.length) return { progress: 'reached', message: `${name}: ${counts}.`, output: { members } };
  const waiting = chosen.flatMap((status) => {
    const reason = openReason(status);
    const isThere = goal === 'applied' ? status.applied.status === 'True' : isAvailable(status.available);
    return isThere ? [] : [`${status.member ?? ''}${reason === null ? '' : ` (${reason})`}`];
  });
  const held = rolloutStarted.status === 'True' ? '' : ` ${stepText(rolloutStarted)}.`;
  return { progress: 'moving', message: `${name}: ${counts}; waiting for ${waiting.join(', ')}.${held}` };
}
