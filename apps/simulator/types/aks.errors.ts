import type { ArmId } from '#libs/kernel/arm-id.js';
import { ArmError } from '../arm-error.js';
import type { ArmErrorOptions } from '../arm-error.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';

/** A refusal by the AKS resource provider: no `error` around it. */
export function aksError(
  status: number,
  code: string,
  message: string,
  options: Omit<ArmErrorOptions, 'shape'> = {},
): ArmError {
  return new ArmError(status, code, message, { ...options, shape: 'unwrapped' });
}

export function invalidParameter(parameter: string, why: string): ArmError {
  return aksError(
    400,
    'InvalidParameter',
    `The value of parameter ${parameter} is invalid. Error details: ${why} ` +
      'Please see https://aka.ms/aks-naming-rules for more details.',
    { target: parameter },
  );
}

export function missingParameter(parameter: string): ArmError {
  return aksError(400, 'InvalidParameter', `Required parameter ${parameter} is missing (null).`, { target: parameter });
}

export function propertyChangeNotAllowed(property: string): ArmError {
  return aksError(400, 'PropertyChangeNotAllowed', `Changing property '${property}' is not allowed.`, {
    target: property,
  });
}

/** AKS answers 409, where the specification says 412 (seen in the wild). */
export function etagMismatch(): ArmError {
  return aksError(409, 'EtagMismatch', 'Operation is not allowed: Another operation is in progress', {
    subcode: 'PutManagedClusterAndComponents_FailedPrecondition',
    details: [{ code: 'Unspecified', message: 'rpc error: code = FailedPrecondition desc = Etag mismatched' }],
  });
}

/** While anything runs on a cluster or one of its pools, nothing else may begin on any of them. */
export function operationInProgress(target: ArmId, running: LongRunningOperation): ArmError {
  const ofPools = [target.canonicalType, running.targetType].every((type) => type.endsWith('/agentpools'));
  return aksError(
    409,
    'OperationNotAllowed',
    `Operation is not allowed: Another ${ofPools ? 'agentpool operation' : 'operation'} ` +
      `(${running.targetName} - ${running.runningState}) is in progress, please wait for it to finish before ` +
      'starting a new operation. See https://aka.ms/aks-pending-operation for more details',
    { subcode: ofPools ? 'AgentPoolOperationInProgress' : 'ManagedClusterOperationInProgress' },
  );
}
