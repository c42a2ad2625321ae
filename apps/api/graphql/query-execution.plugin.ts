import { HeaderMap, type ApolloServerPlugin } from '@apollo/server';
import { formatGraphqlError } from './graphql-error.translator.js';
import type { GraphqlContext } from './graphql.context.js';
import type { QueryExecutor } from './query.executor.js';

/** Runs operations with our executor in the place of Apollo's. */
export function queryExecutionPlugin(executor: QueryExecutor): ApolloServerPlugin<GraphqlContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        responseForOperation: async ({ document, request, contextValue }) => {
          const { data, errors } = await executor.execute({
            document,
            operationName: request.operationName,
            variables: request.variables ?? {},
            context: contextValue,
          });
          const { correlationId, logger } = contextValue;
          const formatted = errors?.map((error) => formatGraphqlError(error, correlationId, logger));
          return {
            // Without any data nothing was run: no such operation, or variables that it does not take.
            http: { headers: new HeaderMap(), ...(data === undefined ? { status: 400 } : {}) },
            body: {
              kind: 'single',
              singleResult: {
                ...(formatted === undefined ? {} : { errors: formatted }),
                ...(data === undefined ? {} : { data }),
              },
            },
          };
        },
      }),
  };
}
