import * as z from 'zod';

const uuid = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'is not a uuid');
const tags = z.record(z.string(), z.string());

/** One resource as in an ARM template: names of children are paths (`demo-aks01/nodepool1`), the body as in a PUT. */
const resourceSchema = z.looseObject({
  type: z.string().regex(/^[A-Za-z.]+(\/[A-Za-z]+)+$/, 'is not a type such as Microsoft.ContainerService/fleets'),
  name: z.string().min(1),
  location: z.string().optional(),
  tags: tags.optional(),
  /** For an extension such as a role assignment: the resource of the same group that it extends, `type/name`. */
  scope: z.string().optional(),
  properties: z.record(z.string(), z.json()).optional(),
  /** Properties that only Azure writes, as they are at the start. */
  readOnly: z.record(z.string(), z.json()).optional(),
  /** What the simulator itself knows of the resource and never shows; see the type. */
  simulation: z.record(z.string(), z.json()).optional(),
});

const groupSchema = z.strictObject({
  name: z.string().min(1).max(90),
  location: z.string().min(1),
  tags: tags.optional(),
  resources: z.array(resourceSchema).default([]),
});

const subscriptionSchema = z.strictObject({
  subscriptionId: uuid,
  displayName: z.string().min(1),
  tags: tags.optional(),
  /** Namespaces; the others are `NotRegistered`. */
  registeredProviders: z.array(z.string()).default(['Microsoft.Compute', 'Microsoft.ContainerService']),
  /** `Microsoft.ContainerService/FleetResourcePreview` and the like. */
  registeredFeatures: z.array(z.string()).default([]),
  /** Limits of virtual CPUs; regions that are not named have none. */
  coreQuotas: z.array(z.strictObject({ location: z.string().min(1), cores: z.int().min(0) })).default([]),
  resourceGroups: z.array(groupSchema).default([]),
});

/** What runs in every cluster that is no hub when it is first looked at. */
const workloadsSchema = z.strictObject({
  deployments: z.int().min(1).max(10_000),
  /** Of all deployments together. */
  pods: z.int().min(0).max(100_000),
});

export const estateSchema = z.strictObject({
  description: z.string().optional(),
  tenantId: uuid,
  /** When everything in the estate was made. */
  createdAt: z.iso.datetime().optional(),
  subscriptions: z.array(subscriptionSchema).min(1),
  workloads: workloadsSchema.optional(),
});

/** An estate as it is written. */
export type EstateFile = z.input<typeof estateSchema>;
/** An estate with every default filled in. */
export type Estate = z.infer<typeof estateSchema>;
export type EstateResource = z.infer<typeof resourceSchema>;
export type EstateWorkloads = z.infer<typeof workloadsSchema>;

/** All that is wrong with an estate. */
export class EstateError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The estate cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'EstateError';
  }
}

/** @throws EstateError naming every fault. */
export function parseEstate(value: unknown): Estate {
  const parsed = estateSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new EstateError(
    parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the estate'}: ${issue.message}`),
  );
}
