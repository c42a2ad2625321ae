import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { delay } from '#libs/kernel/clock.js';
import type { Json } from '#libs/kernel/json.js';
import type { FaultPlay, FaultStore } from '../fault.store.js';
import { redactedQuery } from '../request-log.js';
import type { RequestLog } from '../request-log.js';
import type { KubernetesEstate } from './kubernetes.estate.js';

export const KUBERNETES_PATH = '/kubernetes/';
const LONGEST_CORRELATION_ID = 128;

/** `/kubernetes/{clusterId}` and what follows of the path; the id is the uid of the managed cluster. */
const PATH_PATTERN = /^\/kubernetes\/([^/?]+)(\/[^?]*)?(?:\?(.*))?$/s;

export interface KubernetesMountParts {
  estate: KubernetesEstate;
  faults: FaultStore;
  log: RequestLog;
  now: () => Date;
  closing: AbortSignal;
}

/** Serves the Kubernetes API of every simulated cluster below `/kubernetes/`. */
export class KubernetesMount {
  constructor(private readonly parts: KubernetesMountParts) {}

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#serve(request, response).catch((error: unknown) => {
      console.error('A fault of the simulator itself:', error);
      request.socket.destroy();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { estate, faults } = this.parts;
    const match = PATH_PATTERN.exec(request.url ?? '');
    const found = estate.lookUp(match?.[1] ?? '');
    const method = request.method ?? 'GET';
    const path = match?.[2] ?? '/';
    const search = match?.[3];
    const fault =
      found.state === 'live'
        ? faults.takeKubernetes({ method, path, cluster: [found.live.uid, found.live.key, found.live.name] })
        : undefined;
    this.#logWhenDone(request, response, { method, search, fault });
    switch (found.state) {
      case 'unknown':
        writeStatus(response, 404, 'NotFound', `There is no cluster ${match?.[1] ?? ''} here.`, {});
        return;
      case 'unreachable':
        request.socket.destroy();
        return;
      case 'live':
        break;
    }
    if (fault !== undefined && !(await this.#play(fault, request, response))) return;
    request.url = search === undefined ? path : `${path}?${search}`;
    await found.live.serve(request, response);
  }

  /** @returns whether the request goes on to the cluster. */
  async #play(fault: FaultPlay, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    switch (fault.type) {
      case 'throttle':
        writeStatus(
          response,
          429,
          'TooManyRequests',
          'Too many requests, please try again later.',
          retryAfter(fault.retryAfterSeconds),
        );
        return false;
      case 'error': {
        const headers = retryAfter(fault.retryAfterSeconds ?? null);
        if (fault.body === undefined) writeStatus(response, fault.status, fault.code, fault.message, headers);
        else write(response, fault.status, fault.body, headers);
        return false;
      }
      case 'hang':
        await this.#wait(fault.seconds * 1000, request);
        request.socket.destroy();
        return false;
      case 'slow':
        return this.#wait(fault.milliseconds, request);
      case 'drop':
        request.socket.destroy();
        return false;
      case 'drop-after-effect':
      case 'expire-poll-urls':
      case 'truncate-list':
        // Refused when the fault was set.
        return true;
    }
  }

  /** @returns false when the caller has gone, or the simulator goes, before the time is over. */
  async #wait(milliseconds: number, request: IncomingMessage): Promise<boolean> {
    const gone = new AbortController();
    const onClose = (): void => gone.abort(new Error('The caller has gone.'));
    request.socket.once('close', onClose);
    const ended = AbortSignal.any([gone.signal, this.parts.closing]);
    try {
      await delay(milliseconds, ended);
      return true;
    } catch (error) {
      if (!ended.aborted) throw error;
      return false;
    } finally {
      request.socket.off('close', onClose);
    }
  }

  #logWhenDone(
    request: IncomingMessage,
    response: ServerResponse,
    { method, search, fault }: { method: string; search: string | undefined; fault: FaultPlay | undefined },
  ): void {
    const time = this.parts.now().toISOString();
    const [path = ''] = (request.url ?? '').split('?');
    response.once('close', () => {
      this.parts.log.add({
        time,
        method,
        path,
        query: redactedQuery(search ?? ''),
        apiVersion: null,
        status: response.headersSent ? response.statusCode : null,
        outcome: response.headersSent ? response.statusCode : null,
        correlationId: correlationOf(request),
        clientRequestId: null,
        fault: fault?.type ?? null,
        // The cluster reads the body as it arrives; what it made of it is in the cluster.
        body: null,
      });
    });
  }
}

function writeStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  message: string,
  headers: Record<string, string>,
): void {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
  write(response, code, status, headers);
}

function write(response: ServerResponse, code: number, body: Json, headers: Record<string, string>): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function retryAfter(seconds: number | null): Record<string, string> {
  return seconds === null ? {} : { 'retry-after': String(seconds) };
}

/** Kubernetes knows no such thing; clients that send one want to find their requests again. */
function correlationOf({ headers }: IncomingMessage): string {
  const value = headers['x-correlation-id'];
  return typeof value === 'string' && value !== '' ? value.slice(0, LONGEST_CORRELATION_ID) : randomUUID();
}
