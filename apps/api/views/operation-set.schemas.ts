import { z } from 'zod';
import type {
  OperationSetItemPageView,
  OperationSetItemView,
  OperationSetPageView,
  OperationSetView,
} from '#libs/control/operation-set.view.js';
import { OPERATION_SET_ITEM_STATUSES, OPERATION_SET_STATUSES } from '#libs/operations/operation-set.status.js';
import { filterText } from '../http/query.schemas.js';
import { healthState, instant, json, jsonObject, nextCursor, resourceTarget, storedProblem } from './view.schemas.js';

export const operationSetStatus = z.enum(OPERATION_SET_STATUSES).meta({
  id: 'OperationSetStatus',
  description:
    'The life of a set. `Stopping` begins nothing more; `Succeeded`, `Failed` and `Stopped` are ends, which a retry leaves.',
});

export const operationSetItemStatus = z
  .enum(OPERATION_SET_ITEM_STATUSES)
  .meta({ id: 'OperationSetItemStatus', description: 'How far the set has come with a target.' });

const counts = z
  .object({
    total: z.int().describe('The targets.'),
    waiting: z.int().describe('Those that nothing was begun for.'),
    running: z.int().describe('Those with an operation under way.'),
    succeeded: z.int().describe('Those that are as wanted.'),
    failed: z.int().describe('Those whose operation failed.'),
    skipped: z.int().describe('Those that the checks refused.'),
    canceled: z.int().describe('Those that were given up.'),
  })
  .meta({ id: 'OperationSetCounts', description: 'The targets of a set by how far it has come.' });

const waves = z
  .object({
    by: z.string().describe('What makes the waves: `group`, `location`, `resourceGroup` or `tag:<name>`.'),
    order: z.array(z.string()).describe('The values that go first, in this order.'),
  })
  .meta({ id: 'OperationSetWaves', description: 'One wave begins when the one before has ended.' });

const consent = z
  .object({
    by: z.string().describe('Who gave it.'),
    at: instant.describe('When.'),
    reason: z.string().nullable().describe('What was said about it.'),
  })
  .meta({ id: 'OperationSetConsent', description: 'The consent of somebody else to a whole set.' });

export const operationSet = z
  .object({
    id: z.uuid().describe('The id of the set.'),
    type: z.string().describe('The operation type that is applied.'),
    status: operationSetStatus.describe('Where the set stands.'),
    dryRun: z.boolean().describe('Whether only the checks are made.'),
    input: jsonObject.describe('What the inputs of all its operations have in common.'),
    field: z.string().describe('The field of the input that names each target.'),
    selection: jsonObject.describe('How the targets were chosen.'),
    maxConcurrency: z.int().describe('Operations that are under way at the same time, at most.'),
    failureThreshold: z.int().nullable().describe('When more have failed, nothing more is begun; null: never.'),
    skipRefused: z
      .boolean()
      .describe('Whether a target that the checks refuse is skipped and does not count as failed.'),
    waves: waves.nullable().describe('What goes before what.'),
    currentWave: z.string().nullable().describe('The value of the wave that is under way.'),
    counts: counts.describe('How far it has come.'),
    message: z.string().nullable().describe('What became of it, or what keeps it.'),
    consent: consent
      .nullable()
      .describe('Somebody’s consent to all its operations that need any; null: none was given.'),
    requestedBy: z.string().describe('Who asked for it.'),
    createdAt: instant.describe('When it was accepted.'),
    endedAt: instant.nullable().describe('When it ended.'),
    correlationId: z.string().describe('Joins the set with its operations, with logs and with the audit log.'),
  })
  .meta({
    id: 'OperationSet',
    description: 'One operation type applied to many targets.',
  }) satisfies z.ZodType<OperationSetView>;

export const operationSetPage = z
  .object({ items: z.array(operationSet).describe('The sets, newest first.'), nextCursor })
  .meta({
    id: 'OperationSetPage',
    description: 'A part of the list of sets.',
  }) satisfies z.ZodType<OperationSetPageView>;

