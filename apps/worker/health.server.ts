import Fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { ReadinessControl } from '#libs/control/readiness.control.js';

/** What an orchestrator asks a worker: is it alive, is it ready, how is it doing. */
export function createHealthServer(readiness: ReadinessControl, metrics: Registry): FastifyInstance {
  const server = Fastify();
  server.get('/livez', () => ({ status: 'live' }));
  server.get('/readyz', async (_request, reply) => {
    const { ready, checks } = await readiness.check();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks });
  });
  server.get('/metrics', async (_request, reply) =>
    reply.header('content-type', metrics.contentType).send(await metrics.metrics()),
  );
  return server;
}
