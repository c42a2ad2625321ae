import { randomUUID } from 'node:crypto';
import * as z from 'zod';

const regularExpression = z.string().refine(isRegularExpression, 'is not a regular expression');

const matchSchema = z
  .strictObject({
    method: z.enum(['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE']).optional(),
    /** A regular expression, in any casing, for the path without the query. */
    path: regularExpression.optional(),
    /** A provider namespace that the path must name. */
    provider: z.string().optional(),
    /** Resource Graph queries, or everything else of ARM; requests to clusters are met by `kubernetes` alone. */
    kind: z.enum(['arm', 'graph', 'kubernetes']).optional(),
    /** With `kubernetes`: the uid, the ARM id or the name of a cluster; `path` is then the path inside of the cluster. */
    cluster: z.string().optional(),
  })
  .default({});

const faultSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('throttle'), retryAfterSeconds: z.number().min(0).nullable().default(5) }),
  z.strictObject({
    type: z.literal('error'),
    status: z.int().min(400).max(599),
    /** Sent as it is; without it, code and message are written in the shape of the provider. */
    body: z.json().optional(),
    code: z.string().default('InternalServerError'),
    message: z.string().default('The server encountered an internal error. Please retry the request.'),
    retryAfterSeconds: z.number().min(0).optional(),
  }),
  z.strictObject({ type: z.literal('hang'), seconds: z.number().min(0).max(3600) }),
  z.strictObject({ type: z.literal('drop') }),
  z.strictObject({ type: z.literal('slow'), milliseconds: z.number().min(0).max(3_600_000) }),
  z.strictObject({ type: z.literal('drop-after-effect') }),
  z.strictObject({ type: z.literal('expire-poll-urls') }),
  z.strictObject({ type: z.literal('truncate-list'), keep: z.int().min(0).optional() }),
]);

/** What only ARM can suffer. */
const ARM_FAULTS: readonly string[] = ['drop-after-effect', 'expire-poll-urls', 'truncate-list'];

export const faultRequestSchema = z
  .strictObject({
    match: matchSchema,
    /** How many requests it is played to; left out: until it is removed. */
    times: z.int().min(1).optional(),
    fault: faultSchema,
  })
  .refine(({ match, fault }) => match.kind !== 'kubernetes' || !ARM_FAULTS.includes(fault.type), {
    message: 'is not played to Kubernetes requests',
    path: ['fault', 'type'],
  })
  .refine(({ match }) => match.cluster === undefined || match.kind === 'kubernetes', {
    message: "needs kind 'kubernetes'",
    path: ['match', 'cluster'],
  });

export type FaultRequest = z.infer<typeof faultRequestSchema>;
export type FaultPlay = FaultRequest['fault'];

/** A fault that waits for requests. */
export interface Fault extends FaultRequest {
  id: string;
  /** How many requests met it. */
  played: number;
}

/** Polls of long-running operations, whose URLs a fault can let expire. */
const POLL_PATH = /\/(operations|operationresults)\/[^/]+$/i;

/** The faults in force, oldest first; the first that matches is played. */
export class FaultStore {
  readonly #faults = new Map<string, Fault>();

  add(request: FaultRequest): Fault {
    const fault: Fault = { ...request, id: randomUUID(), played: 0 };
    this.#faults.set(fault.id, fault);
    return fault;
  }

  list(): Fault[] {
    return [...this.#faults.values()];
  }

  get(id: string): Fault | undefined {
    return this.#faults.get(id);
  }

  remove(id: string): boolean {
    return this.#faults.delete(id);
  }

  clear(): void {
    this.#faults.clear();
  }

  /** The fault to play to this request; counts it. */
  take(request: { method: string; path: string }): FaultPlay | undefined {
    return this.#take((fault) => matches(fault, request));
  }

  /**
   * The same for a request to a cluster.
   * @param request `path` inside of the cluster, `cluster`: every name that it goes by
   */
  takeKubernetes(request: { method: string; path: string; cluster: readonly string[] }): FaultPlay | undefined {
    return this.#take((fault) => matchesKubernetes(fault, request));
  }

  #take(matching: (fault: Fault) => boolean): FaultPlay | undefined {
    if (this.#faults.size === 0) return undefined;
    for (const fault of this.#faults.values()) {
      if (!matching(fault)) continue;
      fault.played++;
      if (fault.times !== undefined && fault.played >= fault.times) this.#faults.delete(fault.id);
      return fault.fault;
    }
    return undefined;
  }
}

function matches({ match, fault }: Fault, { method, path }: { method: string; path: string }): boolean {
  if (match.kind === 'kubernetes') return false;
  if (fault.type === 'expire-poll-urls' && !POLL_PATH.test(path)) return false;
  if (match.method !== undefined && match.method !== method) return false;
  if (match.path !== undefined && !new RegExp(match.path, 'i').test(path)) return false;
  const lower = path.toLowerCase();
  if (match.provider !== undefined && !`${lower}/`.includes(`/providers/${match.provider.toLowerCase()}/`))
    return false;
  const isGraph = lower.includes('/providers/microsoft.resourcegraph/');
  return match.kind === undefined || (match.kind === 'graph') === isGraph;
}

function matchesKubernetes(
  { match }: Fault,
  { method, path, cluster }: { method: string; path: string; cluster: readonly string[] },
): boolean {
  if (match.kind !== 'kubernetes') return false;
  if (match.method !== undefined && match.method !== method) return false;
  if (match.path !== undefined && !new RegExp(match.path, 'i').test(path)) return false;
  const wanted = match.cluster?.toLowerCase();
  return wanted === undefined || cluster.some((name) => name.toLowerCase() === wanted);
}

function isRegularExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