export const operationSetItem = z
  .object({
    position: z.int().describe('Its place in the order, from 0.'),
    target: resourceTarget.describe('The object.'),
    wave: z.string().nullable().describe('The value by which it is in its wave.'),
    status: operationSetItemStatus.describe('How far the set has come with it.'),
    attempts: z.int().describe('How many operations were begun for it.'),
    operation: z.uuid().nullable().describe('The id of the latest operation.'),
    error: storedProblem.nullable().describe('Why it failed or was skipped.'),
  })
  .meta({ id: 'OperationSetItem', description: 'One target of a set.' }) satisfies z.ZodType<OperationSetItemView>;

export const operationSetItemPage = z
  .object({ items: z.array(operationSetItem).describe('The targets, in their order.'), nextCursor })
  .meta({
    id: 'OperationSetItemPage',
    description: 'A part of the targets of a set.',
  }) satisfies z.ZodType<OperationSetItemPageView>;

const text = (maximum: number, description: string) => filterText(maximum).optional().describe(description);

export const operationSetFilter = z
  .strictObject({
    kind: text(100, 'The kind, where the operation takes several.'),
    location: text(100, 'The Azure region.'),
    subscription: text(100, 'The id of the subscription.'),
    resourceGroup: text(100, 'The resource group.'),
    cluster: text(2048, 'The uid or id of the cluster that it is in.'),
    namespace: text(253, 'The Kubernetes namespace.'),
    health: z.array(healthState).max(10).optional().describe('One of these.'),
    name: text(253, 'The name.'),
    q: text(200, 'A part of the name.'),
    tags: z.record(filterText(512), filterText(512)).optional().describe('All of these tags, by name.'),
  })
  .meta({ id: 'OperationSetFilter', description: 'Every member that is given must hold.' });

/** What a caller sends. */
export const operationSetRequest = z
  .strictObject({
    type: filterText(200).describe('The operation type, such as `aks.nodePool.scale`.'),
    input: z
      .record(z.string(), json, 'must be an object')
      .default({})
      .describe('The input without the field that names the target.'),
    field: text(100, 'The field that takes each target; needed where the type names several resources.'),
    targets: z.array(filterText(2048)).min(1).max(5_000).optional().describe('Uids or ids; or else `filter`.'),
    filter: operationSetFilter.optional().describe('What is chosen: now, and for good.'),
    maxConcurrency: z
      .int()
      .min(1)
      .max(100)
      .default(5)
      .describe('Operations that are under way at the same time, at most.'),
    failureThreshold: z
      .int()
      .min(0)
      .max(5_000)
      .nullable()
      .default(0)
      .describe('When more have failed, nothing more is begun; null: everything is tried.'),
    skipRefused: z
      .boolean()
      .default(true)
      .describe('Whether a target that the checks refuse is skipped and does not count as failed.'),
    waves: z
      .strictObject({
        by: z
          .string()
          .regex(
            /^(group|location|resourceGroup|tag:.{1,512})$/,
            'must be group, location, resourceGroup or tag:<name>',
          )
          .describe('What makes the waves.'),
        order: z.array(filterText(512)).max(100).optional().describe('The values that go first, in this order.'),
      })
      .meta({ id: 'OperationSetWaveRequest', description: 'What goes before what.' })
      .optional()
      .describe('One wave begins when the one before has ended.'),
    dryRun: z.boolean().default(false).describe('Only makes the checks, for every target.'),
  })
  .meta({ id: 'OperationSetRequest', description: 'An operation type and what it is applied to.' });

export const operationSetStopRequest = z
  .strictObject({
    cancelRunning: z.boolean().default(false).describe('Whether what runs is asked to stop as well.'),
  })
  .meta({ id: 'OperationSetStopRequest', description: 'How a set is stopped.' });

export const operationSetRetryRequest = z
  .strictObject({
    statuses: z
      .array(z.enum(['Failed', 'Skipped', 'Canceled']))
      .min(1)
      .default(['Failed'])
      .describe('Which targets are tried again.'),
  })
  .meta({ id: 'OperationSetRetryRequest', description: 'What of a set is tried again.' });
