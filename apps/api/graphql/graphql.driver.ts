import { Readable } from 'node:stream';
import { ApolloServer, HeaderMap, type BaseContext } from '@apollo/server';
import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { presentMembers } from '../http/present-members.js';
import { parseRequest } from '../http/request.parser.js';
import { requireBoundedNesting } from './query.limits.js';
import { bodyOf } from '../rest/operation.reply.js';

const RESPONSE_MEDIA_TYPE = 'application/graphql-response+json';

const graphqlBody = z.object({
  query: z.string('must be the text of a query').min(1, 'must not be empty'),
  operationName: z.string('must be a text').nullish(),
  variables: z.record(z.string(), z.unknown(), 'must be an object').nullish(),
  extensions: z.record(z.string(), z.unknown(), 'must be an object').nullish(),
});

/**
 * Apollo on Fastify. In place of the driver's own route, which also takes GET, makes a URL of the Host header as it comes
 * (a bad one would be our fault, 500) and closes the server by itself.
 */
@Injectable()
export class GraphqlDriver extends ApolloDriver {
  // eslint-disable-next-line @typescript-eslint/no-useless-constructor -- Nest reads the parameters of this class only.
  constructor(modulesContainer: ModulesContainer) {
    super(modulesContainer);
  }

  protected override async registerFastify(options: ApolloDriverConfig): Promise<void> {
    const { schema, path = '/graphql' } = options;
    if (schema === undefined) throw new TypeError('The GraphQL schema is missing');
    const {
      typeDefs: _typeDefs,
      resolvers: _resolvers,
      context,
      ...others
    } = options as Omit<ApolloDriverConfig, 'context'> & {
      context: (request: FastifyRequest) => Promise<BaseContext>;
    };
    const server = new ApolloServer<BaseContext>({ ...others, schema });
    await server.start();
    this.apolloServer = server;
    this.httpAdapterHost.httpAdapter.getInstance<FastifyInstance>().post(path, async (request, reply) => {
      const { query, operationName, variables, extensions } = parseRequest(graphqlBody, bodyOf(request), 'body');
      requireBoundedNesting(query);
      const headers = new HeaderMap([['content-type', 'application/json']]);
      if (request.headers.accept?.includes(RESPONSE_MEDIA_TYPE)) headers.set('accept', RESPONSE_MEDIA_TYPE);
      const body = presentMembers({ query, operationName, variables, extensions });
      const answer = await server.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { method: 'POST', headers, search: '', body },
        context: () => context(request),
      });
      for (const [name, value] of answer.headers) void reply.header(name, value);
      void reply.code(answer.status ?? 200);
      return answer.body.kind === 'complete' ? answer.body.string : Readable.from(answer.body.asyncIterator);
    });
  }
}
