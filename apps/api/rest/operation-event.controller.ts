import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperationControl } from '#libs/control/operation.control.js';
import { API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { asksForEvents, lastEventId, sendEventStream } from '../http/event-stream.js';
import { OpenStreams } from '../http/open-streams.js';
import { presentMembers } from '../http/present-members.js';
import { filterList, filterText, pageCursor, pageLimit } from '../http/query.schemas.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import { operationStatus } from '../views/view.schemas.js';

const eventQuery = z.strictObject({
  after: pageCursor.optional(),
  status: filterList(10)
    .pipe(z.array(z.enum(operationStatus.options, `must be one of ${operationStatus.options.join(', ')}`)))
    .optional(),
  type: filterText(200).optional(),
  target: filterText(2048).optional(),
  requestedBy: filterText(200).optional(),
  set: filterText(100).optional(),
  limit: pageLimit.optional(),
});

/** The transitions of all operations: as pages, or as events for a client that asks for them. */
@Controller('v1/operation-events')
export class OperationEventController {
  constructor(
    private readonly operations: OperationControl,
    private readonly streams: OpenStreams,
    @Inject(API_SETTINGS) private readonly settings: ApiSettings,
  ) {}

  @Get()
  async read(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { limit, ...given } = parseRequest(eventQuery, request.query, 'query');
    const query = presentMembers(given);
    const caller = callerOf(request);
    void reply.header('vary', 'accept');
    if (!asksForEvents(request)) {
      await reply.send(await this.operations.listEvents(caller, { ...query, ...presentMembers({ limit }) }));
      return;
    }
    // What the client saw last weighs more than what its address says: an EventSource keeps the address.
    const after = lastEventId(request) ?? query.after;
    await sendEventStream(request, reply, {
      source: (signal) => this.operations.followEvents(caller, { ...query, ...presentMembers({ after }) }, signal),
      toEvent: (event) => ({ id: event.id, event: 'operation', data: event.operation }),
      streams: this.streams,
      settings: this.settings,
    });
  }
}
