import type { ApolloServerPlugin } from '@apollo/server';
import { formatGraphqlError } from './graphql-error.translator.js';
import type { GraphqlContext } from './graphql.context.js';

/** Gives errors their public form, for which the request must be known: they carry its correlation id. */
export function graphqlErrorsPlugin(): ApolloServerPlugin<GraphqlContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        willSendResponse: ({ response, errors, contextValue }) => {
          if (errors !== undefined && response.body.kind === 'single') {
            const { correlationId, logger } = contextValue;
            response.body.singleResult.errors = errors.map((error) => formatGraphqlError(error, correlationId, logger));
          }
          return Promise.resolve();
        },
      }),
  };
}
