import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ChangeControl } from '#libs/control/change.control.js';
import { API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { presentMembers } from '../http/present-members.js';
import { asksForEvents, lastEventId, sendEventStream } from '../http/event-stream.js';
import { OpenStreams } from '../http/open-streams.js';
import { filterList, filterText, pageCursor, pageLimit } from '../http/query.schemas.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';

const changeQuery = z.strictObject({
  after: pageCursor.optional(),
  kind: filterList(50).optional(),
  cluster: filterText(2048).optional(),
  namespace: filterText(253).optional(),
  subscription: filterText(100).optional(),
  uid: filterText(100).optional(),
  limit: pageLimit.optional(),
});

/** The change feed: as pages, or as events for a client that asks for them. */
@Controller('v1/changes')
export class ChangeController {
  constructor(
    private readonly changes: ChangeControl,
    private readonly streams: OpenStreams,
    @Inject(API_SETTINGS) private readonly settings: ApiSettings,
  ) {}

  @Get()
  async read(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { kind, limit, ...others } = parseRequest(changeQuery, request.query, 'query');
    const query = presentMembers({ ...others, kinds: kind });
    const caller = callerOf(request);
    void reply.header('vary', 'accept');
    if (!asksForEvents(request)) {
      await reply.send(await this.changes.list(caller, { ...query, ...presentMembers({ limit }) }));
      return;
    }
    // What the client saw last weighs more than what its address says: an EventSource keeps the address.
    const after = lastEventId(request) ?? query.after;
    await sendEventStream(request, reply, {
      source: (signal) => this.changes.watch(caller, { ...query, ...presentMembers({ after }) }, signal),
      toEvent: (change) => ({ id: change.cursor, event: 'change', data: change }),
      streams: this.streams,
      settings: this.settings,
    });
  }
}
