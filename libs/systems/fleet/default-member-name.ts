import { createHash } from 'node:crypto';
import type { ArmId } from '#libs/kernel/arm-id.js';

export const LONGEST_MEMBER_NAME = 50;
export const LONGEST_FLEET_NAME = 63;
/** Of fleets, members and update groups alike. */
export const FLEET_NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

const HASH_LENGTH = 6;

/**
 * The name that a cluster gets as a member where none is given: `{cluster}-{resource group}`, as the Azure tools do it, in
 * the characters that Fleet allows. Where that is too long, or nothing is left, a hash of the cluster's id takes the place of
 * what does not fit. The same cluster always gets the same name.
 */
export function defaultMemberName(cluster: ArmId): string {
  const name = sanitized(`${cluster.name}-${cluster.resourceGroup ?? ''}`);
  return name !== '' && name.length <= LONGEST_MEMBER_NAME ? name : distinctMemberName(cluster);
}

/** The default name with a hash at its end: for a cluster whose default name another member has already. */
export function distinctMemberName(cluster: ArmId): string {
  const hash = createHash('sha256').update(cluster.canonical).digest('hex').slice(0, HASH_LENGTH);
  const room = LONGEST_MEMBER_NAME - HASH_LENGTH - 1;
  const start = sanitized(sanitized(`${cluster.name}-${cluster.resourceGroup ?? ''}`).slice(0, room));
  return start === '' ? hash : `${start}-${hash}`;
}

function sanitized(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}
