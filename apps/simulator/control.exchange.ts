import type { FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import { ControlRequestError } from './control.request-error.js';

/** What all routes below `/_simulator/` do with bodies. */

export function answerControl(reply: FastifyReply, body: unknown, status = 200): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body));
}

/** @throws ControlRequestError when the body is no JSON. An absent one is an empty object. */
export function bodyOf(request: FastifyRequest): unknown {
  const text = typeof request.body === 'string' ? request.body : '';
  try {
    return JSON.parse(text === '' ? '{}' : text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ControlRequestError(400, `The body is not JSON: ${error.message}`);
  }
}

/** @throws ControlRequestError naming every fault. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the request'}: ${issue.message}`);
  throw new ControlRequestError(400, 'The request is not valid.', faults);
}
