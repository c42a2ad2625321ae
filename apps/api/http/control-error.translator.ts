import { ControlError, type ControlErrorCode } from '#libs/kernel/control-error.js';

/** The framework's own refusals, by the code of the error. All others that it gives are faults of the request in general. */
const BY_FRAMEWORK_CODE: Readonly<Record<string, { code: ControlErrorCode; message: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'The body must be sent as application/json.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'INVALID_REQUEST',
    message: 'The body is not as long as Content-Length says.',
  },
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'PAYLOAD_TOO_LARGE', message: 'The body is larger than this server reads.' },
  FST_ERR_BAD_URL: { code: 'INVALID_REQUEST', message: 'The path of the URL is not percent-encoded as it should be.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'NOT_FOUND', message: 'There is nothing at this path.' },
};

const BY_STATUS: Readonly<Record<number, ControlErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  406: 'NOT_ACCEPTABLE',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  414: 'NOT_FOUND',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
};

/**
 * Everything that can be thrown on the way of a request, as the error that its sender may see. What is not known here
 * is a fault of ours: INTERNAL with the original as its cause, which is for the log alone.
 */
export function controlErrorOf(thrown: unknown): ControlError {
  if (thrown instanceof ControlError) return thrown;
  // Fastify's errors only look like errors: they are told by their members.
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string') {
    const known = BY_FRAMEWORK_CODE[thrown.code];
    if (known !== undefined) return new ControlError(known.code, known.message, { cause: thrown });
    const status = 'statusCode' in thrown ? thrown.statusCode : undefined;
    if (thrown.code.startsWith('FST_') && typeof status === 'number' && status < 500) {
      return new ControlError(BY_STATUS[status] ?? 'INVALID_REQUEST', 'The request is not valid.', { cause: thrown });
    }
  }
  return new ControlError('INTERNAL', 'Something went wrong inside Pilothouse.', {
    remedy: 'Try again later; tell the operator the correlation id if it stays.',
    cause: thrown,
  });
}
