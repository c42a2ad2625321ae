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

export const ABORTED = { code: 'OperationAborted', message: 'The operation was aborted by a later abort request.' };
