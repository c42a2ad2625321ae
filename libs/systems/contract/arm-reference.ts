import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ResourceTarget } from './resource-target.js';

/**
 * The ARM id that an input field refers to.
 * @throws ControlError INVALID_REQUEST when the field is missing or names something of another type.
 */
export function referencedArmId(
  references: Readonly<Record<string, ResourceTarget>>,
  field: string,
  armType: string,
): ArmId {
  const reference = references[field];
  const id = reference === undefined ? undefined : ArmId.tryParse(reference.id);
  if (id?.canonicalType === armType.toLowerCase()) return id;
  throw new ControlError('INVALID_REQUEST', `${field} does not name a ${armType}.`, {
    violations: [{ path: field, message: `must be the uid or the ARM id of a ${armType}` }],
  });
}
