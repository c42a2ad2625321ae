import type { Json, JsonObject } from '#libs/kernel/json.js';
import { ArmError } from './arm-error.js';
import type { ErrorShape } from './arm-error.js';
import { omit } from './json-merge.js';
import type { FaultPlay } from './fault.store.js';

/** What a fault does before the request is looked at. */
export type FaultPrelude =
  | { kind: 'none' }
  | { kind: 'wait'; milliseconds: number; then: 'go-on' | 'drop' }
  | { kind: 'drop' }
  | { kind: 'refuse'; status: number; body: Json; headers: Record<string, string> };

export function preludeOf(fault: FaultPlay, shape: ErrorShape): FaultPrelude {
  switch (fault.type) {
    case 'drop':
      return { kind: 'drop' };
    case 'hang':
      return { kind: 'wait', milliseconds: fault.seconds * 1000, then: 'drop' };
    case 'slow':
      return { kind: 'wait', milliseconds: fault.milliseconds, then: 'go-on' };
    case 'throttle':
      return refusal(
        new ArmError(429, 'SubscriptionRequestsThrottled', 'Number of requests exceeded. Please try again later.', {
          headers: retryAfter(fault.retryAfterSeconds),
        }),
      );
    case 'error': {
      const headers = retryAfter(fault.retryAfterSeconds ?? null);
      const error = new ArmError(fault.status, fault.code, fault.message, { shape, headers });
      return fault.body === undefined
        ? refusal(error)
        : { kind: 'refuse', status: fault.status, body: fault.body, headers };
    }
    case 'expire-poll-urls':
      return refusal(
        new ArmError(404, 'NotFound', 'The entity was not found: the operation is unknown or has expired.'),
      );
    case 'drop-after-effect':
    case 'truncate-list':
      return { kind: 'none' };
  }
}

/**
 * A list that silently lacks its end: the page keeps some items (half of them unless told otherwise) and names no next
 * one. Resource Graph says that rows remain but gives no token for them.
 */
export function truncatedList(body: JsonObject, keep: number | undefined): JsonObject {
  const member = Array.isArray(body.value) ? 'value' : Array.isArray(body.data) ? 'data' : undefined;
  if (member === undefined) return body;
  const items = body[member] as Json[];
  const kept = items.slice(0, keep ?? Math.floor(items.length / 2));
  const rest = omit(body, ['nextLink', '$skipToken']);
  if (member === 'value') return { ...rest, value: kept };
  return { ...rest, data: kept, count: kept.length, resultTruncated: 'true' };
}

function refusal(error: ArmError): FaultPrelude {
  return { kind: 'refuse', status: error.status, body: error.body, headers: error.headers };
}

function retryAfter(seconds: number | null): Record<string, string> {
  return seconds === null ? {} : { 'retry-after': String(seconds) };
}
