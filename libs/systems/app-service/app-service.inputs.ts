import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';

/** Parts that the inputs of several operations have. */

export const resourceGroupName = z
  .string()
  .max(90)
  .regex(/^[\p{L}\p{N}_().-]*[\p{L}\p{N}_()-]$/u, 'must be a name that Azure allows for resource groups');

const HOST_LABEL = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/;

/** A name that becomes a part of host names. */
export function hostLabel(longest: number) {
  return z
    .string()
    .min(1)
    .max(longest)
    .regex(HOST_LABEL, 'must be letters, digits and hyphens, with no hyphen at either end');
}

export const ipAddress = z.union([z.ipv4(), z.ipv6()]);

export const tagsInput = z
  .record(
    z
      .string()
      .min(1)
      .max(512)
      .regex(/^[^<>%&\\?/]+$/, 'must not hold any of < > % & \\ ? /'),
    z.string().max(256),
  )
  .optional();

export const hostName = z
  .string()
  .max(253)
  .regex(
    /^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/,
    'must be a host name such as `shop.example.com`',
  );

/** A resource beside another one: in its resource group unless another is named. */
export function siblingOf(id: ArmId, type: string, name: string, resourceGroup: string | undefined): ArmId {
  const group = ArmId.resourceGroup(id.subscriptionId ?? '', resourceGroup ?? id.resourceGroup ?? '');
  return group.resource(type, name);
}
