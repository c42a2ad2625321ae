import { Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperationControl } from '#libs/control/operation.control.js';
import type { OperationPageView } from '#libs/control/operation.view.js';
import { API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { lastEventId, requireEventsAcceptable, sendEventStream } from '../http/event-stream.js';
import { OpenStreams } from '../http/open-streams.js';
import { presentMembers } from '../http/present-members.js';
import { filterList, filterText, pageCursor, pageLimit } from '../http/query.schemas.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import { approvalDecisionRequest, approvalState, operationStatus } from '../views/view.schemas.js';
import { bodyOf, idempotencyKeyOf, retryAfterHeader, sendAccepted } from './operation.reply.js';

const acceptBody = z.strictObject({
  type: filterText(200),
  input: z.record(z.string(), z.unknown(), 'must be an object'),
  dryRun: z.boolean('must be true or false').default(false),
});

const listQuery = z.strictObject({
  status: filterList(10)
    .pipe(z.array(z.enum(operationStatus.options, `must be one of ${operationStatus.options.join(', ')}`)))
    .optional(),
  type: filterText(200).optional(),
  target: filterText(2048).optional(),
  requestedBy: filterText(200).optional(),
  set: filterText(100).optional(),
  approval: z.enum(approvalState.options, `must be one of ${approvalState.options.join(', ')}`).optional(),
  limit: pageLimit.optional(),
  cursor: pageCursor.optional(),
});

const noQuery = z.strictObject({});

/** Changes: starting, following and stopping them. */
@Controller('v1/operations')
export class OperationController {
  constructor(
    private readonly operations: OperationControl,
    private readonly streams: OpenStreams,
    @Inject(API_SETTINGS) private readonly settings: ApiSettings,
  ) {}

  @Post()
  async accept(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const { type, input, dryRun } = parseRequest(acceptBody, bodyOf(request), 'body');
    const { operation, replayed } = await this.operations.accept(callerOf(request), {
      type,
      input,
      dryRun,
      idempotencyKey: idempotencyKeyOf(request),
      correlationId: request.id,
    });
    await sendAccepted(reply, operation, replayed);
  }

  @Get()
  list(@Req() request: FastifyRequest): Promise<OperationPageView> {
    const query = parseRequest(listQuery, request.query, 'query');
    return this.operations.list(callerOf(request), presentMembers(query));
  }

  @Get(':id')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const operation = await this.operations.get(callerOf(request), id);
    await reply.headers({ 'cache-control': 'no-store', ...retryAfterHeader(operation) }).send(operation);
  }

  @Get(':id/events')
  async events(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    requireEventsAcceptable(request);
    const after = lastEventId(request);
    await sendEventStream(request, reply, {
      source: (signal) => this.operations.events(callerOf(request), id, after, signal),
      toEvent: (event) => ({ id: event.id, event: 'operation', data: event.operation }),
      streams: this.streams,
      heartbeatMs: this.settings.heartbeatMs,
    });
  }

  @Post(':id/cancel')
  async cancel(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const operation = await this.operations.cancel(callerOf(request), id, request.id);
    await sendAccepted(reply, operation, false);
  }

  @Post(':id/approve')
  async approve(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    await this.#decide(request, reply, id, 'approved');
  }

  @Post(':id/reject')
  async reject(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    await this.#decide(request, reply, id, 'rejected');
  }

  async #decide(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    decision: 'approved' | 'rejected',
  ): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const { reason } = parseRequest(approvalDecisionRequest, request.body ?? {}, 'body');
    const operation = await this.operations.decide(callerOf(request), id, { decision, reason }, request.id);
    await sendAccepted(reply, operation, false);
  }
}
