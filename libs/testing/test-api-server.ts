import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { text } from 'node:stream/consumers';
import type { JsonObject } from '#libs/kernel/json.js';
import type { TestCertificate } from './test-certificates.js';

/** A request as it came in, read to its end. */
export interface ReceivedRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The common name in the certificate of the client, where it has shown one. */
  clientName: string | null;
  /** Resolves when the connection or the answer has come to its end, in whatever way. */
  over: Promise<unknown>;
}

/** Says something to a request, or nothing at all. */
export type Answer = (request: ReceivedRequest, response: ServerResponse) => void;

/** An https server on loopback that says what a test tells it to. */
export class TestApiServer {
  readonly requests: ReceivedRequest[] = [];
  /** For what `next` has nothing left to say. */
  answer: Answer = says(200, { gitVersion: 'v1.32.4', platform: 'linux/amd64' });
  readonly #next: Answer[] = [];
  readonly #waiting = new Set<{ count: number; resolve: () => void }>();

  private constructor(private readonly server: Server) {
    server.on('request', (message, response) => {
      const { socket } = message;
      const subject = socket instanceof TLSSocket ? socket.getPeerCertificate().subject : undefined;
      const over = Promise.race([once(response, 'close'), once(socket, 'close')]);
      void text(message).then(
        (body) => {
          const { method = '', url: path = '', headers } = message;
          const request = { method, path, headers, body, clientName: subject?.CN?.toString() ?? null, over };
          this.requests.push(request);
          for (const each of this.#waiting) if (this.requests.length >= each.count) each.resolve();
          (this.#next.shift() ?? this.answer)(request, response);
        },
        // A client that turns away in the middle of its request has not asked anything.
        () => undefined,
      );
    });
  }

  static async start(certificate: TestCertificate, options: ServerOptions = {}): Promise<TestApiServer> {
    const server = createServer({ ...options, cert: certificate.certificate, key: certificate.key });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TestApiServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** What the next requests are told, one each. */
  next(...answers: Answer[]): void {
    this.#next.push(...answers);
  }

  /** Resolves when so many requests have come in, from the beginning. */
  async received(count: number): Promise<void> {
    if (this.requests.length >= count) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry = { count, resolve };
    this.#waiting.add(entry);
    await promise;
    this.#waiting.delete(entry);
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** An answer in JSON, or in the given text. */
export function says(status: number, body: JsonObject | string, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** A refusal in the words of Kubernetes. */
export function refuses(
  code: number,
  reason: string,
  message: string,
  { headers = {}, details = {} }: { headers?: Record<string, string>; details?: JsonObject } = {},
): Answer {
  return says(code, statusOf(code, reason, message, details), headers);
}

/** What a server says of a refusal, by itself and within a watch. */
export function statusOf(code: number, reason: string, message: string, details: JsonObject = {}): JsonObject {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code };
}

/** Lines of a watch; the stream stays open unless it is said what becomes of it. */
export function streams(lines: readonly (JsonObject | string)[], then: 'stay' | 'end' | 'break' = 'stay'): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const written = lines.map((line) => (typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)).join('');
    response.write(written, () => {
      if (then === 'end') response.end();
      if (then === 'break') response.socket?.destroy();
    });
    response.flushHeaders();
  };
}
