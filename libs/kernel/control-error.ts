import type { JsonObject } from './json.js';

/**
 * Every way in which Pilothouse says no, and the only error type that crosses a library's border. The union is closed
 * and documented (docs/errors.md is generated from `CONTROL_ERRORS`); a code never changes its meaning.
 */
export const CONTROL_ERRORS = {
  INVALID_REQUEST: { status: 400, title: 'The request is not valid' },
  MALFORMED_JSON: { status: 400, title: 'The body is not JSON' },
  INVALID_CURSOR: { status: 400, title: 'The cursor was not issued for this list' },
  UNKNOWN_KIND: { status: 400, title: 'There is no such kind' },
  UNKNOWN_OPERATION_TYPE: { status: 400, title: 'There is no such operation type' },
  INVALID_IDEMPOTENCY_KEY: { status: 400, title: 'The idempotency key is not valid' },
  QUERY_TOO_COMPLEX: { status: 400, title: 'The query asks for too much at once' },
  UNAUTHENTICATED: { status: 401, title: 'A valid bearer token is needed' },
  FORBIDDEN: { status: 403, title: 'The caller may not do this' },
  OWN_OPERATION: { status: 403, title: 'Nobody decides about what they asked for themselves' },
  NOT_FOUND: { status: 404, title: 'There is nothing here' },
  RESOURCE_NOT_FOUND: { status: 404, title: 'The resource is not known' },
  OPERATION_NOT_FOUND: { status: 404, title: 'The operation is not known' },
  OPERATION_SET_NOT_FOUND: { status: 404, title: 'The set of operations is not known' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not allowed here' },
  NOT_ACCEPTABLE: { status: 406, title: 'The answer cannot be given in the form asked for' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time' },
  CONSUMER_TOO_SLOW: { status: 408, title: 'The client does not take what it is sent' },
  CONFLICT: { status: 409, title: 'The request conflicts with the present state' },
  IDEMPOTENCY_KEY_REUSED: { status: 409, title: 'The idempotency key was used for a different request' },
  TARGET_BUSY: { status: 409, title: 'The target is being changed by someone else' },
  OPERATION_SET_ENDED: { status: 409, title: 'The set of operations has ended' },
  NOT_CANCELABLE: { status: 409, title: 'The operation can no longer be canceled' },
  NOT_AWAITING_APPROVAL: { status: 409, title: 'No decision about the operation is waited for' },
  APPROVAL_REJECTED: { status: 422, title: 'Somebody decided against the operation' },
  APPROVAL_EXPIRED: { status: 504, title: 'Nobody decided about the operation in time' },
  CURSOR_EXPIRED: { status: 410, title: 'The cursor is older than what is kept' },
  PRECONDITION_FAILED: { status: 412, title: 'The object was changed in the meantime' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body has a media type that is not understood' },
  PREFLIGHT_FAILED: { status: 422, title: 'A check before the operation found a fault' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  AZURE_NOT_FOUND: { status: 404, title: 'Azure does not know the object' },
  AZURE_CONFLICT: { status: 409, title: 'Azure refused because of the present state' },
  AZURE_REJECTED: { status: 422, title: 'Azure refused the request' },
  AZURE_QUOTA_EXCEEDED: { status: 422, title: 'An Azure quota is exhausted' },
  AZURE_UNAUTHENTICATED: { status: 502, title: 'Azure did not accept the credential of Pilothouse' },
  AZURE_FORBIDDEN: { status: 502, title: 'Azure does not allow this to the identity of Pilothouse' },
  AZURE_THROTTLED: { status: 503, title: 'Azure asks for patience' },
  AZURE_UNAVAILABLE: { status: 503, title: 'Azure did not answer' },
  AZURE_TIMEOUT: { status: 504, title: 'Azure did not answer in time' },
  AZURE_OPERATION_FAILED: { status: 422, title: 'The long-running operation failed in Azure' },
  AZURE_UNEXPECTED_ANSWER: { status: 502, title: 'Azure gave an answer that cannot be understood' },
  INVALID_KUBECONFIG: { status: 422, title: 'The kubeconfig cannot be used' },
  CLUSTER_ACCESS_MISSING: { status: 422, title: 'Pilothouse has no access to the cluster' },
  KUBERNETES_NOT_FOUND: { status: 404, title: 'The cluster does not know the object or its type' },
  KUBERNETES_CONFLICT: { status: 409, title: 'The cluster refused because of the present state' },
  KUBERNETES_REJECTED: { status: 422, title: 'The cluster refused the request' },
  KUBERNETES_UNAUTHENTICATED: { status: 502, title: 'The cluster did not accept the credential of Pilothouse' },
  KUBERNETES_FORBIDDEN: { status: 502, title: 'The cluster does not allow this to the identity of Pilothouse' },
  KUBERNETES_THROTTLED: { status: 503, title: 'The cluster asks for patience' },
  KUBERNETES_UNAVAILABLE: { status: 503, title: 'The cluster did not answer' },
  KUBERNETES_TIMEOUT: { status: 504, title: 'The cluster did not answer in time' },
  KUBERNETES_UNEXPECTED_ANSWER: { status: 502, title: 'The cluster gave an answer that cannot be understood' },
  VERIFICATION_FAILED: { status: 422, title: 'The target is not in the wanted state' },
  DEADLINE_EXCEEDED: { status: 504, title: 'The operation took longer than allowed' },
  CANCELED: { status: 409, title: 'The operation was canceled' },
  FENCED: { status: 409, title: 'Another worker has taken this work over' },
  UNAVAILABLE: { status: 503, title: 'A part of Pilothouse is not available' },
  INTERNAL: { status: 500, title: 'Something went wrong inside Pilothouse' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ControlErrorCode = keyof typeof CONTROL_ERRORS;

/** Whether, and when, the same request can be tried again. */
export type Retry = { kind: 'never' } | { kind: 'backoff' } | { kind: 'after'; seconds: number };

/** One faulty part of a request: `path` is the way to it, `''` for the whole. */
export interface Violation {
  path: string;
  message: string;
  /** Why, in a stable word, where parts can fail for different reasons. */
  code?: string;
}

/** An operation that mends something: as it can be sent to `POST /v1/operations`. */
export interface RemedyOperation {
  type: string;
  input: JsonObject;
}

/** A failure that is known: what is behind it, and what mends it. */
export interface Diagnosis {
  /** Upper snake case, stable, documented with the operation that failed: `CLUSTER_CONNECT_OFF`. */
  code: string;
  /** In one sentence. */
  cause: string;
  /** The observed values that this rests on. */
  evidence: JsonObject;
  /** To be started one after the other; afterwards what failed can be tried again. None where people have to do it. */
  operations: readonly RemedyOperation[];
}

export interface ControlErrorFields {
  retry?: Retry;
  /** What the caller can do about it. */
  remedy?: string;
  diagnosis?: Diagnosis;
  /** The faulty parts of a request. */
  violations?: Violation[];
  /** The code that the outside system gave (an ARM error code, a Kubernetes reason). */
  externalCode?: string;
  cause?: unknown;
}

export class ControlError extends Error {
  readonly code: ControlErrorCode;
  readonly retry: Retry;
  readonly remedy: string | undefined;
  readonly diagnosis: Diagnosis | undefined;
  readonly violations: readonly Violation[];
  readonly externalCode: string | undefined;

  constructor(code: ControlErrorCode, message: string, fields: ControlErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'ControlError';
    this.code = code;
    this.retry = fields.retry ?? { kind: 'never' };
    this.remedy = fields.remedy;
    this.diagnosis = fields.diagnosis;
    this.violations = fields.violations ?? [];
    this.externalCode = fields.externalCode;
  }

  get retryable(): boolean {
    return this.retry.kind !== 'never';
  }
}

/** A problem that is stored with an operation or a scope: the parts of a `ControlError` that may be shown. */
export interface StoredProblem {
  code: ControlErrorCode;
  message: string;
  remedy?: string;
  diagnosis?: Diagnosis;
  externalCode?: string;
  violations?: Violation[];
}

export function storedProblem(error: ControlError): StoredProblem {
  return {
    code: error.code,
    message: error.message,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.diagnosis === undefined ? {} : { diagnosis: error.diagnosis }),
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    ...(error.violations.length === 0 ? {} : { violations: [...error.violations] }),
  };
}
