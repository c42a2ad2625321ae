import { CONTROL_ERRORS, type ControlError, type ControlErrorCode } from '#libs/kernel/control-error.js';
import type { ProblemView } from '../views/view.schemas.js';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';
const PROBLEM_TYPE_BASE = 'https://pilothouse.dev/problems/';

export interface ProblemContext {
  /** The path of the request, without its query, which may hold what its sender did not mean to see in logs. */
  instance: string;
  correlationId: string;
}

/** The problem (RFC 9457) that a `ControlError` is on the wire. */
export function problemOf(error: ControlError, context: ProblemContext): ProblemView {
  const { status, title } = CONTROL_ERRORS[error.code];
  const retryAfter = retryAfterSeconds(error);
  return {
    type: problemType(error.code),
    title,
    status,
    detail: error.message,
    instance: context.instance,
    code: error.code,
    correlationId: context.correlationId,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    ...(error.violations.length === 0 ? {} : { violations: [...error.violations] }),
  };
}

/** The headers that belong to a problem. */
export function problemHeaders(error: ControlError): Record<string, string> {
  const retryAfter = retryAfterSeconds(error);
  return {
    'content-type': PROBLEM_MEDIA_TYPE,
    'cache-control': 'no-store',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfter))) }),
    ...(error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer realm="pilothouse"' } : {}),
  };
}

export function problemType(code: ControlErrorCode): string {
  return `${PROBLEM_TYPE_BASE}${code.toLowerCase().replaceAll('_', '-')}`;
}

export function retryAfterSeconds(error: ControlError): number | undefined {
  return error.retry.kind === 'after' ? error.retry.seconds : undefined;
}
