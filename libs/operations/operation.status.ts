/** The life of an operation. The first four are open; a status never leaves the last three. */
export const OPERATION_STATUSES = [
  'Pending',
  'Running',
  'Waiting',
  'Canceling',
  'Succeeded',
  'Failed',
  'Canceled',
] as const;
export type OperationStatus = (typeof OPERATION_STATUSES)[number];

export const ENDED_STATUSES = ['Succeeded', 'Failed', 'Canceled'] as const satisfies readonly OperationStatus[];
export type EndedStatus = (typeof ENDED_STATUSES)[number];

export function hasEnded(status: OperationStatus): status is EndedStatus {
  return status === 'Succeeded' || status === 'Failed' || status === 'Canceled';
}

export const STEP_STATUSES = ['Pending', 'Running', 'Waiting', 'Succeeded', 'Failed', 'Skipped'] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

/**
 * What a waiting step waits for: work that it knows to go on, work that somebody else started, or another try after a
 * failure that may pass (then nobody knows whether its request arrived, until it observes again).
 */
export const WAIT_REASONS = ['work', 'foreign-work', 'retry'] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** Of work that a canceled operation waits for: the outside system was asked to stop it, or goes on with it. */
export const ABORT_STATES = ['asked', 'refused'] as const;
export type AbortState = (typeof ABORT_STATES)[number];

/** What has become of a consent that an operation needs. */
export const APPROVAL_STATES = ['waiting', 'approved', 'rejected', 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];
