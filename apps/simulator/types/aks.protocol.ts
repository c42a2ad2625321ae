import type { OperationProtocol, ResourceTypeDescriptor } from '../resource-type.descriptor.js';

/** As recorded: PUT names the operation's URL alone; DELETE answers 202 without a body and names both URLs. */
export const AKS_PROTOCOLS: ResourceTypeDescriptor['protocols'] = {
  put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: false },
  patch: { status: 200, body: 'resource', asyncOperation: true, location: false },
  delete: { status: 202, body: 'empty', asyncOperation: true, location: true },
};

export const AKS_ACTION_PROTOCOL: OperationProtocol = {
  status: 202,
  body: 'empty',
  asyncOperation: true,
  location: true,
};

/** Recorded in poll bodies of operations that went on to succeed. */
export const AKS_RUNNING_NOTICE = {
  code: 'NotLatestOperation',
  message:
    'Expected goal state for managed cluster not saved yet. This is expected while the operation is being accepted.',
};

const PREEMPTED =
  "Cannot proceed with the operation. Either the operation has been preempted by another one, or the information needed by the operation failed to be saved (or hasn't been saved yet).";

/** How an operation ends that a later one takes the place of. */
export const ABORTED = { code: 'AKSOperationPreempted', message: PREEMPTED };
export const DELETED = { code: 'AKSOperationPreemptedByDelete', message: PREEMPTED };
