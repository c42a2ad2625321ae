import * as z from 'zod';

/** What can be changed while the simulator runs (`POST /_simulator/settings`). */
export const settingsSchema = z.strictObject({
  lroSeconds: z.number().min(0).max(86_400).describe('How long an operation takes; 0: done when next looked at.'),
  indexLagSeconds: z.number().min(0).max(86_400).describe('How much later Resource Graph sees a change.'),
  listLagSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .describe(
      "How much later the lists of tracked resources by subscription see a new or deleted resource (ARM's cache).",
    ),
  pageSize: z.int().min(1).max(5000).describe('Items on a page of a list.'),
  graphPageSize: z.int().min(1).max(1000).describe('Rows that Resource Graph answers when a query does not say $top.'),
  retryAfterSeconds: z
    .number()
    .min(0)
    .nullable()
    .describe('Sent with every answer of an unfinished operation; null: only where Azure sends it.'),
  pollUrlLifetimeSeconds: z.number().min(0).describe('After this a poll URL answers 404.'),
  featureRegistrationSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .nullable()
    .describe('How long a preview feature stays Registering (or Unregistering); null: as long as an operation.'),
  rolePropagationSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .describe('How much later a role assignment holds on the Kubernetes API.'),
  linkRemovalSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .describe('How much later the network hears that Container Instances have given a subnet up.'),
  unknownPrincipals: z
    .array(z.string())
    .describe('Object ids that the directory does not know (yet): a role assignment without principalType is refused.'),
  clusterAccess: z
    .enum(['everyone', 'assigned'])
    .describe('Who may use the Kubernetes API of clusters with Azure RBAC: every known caller, or who has a role.'),
  hubAccess: z
    .enum(['everyone', 'assigned'])
    .describe('Who may use the Kubernetes API of the hubs of fleets: every known caller, or who has a role.'),
  retiredExtensionTypes: z
    .array(z.string())
    .describe('Extension types of Azure Arc that cannot be installed any more; those that are there stay.'),
  containerGroupLimit: z
    .int()
    .min(0)
    .max(100_000)
    .describe('How many container groups a region of a subscription may have.'),
  containerCoreLimit: z
    .int()
    .min(0)
    .max(1_000_000)
    .describe('How many cores the container groups of a region of a subscription may have together.'),
  regionsWithoutContainerInstances: z
    .array(z.string())
    .describe('Regions in which Azure Container Instances are not offered.'),
  restrictedMachineSizes: z
    .array(z.string())
    .describe('Machine sizes that no subscription may have: they are listed as restricted, and AKS refuses them.'),
  throttleScale: z.number().min(0).describe("Multiplies Azure's documented rate limits; 0 takes all of them away."),
});

export type SimulatorSettings = z.infer<typeof settingsSchema>;

export const DEFAULT_SETTINGS: SimulatorSettings = {
  lroSeconds: 3,
  indexLagSeconds: 2,
  listLagSeconds: 0,
  pageSize: 100,
  graphPageSize: 1000,
  retryAfterSeconds: null,
  pollUrlLifetimeSeconds: 86_400,
  featureRegistrationSeconds: null,
  rolePropagationSeconds: 1,
  linkRemovalSeconds: 1,
  unknownPrincipals: [],
  clusterAccess: 'everyone',
  hubAccess: 'assigned',
  retiredExtensionTypes: [],
  containerGroupLimit: 1000,
  containerCoreLimit: 1_000_000,
  regionsWithoutContainerInstances: [],
  restrictedMachineSizes: [],
  throttleScale: 1,
};
