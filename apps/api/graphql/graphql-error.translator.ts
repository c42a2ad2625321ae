import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { CONTROL_ERRORS, ControlError } from '#libs/kernel/control-error.js';
import { controlErrorOf } from '../http/control-error.translator.js';
import { retryAfterSeconds } from '../http/problem.js';

/** The parser has no code for it. */
const TOO_MANY_TOKENS = /^Syntax Error: Document contains more tha[nt] \d+ tokens/;

/** A GraphQL error as clients see it: the code and the rest of the problem in `extensions`, and nothing from inside. */
export function formatGraphqlError(error: unknown, correlationId: string, logger: Logger): GraphQLFormattedError {
  const cause = controlErrorOfGraphql(error);
  if (cause.code === 'INTERNAL') logger.error({ err: cause, correlationId }, 'GraphQL operation failed');
  const retryAfter = retryAfterSeconds(cause);
  return {
    message: cause.message,
    ...(error instanceof GraphQLError && error.locations !== undefined ? { locations: error.locations } : {}),
    ...(error instanceof GraphQLError && error.path !== undefined ? { path: error.path } : {}),
    extensions: {
      code: cause.code,
      correlationId,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(cause.remedy === undefined ? {} : { remedy: cause.remedy }),
      ...(cause.externalCode === undefined ? {} : { externalCode: cause.externalCode }),
      ...(cause.violations.length === 0 ? {} : { violations: cause.violations }),
    },
  };
}

/** An error that ends the request before anything is run, with its HTTP status. */
export function refusal(error: ControlError): GraphQLError {
  return new GraphQLError(error.message, {
    originalError: error,
    extensions: { http: { status: CONTROL_ERRORS[error.code].status } },
  });
}

function controlErrorOfGraphql(error: unknown): ControlError {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError !== undefined) cause = cause.originalError;
  if (cause instanceof GraphQLError && TOO_MANY_TOKENS.test(cause.message)) {
    return new ControlError('QUERY_TOO_COMPLEX', 'The query is too long.', { cause });
  }
  // An error that GraphQL itself made is about the query: a syntax error, an unknown field, a value of a wrong type.
  if (cause instanceof GraphQLError) return new ControlError('INVALID_REQUEST', cause.message, { cause });
  return controlErrorOf(cause);
}
