import type { Json } from '#libs/kernel/json.js';

/** One request as it arrived, and how it was answered. */
export interface LoggedRequest {
  /** Counts up from 1 and never starts again while the process lives. */
  sequence: number;
  time: string;
  method: string;
  path: string;
  /** Without signatures: of `t`, `c`, `s` and `h` only the names are kept. */
  query: string;
  apiVersion: string | null;
  /** Null when the connection ended without an answer. */
  status: number | null;
  /**
   * What became of the request itself, also where the answer to it was cut off: the status that it was or would have been
   * answered with. Null where it was not looked at.
   */
  outcome: number | null;
  correlationId: string;
  clientRequestId: string | null;
  /** The fault that was played, if one was. */
  fault: string | null;
  /** As JSON where it is JSON, else as text; only the first part of a long text. */
  body: Json;
}

const CAPACITY = 10_000;
const SIGNATURES = new Set(['t', 'c', 's', 'h']);
const BODY_LENGTH = 20_000;

/** The last requests, oldest first. */
export class RequestLog {
  #entries: LoggedRequest[] = [];
  #sequence = 0;

  add(entry: Omit<LoggedRequest, 'sequence'>): void {
    this.#entries.push({ sequence: ++this.#sequence, ...entry });
    // Cut in batches: a cut for every request would copy the whole list each time.
    if (this.#entries.length >= CAPACITY * 1.2) this.#entries = this.#entries.slice(-CAPACITY);
  }

  /** `since`: a sequence number; only later ones are given. `path`: part of it, or a regular expression. */
  find(filter: {
    method?: string | undefined;
    path?: RegExp | undefined;
    since?: number | undefined;
  }): LoggedRequest[] {
    const { method, path, since } = filter;
    return this.#entries.filter(
      (entry) =>
        (method === undefined || entry.method === method.toUpperCase()) &&
        (path === undefined || path.test(entry.path)) &&
        (since === undefined || entry.sequence > since),
    );
  }

  clear(): void {
    this.#entries = [];
  }
}

export function redactedQuery(search: string): string {
  return search
    .split('&')
    .map((part) => {
      const name = part.split('=')[0] ?? '';
      return SIGNATURES.has(name) ? `${name}=…` : part;
    })
    .join('&');
}

export function loggedBody(text: string): Json {
  if (text === '') return null;
  if (text.length > BODY_LENGTH) return text.slice(0, BODY_LENGTH);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
