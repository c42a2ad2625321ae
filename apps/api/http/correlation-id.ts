import { randomUUID } from 'node:crypto';

export const CORRELATION_HEADER = 'x-correlation-id';

/** What may go into logs, answers and calls to Azure as it is. */
const SANE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The id that the sender chose, where it is harmless, or a new one. */
export function correlationIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE.test(header) ? header : randomUUID();
}
