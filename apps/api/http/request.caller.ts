import type { FastifyRequest } from 'fastify';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Caller } from '#libs/access/caller.js';
import type { AccessControl } from '#libs/control/access.control.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set before the body is read, on every route but the public ones. */
    caller: Caller | undefined;
    /** The code of the problem that was answered, for the log. */
    problemCode: string | undefined;
  }
}

/** What may be asked without a token: health, metrics, and the documents and pages that describe the API. */
const PUBLIC_ROUTES = ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs', '/graphiql'];

export function isPublicRoute(route: string): boolean {
  return PUBLIC_ROUTES.some((publicRoute) => route === publicRoute || route.startsWith(`${publicRoute}/`));
}

/** Finds out who asks, before anything of the body is read. An unknown path needs no token to be unknown. */
export async function authenticateRequest(request: FastifyRequest, access: AccessControl): Promise<void> {
  const route = request.routeOptions.url;
  if (route === undefined || isPublicRoute(route)) return;
  request.caller = await access.authenticate(request.headers.authorization);
}

/** @throws ControlError UNAUTHENTICATED on a route that nobody is known on. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller !== undefined) return request.caller;
  throw new ControlError('UNAUTHENTICATED', 'A bearer token is needed.');
}
