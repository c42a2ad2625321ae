import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import {
  getOperationAST,
  GraphQLError,
  parse,
  validate,
  type ExecutionArgs,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
} from 'graphql';
import {
  handleProtocols,
  makeServer,
  type Context,
  type Server as GraphqlWsServer,
  type SubscribePayload,
} from 'graphql-ws';
import type { Logger } from 'pino';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Caller } from '#libs/access/caller.js';
import { AccessControl } from '#libs/control/access.control.js';
import { API_LOGGER, API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { CORRELATION_HEADER, correlationIdOf } from '../http/correlation-id.js';
import { controlErrorOf } from '../http/control-error.translator.js';
import { requireStorableJson } from '../http/json-body.js';
import { sendSocketProblem } from '../http/problem.reply.js';
import { formatGraphqlError } from './graphql-error.translator.js';
import { GraphqlEndpoint } from './graphql.endpoint.js';
import { MAXIMUM_TOKENS, requireBoundedNesting } from './query.limits.js';

const PATH = '/graphql';
const SUBSCRIPTIONS_PER_SOCKET = 100;
/** Milliseconds in which a client must say who it is, and in which it must have gone when the server stops. */
const INITIALISATION_MS = 5_000;
const CLOSE_GRACE_MS = 1_000;
const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;

interface SocketExtra extends Record<PropertyKey, unknown> {
  correlationId: string;
  /** Known from the upgrade's own Authorization header, or from `connectionParams`. */
  caller: Caller | undefined;
}

type SocketContext = Context<Record<string, unknown>, SocketExtra>;

/** GraphQL over WebSocket (graphql-ws), for subscriptions. The token comes with the upgrade or with the first message. */
@Injectable()
export class GraphqlSocketServer implements OnModuleInit {
  readonly #sockets: WebSocketServer;
  readonly #protocol: GraphqlWsServer<SocketExtra>;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly endpoint: GraphqlEndpoint,
    private readonly access: AccessControl,
    @Inject(API_SETTINGS) private readonly settings: ApiSettings,
    @Inject(API_LOGGER) private readonly logger: Logger,
  ) {
    this.#sockets = new WebSocketServer({ noServer: true, handleProtocols, maxPayload: settings.bodyLimitBytes });
    this.#protocol = makeServer<Record<string, unknown>, SocketExtra>({
      connectionInitWaitTimeout: INITIALISATION_MS,
      onConnect: (context) => this.#connect(context),
      onSubscribe: (context, _id, payload) => this.#subscribe(context, payload),
      onNext: (context, _id, _payload, _args, { data, errors }): FormattedExecutionResult => ({
        ...(data === undefined ? {} : { data }),
        ...(errors === undefined ? {} : { errors: this.#formatted(context, errors) }),
      }),
      onError: (context, _id, _payload, errors) => this.#formatted(context, errors),
    });
  }

  onModuleInit(): void {
    const instance = this.host.httpAdapter.getInstance<FastifyInstance>();
    instance.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Without a listener a fault of the socket would end the process.
      socket.on('error', () => socket.destroy());
      this.#upgrade(request, socket, head).catch((error: unknown) => {
        const refused = controlErrorOf(error);
        if (refused.code === 'INTERNAL') this.logger.error({ err: refused }, 'upgrade to WebSocket failed');
        sendSocketProblem(refused, socket);
      });
    });
    instance.addHook('preClose', () => this.#close());
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (request.url?.split('?', 1)[0] !== PATH) throw new ControlError('NOT_FOUND', 'There is nothing at this path.');
    if (this.#sockets.clients.size >= this.settings.maxOpenStreams) {
      throw new ControlError('UNAVAILABLE', 'No further socket can be opened now.', {
        retry: { kind: 'after', seconds: 10 },
      });
    }
    const { authorization } = request.headers;
    const extra: SocketExtra = {
      correlationId: correlationIdOf(request.headers[CORRELATION_HEADER]),
      caller: authorization === undefined ? undefined : await this.access.authenticate(authorization),
    };
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket, extra));
  }

  #open(socket: WebSocket, extra: SocketExtra): void {
    let alive = true;
    const heartbeat = setInterval(() => {
      if (!alive) {
        socket.terminate();
        return;
      }
      alive = false;
      socket.ping();
    }, this.settings.heartbeatMs);
    socket.on('pong', () => {
      alive = true;
    });
    // What the client did wrong (a frame too large, broken UTF-8): the socket closes by itself.
    socket.on('error', (error) =>
      this.logger.debug({ err: error, correlationId: extra.correlationId }, 'socket failed'),
    );
    const fail = (error: unknown): void => {
      this.logger.error({ err: error, correlationId: extra.correlationId }, 'message on a socket failed');
      socket.close(INTERNAL_ERROR, 'Internal error');
    };
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        // Waits until the message is written: a client that does not read stops its own subscriptions only.
        send: (text) =>
          new Promise((resolve, reject) => {
            if (socket.readyState !== WebSocket.OPEN) {
              resolve();
              return;
            }
            socket.send(text, (error) => {
              // A socket that closed in the meantime has its own way of telling.
              if (error && socket.readyState === WebSocket.OPEN) reject(error);
              else resolve();
            });
          }),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (receive) => {
          socket.on('message', (data: RawData) => {
            receive((data as Buffer).toString('utf8')).catch(fail);
          });
        },
      },
      extra,
    );
    socket.once('close', (code, reason) => {
      clearInterval(heartbeat);
      closed(code, reason.toString('utf8')).catch(fail);
    });
  }

  /** @returns false to refuse the client (4403). */
  async #connect({ extra, connectionParams }: SocketContext): Promise<boolean> {
    if (extra.caller !== undefined) return true;
    const entry = Object.entries(connectionParams ?? {}).find(([name]) => name.toLowerCase() === 'authorization');
    try {
      extra.caller = await this.access.authenticate(typeof entry?.[1] === 'string' ? entry[1] : undefined);
      return true;
    } catch (error) {
      if (error instanceof ControlError && error.code === 'UNAUTHENTICATED') return false;
      throw error;
    }
  }

  /** What is to be run, or why it is not. */
  #subscribe(context: SocketContext, payload: SubscribePayload): ExecutionArgs | readonly GraphQLError[] {
    const { schema, limits } = this.endpoint;
    const { caller, correlationId } = context.extra;
    try {
      if (caller === undefined) throw new ControlError('UNAUTHENTICATED', 'A bearer token is needed.');
      if (Object.keys(context.subscriptions).length > SUBSCRIPTIONS_PER_SOCKET) {
        throw new ControlError('UNAVAILABLE', `A socket carries at most ${SUBSCRIPTIONS_PER_SOCKET} subscriptions.`);
      }
      requireStorableJson(payload.variables ?? {}, 'variables');
      requireBoundedNesting(payload.query);
      const document = parse(payload.query, { maxLexicalTokens: MAXIMUM_TOKENS });
      const faults = validate(schema, document);
      if (faults.length > 0) return faults;
      const operation = getOperationAST(document, payload.operationName);
      if (operation === undefined || operation === null) {
        throw new ControlError('INVALID_REQUEST', 'The operation to run is not in the document, or not named.');
      }
      const variableValues = payload.variables ?? {};
      limits.check(document, operation, variableValues);
      return {
        schema,
        document,
        variableValues,
        operationName: payload.operationName ?? null,
        contextValue: this.endpoint.contextOf(caller, correlationId, () => undefined),
      };
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      const refused = controlErrorOf(error);
      return [new GraphQLError(refused.message, { originalError: refused })];
    }
  }

  #formatted({ extra }: SocketContext, errors: readonly unknown[]): GraphQLFormattedError[] {
    return errors.map((error) => formatGraphqlError(error, extra.correlationId, this.logger));
  }

  async #close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.close(GOING_AWAY, 'The server is stopping');
    const closed = Promise.withResolvers<void>();
    const force = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
    }, CLOSE_GRACE_MS);
    this.#sockets.close(() => closed.resolve());
    await closed.promise;
    clearTimeout(force);
  }
}
