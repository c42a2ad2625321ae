import type { FastifyRequest } from 'fastify';
import { departureSignal } from './departure-signal.js';

/** Aborts when the client goes away. Only a request with `maxAge` can wait for Azure, so only those pay for one. */
export function waitSignal(request: FastifyRequest, maxAgeSeconds: number | undefined): AbortSignal | undefined {
  return maxAgeSeconds === undefined ? undefined : departureSignal(request);
}
