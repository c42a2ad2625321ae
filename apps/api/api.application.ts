import type { Socket } from 'node:net';
import fastifyHelmet from '@fastify/helmet';
import type { NestApplicationOptions } from '@nestjs/common';
import { type IEntryNestModule, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { ControlError } from '#libs/kernel/control-error.js';
import { AccessControl } from '#libs/control/access.control.js';
import { ApiAdapter } from './api.adapter.js';
import type { ApiSettings } from './api.settings.js';
import { ApiMetrics } from './http/api.metrics.js';
import { CORRELATION_HEADER } from './http/correlation-id.js';
import { parseJsonBody } from './http/json-body.js';
import { NestLogger } from './http/nest.logger.js';
import { OpenStreams } from './http/open-streams.js';
import { ProblemFilter } from './http/problem.filter.js';
import { pathOf, sendProblem } from './http/problem.reply.js';
import { authenticateRequest, isPublicRoute } from './http/request.caller.js';
import { serveSwaggerPage } from './openapi/swagger.page.js';
import { RouteTable } from './http/route-table.js';

const IDLE_SWEEP_MS = 50;
const JSON_MEDIA_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json(?:\s*;|$)/;

/**
 * The HTTP application around a module that imports `ApiEdgeModule`. It is initialised (all routes are there) but does
 * not listen yet. `close()` ends open streams, lets requests under way finish, and refuses new ones.
 */
export async function createApiApplication(
  module: IEntryNestModule,
  settings: ApiSettings,
  logger: Logger,
): Promise<NestFastifyApplication> {
  const adapter = new ApiAdapter(settings, logger);
  const options: NestApplicationOptions = { logger: new NestLogger(logger), bodyParser: false, abortOnError: false };
  const application = await NestFactory.create<NestFastifyApplication>(module, adapter, options);
  application.useGlobalFilters(new ProblemFilter());
  const instance = adapter.getInstance<FastifyInstance>();
  const routes = new RouteTable();
  routes.watch(instance);
  addBodyParser(instance);
  await addSecurityHeaders(instance);
  addRequestHooks(instance, application.get(AccessControl), application.get(ApiMetrics), logger);
  addShutdown(instance, application.get(OpenStreams));
  serveSwaggerPage(application);
  instance.setNotFoundHandler((request, reply) => {
    const allowed = routes.methodsOf(pathOf(request.url));
    if (allowed.length === 0 || allowed.includes(request.method)) {
      sendProblem(new ControlError('NOT_FOUND', 'There is nothing at this path.'), request, reply);
      return;
    }
    void reply.header('allow', allowed.join(', '));
    const message = `${request.method.slice(0, 20)} is not allowed here.`;
    sendProblem(new ControlError('METHOD_NOT_ALLOWED', message), request, reply);
  });
  await application.init();
  await instance.ready();
  return application;
}

/** JSON is the only thing that bodies are made of. */
function addBodyParser(instance: FastifyInstance): void {
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser(JSON_MEDIA_TYPE, { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

async function addSecurityHeaders(instance: FastifyInstance): Promise<void> {
  await instance.register(fastifyHelmet, {
    // Answers are data: whatever a browser might do with them, it may load nothing. Pages bring their own policy.
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    // Whether there is TLS in front is for those to say who put it there.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  });
}

function addRequestHooks(instance: FastifyInstance, access: AccessControl, metrics: ApiMetrics, logger: Logger): void {
  instance.decorateRequest('caller', undefined);
  instance.decorateRequest('problemCode', undefined);
  let closing = false;
  instance.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  instance.addHook('onRequest', async (request, reply) => {
    void reply.header(CORRELATION_HEADER, request.id);
    if (closing) {
      throw new ControlError('UNAVAILABLE', 'This server is stopping.', { retry: { kind: 'after', seconds: 1 } });
    }
    await authenticateRequest(request, access);
  });
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const seconds = reply.elapsedTime / 1000;
    metrics.observeRequest(request.method, route, reply.statusCode, seconds);
    const entry = {
      correlationId: request.id,
      method: request.method,
      route,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
      ...(request.caller === undefined ? {} : { principal: request.caller.name }),
      ...(request.problemCode === undefined ? {} : { code: request.problemCode }),
    };
    if (isPublicRoute(route)) logger.debug(entry, 'request');
    else logger.info(entry, 'request');
    done();
  });
}

/** Streams never end by themselves, and the server waits for every answer and every connection to end. */
function addShutdown(instance: FastifyInstance, streams: OpenStreams): void {
  const { server } = instance;
  // Browsers and clients open connections in advance, which Node does not take for idle before their first request.
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', (request) => unused.delete(request.socket));
  server.on('upgrade', (request) => unused.delete(request.socket));
  instance.addHook('preClose', (done) => {
    streams.stop();
    // Connections whose answer is still under way get idle one after the other.
    const closeIdle = (): void => {
      server.closeIdleConnections();
      for (const socket of unused) socket.destroy();
    };
    const sweep = setInterval(closeIdle, IDLE_SWEEP_MS);
    server.once('close', () => clearInterval(sweep));
    sweep.unref();
    done();
  });
}
