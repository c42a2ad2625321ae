import { z } from 'zod';

/** What Azure allows, as input fields. */
export const subscriptionIdInput = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid');
export const resourceGroupInput = z
  .string()
  .max(90)
  .regex(/^[\p{L}\p{N}_().-]*[\p{L}\p{N}_()-]$/u, 'must be a name that Azure allows for resource groups');
export const locationInput = z
  .string()
  .max(60)
  .regex(/^[A-Za-z][A-Za-z0-9 ]*$/, 'must be the name of an Azure region');
export const arcName = z
  .string()
  .max(63)
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?$/, 'must be letters, digits, hyphens and underscores');
export const extensionName = z
  .string()
  .max(53)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens');
export const namespaceName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be a namespace: up to 63 lower-case letters, digits and hyphens');
export const objectIdInput = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be an object id of Microsoft Entra ID');
export const tagsInput = z.record(
  z
    .string()
    .min(1)
    .max(512)
    .regex(/^[^<>%&\\?/]+$/, 'must not hold any of < > % & \\ ? /'),
  z.string().max(256),
);
