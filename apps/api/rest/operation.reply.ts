import type { FastifyReply, FastifyRequest } from 'fastify';
import { ControlError } from '#libs/kernel/control-error.js';
import type { OperationView } from '#libs/control/operation.view.js';

export function operationLocation(id: string): string {
  return `/v1/operations/${id}`;
}

/** 202 with where to look, and when. */
export async function sendAccepted(
  reply: FastifyReply,
  operation: OperationView,
  replayed: boolean,
): Promise<FastifyReply> {
  const location = operationLocation(operation.id);
  return reply
    .code(202)
    .headers({
      'operation-location': location,
      location,
      ...retryAfterHeader(operation),
      ...(replayed ? { 'idempotency-replayed': 'true' } : {}),
    })
    .send(operation);
}

export function retryAfterHeader(operation: OperationView): Record<string, string> {
  return operation.retryAfter === null ? {} : { 'retry-after': String(Math.max(1, Math.ceil(operation.retryAfter))) };
}

export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  return Array.isArray(header) ? header.join(', ') : header;
}

/** @throws ControlError MALFORMED_JSON when there is no body. */
export function bodyOf(request: FastifyRequest): unknown {
  if (request.body !== undefined) return request.body;
  throw new ControlError('MALFORMED_JSON', 'The body is empty; a JSON object is needed.');
}
