import { FastifyAdapter } from '@nestjs/platform-fastify';
import { LogController, type FastifyBaseLogger, type FastifyServerOptions } from 'fastify';
import { CORRELATION_HEADER, correlationIdOf } from './http/correlation-id.js';
import { sendConnectionProblem, sendProblem } from './http/problem.reply.js';
import type { ApiSettings } from './api.settings.js';

/** Milliseconds in which a request must have arrived completely. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Fastify, configured so that every refusal, also those of the server itself, is a problem. */
export class ApiAdapter extends FastifyAdapter {
  constructor(settings: ApiSettings, logger: FastifyBaseLogger) {
    const options: FastifyServerOptions = {
      loggerInstance: logger,
      logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'correlationId' }),
      requestIdHeader: false,
      genReqId: (request) => correlationIdOf(request.headers[CORRELATION_HEADER]),
      bodyLimit: settings.bodyLimitBytes,
      requestTimeout: REQUEST_TIMEOUT_MS,
      // Requests that come while the server stops are refused by us, with a problem.
      return503OnClosing: false,
      frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
      clientErrorHandler: sendConnectionProblem,
    };
    // No Nest middleware is used; each request would pay for its possibility.
    super({ ...options, skipMiddie: true });
  }

  /** Nest's handler would answer in its own form. */
  override setErrorHandler(): ReturnType<FastifyAdapter['setErrorHandler']> {
    return this.getInstance().setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  }

  /** `createApiApplication` sets the one that tells a wrong method from an unknown path. */
  override setNotFoundHandler(): ReturnType<FastifyAdapter['setNotFoundHandler']> {
    return this.getInstance();
  }
}
