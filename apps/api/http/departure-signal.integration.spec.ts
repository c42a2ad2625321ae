import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { departureSignal } from './departure-signal.js';

describe('departureSignal', () => {
  let server: FastifyInstance;
  /** What the next request is to be kept for. */
  let keeps: (signal: AbortSignal, body: IncomingMessage) => Promise<unknown>;

  beforeAll(async () => {
    server = fastify();
    server.post('/', async (incoming) => {
      const signal = departureSignal(incoming);
      await keeps(signal, incoming.raw);
      return { aborted: signal.aborted };
    });
    await server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => server.close());

  const url = (): string => `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/`;

  it('stays quiet while the client waits, also when all of the request has been read', async () => {
    for (const attempt of [1, 2]) {
      keeps = async (_signal, body) => {
        if (!body.closed) await once(body, 'close');
      };
      const answer = await fetch(url(), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ attempt }),
      });
      expect(await answer.json()).toEqual({ aborted: false });
    }
  });

  it('aborts when the client goes away', async () => {
    const arrived = Promise.withResolvers<AbortSignal>();
    keeps = async (signal) => {
      arrived.resolve(signal);
      if (!signal.aborted) await once(signal, 'abort');
    };
    const leaving = request(url(), { method: 'POST', headers: { 'content-type': 'application/json' } });
    leaving.on('error', () => undefined);
    leaving.end('{}');
    const signal = await arrived.promise;
    expect(signal.aborted).toBe(false);
    leaving.destroy();
    if (!signal.aborted) await once(signal, 'abort');
    expect(signal.aborted).toBe(true);
  });
});
