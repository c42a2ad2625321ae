import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** One for all requests of a connection, which may be many. */
const departures = new WeakMap<Socket, AbortSignal>();

/** Aborts when the client goes away. Fastify's `request.signal` aborts as soon as the body of the request has been read. */
export function departureSignal({ raw: { socket } }: FastifyRequest): AbortSignal {
  const known = departures.get(socket);
  if (known !== undefined) return known;
  const departure = new AbortController();
  if (socket.destroyed) departure.abort();
  else socket.once('close', () => departure.abort());
  departures.set(socket, departure.signal);
  return departure.signal;
}
