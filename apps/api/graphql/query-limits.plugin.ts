import type { ApolloServerPlugin } from '@apollo/server';
import { OperationTypeNode } from 'graphql';
import { ControlError } from '#libs/kernel/control-error.js';
import { refusal } from './graphql-error.translator.js';
import type { GraphqlContext } from './graphql.context.js';
import type { QueryLimits } from './query.limits.js';

/** Refuses what asks for too much before anything of it is run. */
export function queryLimitsPlugin(limits: QueryLimits): ApolloServerPlugin<GraphqlContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation: ({ document, operation, request }) => {
          // Undefined where the document does not hold the operation: running it says so.
          if (operation === undefined) return Promise.resolve();
          if (operation.operation === OperationTypeNode.SUBSCRIPTION) {
            throw refusal(
              new ControlError('INVALID_REQUEST', 'A subscription is asked for over WebSocket (graphql-ws).'),
            );
          }
          try {
            limits.check(document, operation, request.variables ?? {});
          } catch (error) {
            throw error instanceof ControlError ? refusal(error) : error;
          }
          return Promise.resolve();
        },
      }),
  };
}
