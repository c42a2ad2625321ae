import { Controller, Get, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Page } from '#libs/kernel/page.js';
import { AuditControl } from '#libs/control/audit.control.js';
import type { AuditCheckpointView, AuditEventView } from '#libs/control/audit.view.js';
import { presentMembers } from '../http/present-members.js';
import { filterText, pageCursor, pageLimit, wholeNumber } from '../http/query.schemas.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';

const eventQuery = z.strictObject({
  after: wholeNumber(0, 999_999_999_999_999).optional(),
  operationId: z.uuid('must be a uuid').optional(),
  principalId: z.uuid('must be a uuid').optional(),
  action: filterText(100).optional(),
  limit: pageLimit.optional(),
  cursor: pageCursor.optional(),
});

const checkpointQuery = z.strictObject({ limit: pageLimit.optional(), cursor: pageCursor.optional() });

/** Who did what; for administrators. */
@Controller('v1')
export class AuditController {
  constructor(private readonly audit: AuditControl) {}

  @Get('audit-events')
  events(@Req() request: FastifyRequest): Promise<Page<AuditEventView>> {
    return this.audit.events(callerOf(request), presentMembers(parseRequest(eventQuery, request.query, 'query')));
  }

  @Get('audit-checkpoints')
  checkpoints(@Req() request: FastifyRequest): Promise<Page<AuditCheckpointView>> {
    return this.audit.checkpoints(
      callerOf(request),
      presentMembers(parseRequest(checkpointQuery, request.query, 'query')),
    );
  }
}
