/** The life of a set. `Stopping` begins nothing more and waits for what runs. */
export const OPERATION_SET_STATUSES = ['Running', 'Paused', 'Stopping', 'Succeeded', 'Failed', 'Stopped'] as const;
export type OperationSetStatus = (typeof OPERATION_SET_STATUSES)[number];
export type EndedSetStatus = Extract<OperationSetStatus, 'Succeeded' | 'Failed' | 'Stopped'>;

export const OPERATION_SET_ITEM_STATUSES = [
  'Waiting',
  'Running',
  'Succeeded',
  'Failed',
  'Skipped',
  'Canceled',
] as const;
export type OperationSetItemStatus = (typeof OPERATION_SET_ITEM_STATUSES)[number];

export function hasSetEnded(status: OperationSetStatus): status is EndedSetStatus {
  return status === 'Succeeded' || status === 'Failed' || status === 'Stopped';
}
