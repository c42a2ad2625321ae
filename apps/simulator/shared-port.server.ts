import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { CertificateAuthority } from './certificate.authority.js';

/** The first byte of every TLS connection: a handshake record. No HTTP request begins with it. */
const TLS_HANDSHAKE = 0x16;
/** As long as Fastify keeps connections open. */
const KEEP_ALIVE_MS = 72_000;

export interface SharedPort {
  /** Speaks HTTP and, on the same port, HTTPS. */
  server: Server;
  /** Cuts every connection at once, whatever is going on on it. */
  cut(): void;
}

/**
 * One port for both: Kubernetes clients send their tokens over TLS alone, everything else may stay plain. Who speaks TLS
 * shows in the first byte.
 */
export function sharedPort(listener: RequestListener, authority: CertificateAuthority): SharedPort {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener);
  const asPlain = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  const sockets = new Set<Socket>();
  let secure: Promise<SecureServer> | undefined;

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // A caller that goes away before it has said anything is no fault of ours.
    socket.once('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first[0] !== TLS_HANDSHAKE) {
        for (const accept of asPlain) accept.call(server, socket);
        socket.resume();
        return;
      }
      secure ??= makeSecureServer(listener, authority);
      secure.then(
        (target) => {
          target.emit('connection', socket);
          socket.resume();
        },
        (error: unknown) => {
          secure = undefined;
          console.error('There is no certificate for TLS.', error);
          socket.destroy();
        },
      );
    });
  });
  return {
    server,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function makeSecureServer(listener: RequestListener, authority: CertificateAuthority): Promise<SecureServer> {
  return createSecureServer(
    {
      ...(await authority.server()),
      keepAliveTimeout: KEEP_ALIVE_MS,
      SNICallback(name, done) {
        authority.contextFor(name).then(
          (context) => done(null, context),
          (error: unknown) => done(Error.isError(error) ? error : new Error(String(error))),
        );
      },
    },
    listener,
  );
}
