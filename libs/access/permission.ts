import { assertNever } from '#libs/kernel/assert-never.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Caller } from './caller.js';

/** The things that are protected, coarse for now: a role either may or may not. */
export type Permission = 'read' | 'operate' | 'audit' | 'connect';

function allows(caller: Caller, permission: Permission): boolean {
  switch (caller.role) {
    case 'admin':
      return true;
    case 'operator':
      return permission === 'read' || permission === 'operate';
    case 'viewer':
      return permission === 'read';
    default:
      return assertNever(caller.role);
  }
}

/** @throws ControlError FORBIDDEN */
export function authorise(caller: Caller, permission: Permission, what: string): void {
  if (allows(caller, permission)) return;
  throw new ControlError('FORBIDDEN', `The role "${caller.role}" may not ${what}.`, {
    remedy: 'Ask an administrator of Pilothouse for a token with another role.',
  });
}
