import { randomUUID } from 'node:crypto';
import type { LimitedAnswer } from './azure-resource-manager.js';

/** What one answer tells about itself. */
export interface RequestIdentity {
  correlationId: string;
  clientRequestId: string | undefined;
  /** The caller wants its own request id back. */
  returnClientRequestId: boolean;
  time: Date;
}

/** The headers that every answer of ARM carries. */
export function commonHeaders(identity: RequestIdentity): Record<string, string> {
  const requestId = randomUUID();
  const stamp = `${identity.time.toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}Z`;
  const { clientRequestId } = identity;
  return {
    'cache-control': 'no-cache',
    pragma: 'no-cache',
    expires: '-1',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-cache': 'CONFIG_NOCACHE',
    'x-msedge-ref': `Ref A: ${requestId.replaceAll('-', '').toUpperCase()} Ref B: SIMULATOR Ref C: ${identity.time.toISOString()}`,
    'x-ms-request-id': requestId,
    'x-ms-correlation-request-id': identity.correlationId,
    'x-ms-routing-request-id': `EASTUS:${stamp}:${requestId}`,
    ...(identity.returnClientRequestId && clientRequestId !== undefined
      ? { 'x-ms-client-request-id': clientRequestId }
      : {}),
  };
}

/** As recorded: polls show what is left for all callers, other requests also what is left for the caller. */
export function rateHeaders(rate: NonNullable<LimitedAnswer['rate']>): Record<string, string> {
  const prefix = `x-ms-ratelimit-remaining-${rate.scope}`;
  const { principal, all } = rate.remaining;
  return {
    ...(rate.poll ? {} : { [`${prefix}-${rate.kind}`]: String(principal) }),
    ...(rate.scope === 'tenant' ? {} : { [`${prefix}-global-${rate.kind}`]: String(all) }),
  };
}
