import type { z } from 'zod';
import type { OperationSetRequest } from '#libs/control/operation-set.control.js';
import { presentMembers } from '../http/present-members.js';
import type { operationSetRequest } from './operation-set.schemas.js';

/** As both edges read it. */
export function setRequestOf(
  body: z.output<typeof operationSetRequest>,
): Omit<OperationSetRequest, 'idempotencyKey' | 'correlationId'> {
  const { type, input, field, targets, filter, waves, ...rest } = body;
  return {
    type,
    ...rest,
    input: input,
    ...presentMembers({ field, targets }),
    ...(filter === undefined ? {} : { filter: presentMembers(filter) }),
    ...(waves === undefined ? {} : { waves: { by: waves.by, ...presentMembers({ order: waves.order }) } }),
  };
}
