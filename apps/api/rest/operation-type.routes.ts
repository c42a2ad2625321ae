import type { RouteOptions } from 'fastify';
import { z } from 'zod';
import type { OperationControl } from '#libs/control/operation.control.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import { flag } from '../http/query.schemas.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import { bodyOf, idempotencyKeyOf, sendAccepted } from './operation.reply.js';

const acceptQuery = z.strictObject({ dryRun: flag.default(false) });

/** The typed route of one operation type, whose body is the input: `POST /v1/operations/fleet.member.join`. */
export function operationTypeRoute(definition: OperationDefinition, operations: OperationControl): RouteOptions {
  return {
    method: 'POST',
    url: `/v1/operations/${definition.type}`,
    handler: async (request, reply) => {
      const { dryRun } = parseRequest(acceptQuery, request.query, 'query');
      const { operation, replayed } = await operations.accept(callerOf(request), {
        type: definition.type,
        input: bodyOf(request),
        dryRun,
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: request.id,
      });
      return sendAccepted(reply, operation, replayed);
    },
  };
}
