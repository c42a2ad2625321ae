import { Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperationSetControl } from '#libs/control/operation-set.control.js';
import type {
  OperationSetItemPageView,
  OperationSetPageView,
  OperationSetView,
} from '#libs/control/operation-set.view.js';
import { API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { lastEventId, requireEventsAcceptable, sendEventStream } from '../http/event-stream.js';
import { OpenStreams } from '../http/open-streams.js';
import { presentMembers } from '../http/present-members.js';
import { filterList, filterText, pageCursor, pageLimit } from '../http/query.schemas.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import {
  operationSetItemStatus,
  operationSetRequest,
  operationSetRetryRequest,
  operationSetStatus,
  operationSetStopRequest,
} from '../views/operation-set.schemas.js';
import { approvalDecisionRequest } from '../views/view.schemas.js';
import { setRequestOf } from '../views/operation-set.request.js';
import { bodyOf, idempotencyKeyOf } from './operation.reply.js';

const listQuery = z.strictObject({
  status: filterList(10)
    .pipe(z.array(z.enum(operationSetStatus.options, `must be one of ${operationSetStatus.options.join(', ')}`)))
    .optional(),
  type: filterText(200).optional(),
  limit: pageLimit.optional(),
  cursor: pageCursor.optional(),
});
const itemQuery = z.strictObject({
  status: filterList(10)
    .pipe(
      z.array(z.enum(operationSetItemStatus.options, `must be one of ${operationSetItemStatus.options.join(', ')}`)),
    )
    .optional(),
  limit: pageLimit.optional(),
  cursor: pageCursor.optional(),
});
const noQuery = z.strictObject({});

/** One operation type for many targets. */
@Controller('v1/operation-sets')
export class OperationSetController {
  constructor(
    private readonly sets: OperationSetControl,
    private readonly streams: OpenStreams,
    @Inject(API_SETTINGS) private readonly settings: ApiSettings,
  ) {}

  @Post()
  async accept(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const body = setRequestOf(parseRequest(operationSetRequest, bodyOf(request), 'body'));
    const { set, replayed } = await this.sets.accept(callerOf(request), {
      ...body,
      idempotencyKey: idempotencyKeyOf(request),
      correlationId: request.id,
    });
    await sendSet(reply, set, replayed);
  }

  @Get()
  list(@Req() request: FastifyRequest): Promise<OperationSetPageView> {
    return this.sets.list(callerOf(request), presentMembers(parseRequest(listQuery, request.query, 'query')));
  }

  @Get(':id')
  get(@Req() request: FastifyRequest, @Param('id') id: string): Promise<OperationSetView> {
    parseRequest(noQuery, request.query, 'query');
    return this.sets.get(callerOf(request), id);
  }

  @Get(':id/items')
  items(@Req() request: FastifyRequest, @Param('id') id: string): Promise<OperationSetItemPageView> {
    return this.sets.items(callerOf(request), id, presentMembers(parseRequest(itemQuery, request.query, 'query')));
  }

  @Get(':id/events')
  async events(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    requireEventsAcceptable(request);
    const after = lastEventId(request);
    await sendEventStream(request, reply, {
      source: (signal) => this.sets.events(callerOf(request), id, after, signal),
      toEvent: (event) => ({ id: event.id, event: 'operation-set', data: event.set }),
      streams: this.streams,
      heartbeatMs: this.settings.heartbeatMs,
    });
  }

  @Post(':id/pause')
  async pause(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    await sendSet(reply, await this.sets.pause(callerOf(request), id, request.id), false);
  }

  @Post(':id/resume')
  async resume(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    await sendSet(reply, await this.sets.resume(callerOf(request), id, request.id), false);
  }

  @Post(':id/approve')
  async approve(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const { reason } = parseRequest(approvalDecisionRequest, request.body ?? {}, 'body');
    await sendSet(reply, await this.sets.approve(callerOf(request), id, reason, request.id), false);
  }

  @Post(':id/stop')
  async stop(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const options = parseRequest(operationSetStopRequest, request.body ?? {}, 'body');
    await sendSet(reply, await this.sets.stop(callerOf(request), id, options, request.id), false);
  }

  @Post(':id/retry')
  async retry(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('id') id: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    const options = parseRequest(operationSetRetryRequest, request.body ?? {}, 'body');
    await sendSet(reply, await this.sets.retry(callerOf(request), id, options, request.id), false);
  }
}

async function sendSet(reply: FastifyReply, set: OperationSetView, replayed: boolean): Promise<FastifyReply> {
  return reply
    .code(202)
    .headers({ location: `/v1/operation-sets/${set.id}`, ...(replayed ? { 'idempotency-replayed': 'true' } : {}) })
    .send(set);
}
