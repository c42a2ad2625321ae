import Fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { ReadinessControl } from '#libs/control/readiness.control.js';

/** What an orchestrator asks a worker: is it alive, is it ready, how is it doing. */
export function createHealthServer(
  readiness: ReadinessControl,
  engine: { readonly isRunning: boolean },
  metrics: Registry,
): FastifyInstance {
  const server = Fastify();
  server.get('/livez', () => ({ status: 'live' }));
  server.get('/readyz', async (_request, reply) => {
    const { ready: houseReady, checks } = await readiness.check();
    const ready = houseReady && engine.isRunning;
    const engineCheck = {
      name: 'engine',
      ok: engine.isRunning,
      message: engine.isRunning ? null : 'No jobs are taken.',
    };
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', checks: [...checks, engineCheck] });
  });
  server.get('/metrics', async (_request, reply) =>
    reply.header('content-type', metrics.contentType).send(await metrics.metrics()),
  );
  return server;
}
