import type { ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import type { FastifyRequest } from 'fastify';
import { departureSignal } from '../http/departure-signal.js';
import { callerOf } from '../http/request.caller.js';
import type { GraphqlContext } from './graphql.context.js';
import type { GraphqlEndpoint } from './graphql.endpoint.js';
import { graphqlErrorsPlugin } from './graphql-errors.plugin.js';
import { QueryExecutor } from './query.executor.js';
import { queryExecutionPlugin } from './query-execution.plugin.js';
import { queryLimitsPlugin } from './query-limits.plugin.js';
import { MAXIMUM_TOKENS } from './query.limits.js';

/** How Apollo runs the schema of the registry, which Nest takes as it is where there are no type definitions. */
export function graphqlOptions(endpoint: GraphqlEndpoint): Omit<ApolloDriverConfig, 'driver'> {
  return {
    path: '/graphql',
    schema: endpoint.schema,
    context: (request: FastifyRequest): GraphqlContext =>
      endpoint.contextOf(callerOf(request), request.id, () => departureSignal(request)),
    // The one for cache hints wraps every resolver: three times the work for answers that nobody may cache.
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      queryLimitsPlugin(endpoint.limits) as ApolloServerPlugin,
      queryExecutionPlugin(new QueryExecutor(endpoint.schema)) as ApolloServerPlugin,
      graphqlErrorsPlugin() as ApolloServerPlugin,
    ],
    parseOptions: { maxLexicalTokens: MAXIMUM_TOKENS },
    introspection: true,
    csrfPrevention: true,
    graphiql: false,
    persistedQueries: false,
    autoTransformHttpErrors: false,
    includeStacktraceInErrorResponses: false,
  };
}
