import { Controller, Get, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Page } from '#libs/kernel/page.js';
import { ResourceControl } from '#libs/control/resource.control.js';
import type {
  ResourceGraphView,
  ResourcePageView,
  ResourceVersionView,
  ResourceView,
} from '#libs/control/resource.view.js';
import { presentMembers } from '../http/present-members.js';
import { maximumAge, pageCursor, pageLimit, wholeNumber } from '../http/query.schemas.js';
import { waitSignal } from '../http/wait-signal.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import { parseResourceQuery } from './resource.query.js';

const itemQuery = z.strictObject({ maxAge: maximumAge.optional() });
const graphQuery = z.strictObject({
  depth: wholeNumber(0, 10).optional(),
  direction: z.enum(['in', 'out', 'both'], 'must be in, out or both').optional(),
});
const historyQuery = z.strictObject({ limit: pageLimit.optional(), cursor: pageCursor.optional() });

/** Objects of every kind, raw as observed. */
@Controller('v1/resources')
export class ResourceController {
  constructor(private readonly resources: ResourceControl) {}

  @Get()
  list(@Req() request: FastifyRequest): Promise<ResourcePageView> {
    const query = parseResourceQuery(request.query);
    if (query.by === 'filter') {
      const signal = waitSignal(request, query.request.maxAgeSeconds);
      return this.resources.list(callerOf(request), query.request, signal);
    }
    return this.resources.findById(
      callerOf(request),
      query.id,
      {
        ...presentMembers({ maxAgeSeconds: query.maxAgeSeconds }),
        view: 'raw',
      },
      waitSignal(request, query.maxAgeSeconds),
    );
  }

  @Get(':uid')
  get(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<ResourceView> {
    const { maxAge } = parseRequest(itemQuery, request.query, 'query');
    const options = { ...presentMembers({ maxAgeSeconds: maxAge }), view: 'raw' } as const;
    return this.resources.get(callerOf(request), uid, options, waitSignal(request, maxAge));
  }

  @Get(':uid/graph')
  graph(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<ResourceGraphView> {
    return this.resources.graph(
      callerOf(request),
      uid,
      presentMembers(parseRequest(graphQuery, request.query, 'query')),
    );
  }

  @Get(':uid/history')
  history(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<Page<ResourceVersionView>> {
    const options = presentMembers(parseRequest(historyQuery, request.query, 'query'));
    return this.resources.history(callerOf(request), uid, options);
  }
}
