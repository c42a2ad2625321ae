import { randomUUID } from 'node:crypto';
import { delay } from '#libs/kernel/clock.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { Json } from '#libs/kernel/json.js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { commonHeaders, rateHeaders } from './answer-headers.js';
import type { RequestIdentity } from './answer-headers.js';
import { ArmError } from './arm-error.js';
import { parseQuery, splitPath } from './arm-request.js';
import type { ArmMethod, ArmRequest } from './arm-request.js';
import type { AzureResourceManager } from './azure-resource-manager.js';
import { principalOf } from './authentication.js';
import type { CertificateAuthority } from './certificate.authority.js';
import { preludeOf, truncatedList } from './fault.player.js';
import type { FaultPlay, FaultStore } from './fault.store.js';
import { baseUrlOf, headerOf } from './request-base.js';
import { loggedBody, redactedQuery } from './request-log.js';
import type { RequestLog } from './request-log.js';
import type { AzureState } from './azure.state.js';

export interface ArmRoutesParts {
  manager: AzureResourceManager;
  state: AzureState;
  faults: FaultStore;
  log: RequestLog;
  tokens: ReadonlySet<string> | undefined;
  /** Named in every credential; made before the first one is asked for. */
  authority: CertificateAuthority;
  publicUrl: string | undefined;
  /** Aborts when the simulator shuts down: nobody waits for a hanging answer then. */
  closing: AbortSignal;
  /** Called after every request that may have changed something. */
  changed: () => void;
}

/** What is written, when anything is. */
interface Written {
  status: number;
  body?: Json;
  headers: Record<string, string>;
}

const METHODS: ArmMethod[] = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'];

/** Everything that is not the simulator's own: the whole of ARM behind one route, since its paths nest without end. */
export function registerArmRoutes(app: FastifyInstance, parts: ArmRoutesParts): void {
  app.route({
    method: METHODS,
    url: '/*',
    handler: async (request, reply) => {
      const [path = '/', search = ''] = request.raw.url?.split(/\?(.*)/s) ?? [];
      const method = request.method as ArmMethod;
      const identity = identityOf(request, parts.state.clock.now());
      const fault = parts.faults.take({ method, path });
      const body = typeof request.body === 'string' ? request.body : '';
      const { written, outcome } = await answer(request, { method, path, search, body }, identity, fault, parts);
      parts.log.add({
        time: identity.time.toISOString(),
        method,
        path,
        query: redactedQuery(search),
        apiVersion: parseQuery(search).get('api-version') ?? null,
        status: written?.status ?? null,
        outcome,
        correlationId: identity.correlationId,
        clientRequestId: identity.clientRequestId ?? null,
        fault: fault?.type ?? null,
        body: loggedBody(body),
      });
      if (method !== 'GET' && method !== 'HEAD') parts.changed();
      return send(request, reply, method, written);
    },
  });
}

async function answer(
  request: FastifyRequest,
  sent: { method: ArmMethod; path: string; search: string; body: string },
  identity: RequestIdentity,
  fault: FaultPlay | undefined,
  parts: ArmRoutesParts,
): Promise<{ written: Written | undefined; outcome: number | null }> {
  const headers = commonHeaders(identity);
  const cutOff = { written: undefined, outcome: null };
  if (fault !== undefined) {
    const prelude = preludeOf(fault, shapeOf(sent.path));
    switch (prelude.kind) {
      case 'none':
        break;
      case 'drop':
        return cutOff;
      case 'refuse': {
        const { status, body } = prelude;
        return { written: { status, body, headers: { ...headers, ...prelude.headers } }, outcome: status };
      }
      case 'wait':
        await waitOrClose(prelude.milliseconds, request, parts.closing);
        if (prelude.then === 'drop') return cutOff;
    }
  }
  if (/\/list[a-z]*(credentials?|kubeconfig)$/i.test(sent.path)) await parts.authority.ready();
  const written = perform(request, sent, identity, headers, parts);
  const outcome = written.status;
  if (fault?.type === 'drop-after-effect') return { ...cutOff, outcome };
  if (fault?.type === 'truncate-list' && isJsonObject(written.body)) {
    return { written: { ...written, body: truncatedList(written.body, fault.keep) }, outcome };
  }
  return { written, outcome };
}

function perform(
  request: FastifyRequest,
  sent: { method: ArmMethod; path: string; search: string; body: string },
  identity: RequestIdentity,
  headers: Record<string, string>,
  parts: ArmRoutesParts,
): Written {
  try {
    const principal = principalOf(request.headers.authorization, parts.tokens, parts.state.tenantId);
    const armRequest: ArmRequest = {
      ...sent,
      segments: segmentsOf(sent.path),
      query: parseQuery(sent.search),
      headers: new Map(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      principal,
      baseUrl: baseUrlOf(request, parts.publicUrl),
    };
    const result = parts.manager.handle(armRequest, identity.correlationId);
    return {
      status: result.status,
      ...(result.body === undefined ? {} : { body: result.body }),
      headers: {
        ...headers,
        'x-ms-operation-identifier': `tenantId=${parts.state.tenantId},objectId=${principal}/eastus/${randomUUID()}`,
        ...(result.rate === undefined ? {} : rateHeaders(result.rate)),
        ...result.headers,
      },
    };
  } catch (error) {
    if (!(error instanceof ArmError)) throw error;
    const cause: Record<string, string> = error.gateway ? { 'x-ms-failure-cause': 'gateway' } : {};
    return { status: error.status, body: error.body, headers: { ...headers, ...cause, ...error.headers } };
  }
}

/** Without anything to write the connection is cut, as when a server dies. */
function send(
  request: FastifyRequest,
  reply: FastifyReply,
  method: ArmMethod,
  written: Written | undefined,
): FastifyReply {
  if (written === undefined) {
    reply.hijack();
    request.raw.socket.destroy();
    return reply;
  }
  void reply.code(written.status).headers(written.headers);
  if (written.body === undefined || method === 'HEAD') return reply.send();
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(written.body));
}

function identityOf(request: FastifyRequest, time: Date): RequestIdentity {
  const correlationId = headerOf(request, 'x-ms-correlation-request-id');
  return {
    correlationId: correlationId ?? randomUUID(),
    clientRequestId: headerOf(request, 'x-ms-client-request-id'),
    returnClientRequestId: headerOf(request, 'x-ms-return-client-request-id')?.toLowerCase() === 'true',
    time,
  };
}

function segmentsOf(path: string): string[] {
  try {
    return splitPath(path);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new ArmError(400, 'InvalidRequestUri', 'The request URI is not valid: it cannot be decoded.', {
      gateway: true,
    });
  }
}

/** The shape of errors where no descriptor was reached: AKS has its own. */
function shapeOf(path: string): 'standard' | 'unwrapped' {
  return /\/microsoft\.containerservice\/managedclusters/i.test(path) ? 'unwrapped' : 'standard';
}

async function waitOrClose(milliseconds: number, request: FastifyRequest, closing: AbortSignal): Promise<void> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort(new Error('The caller has gone.'));
  request.raw.socket.once('close', onClose);
  try {
    await delay(milliseconds, AbortSignal.any([closing, gone.signal]));
  } catch (error) {
    // Nobody is there to answer any more; the wait has simply ended early.
    if (!gone.signal.aborted && !closing.aborted) throw error;
  } finally {
    request.raw.socket.off('close', onClose);
  }
}
