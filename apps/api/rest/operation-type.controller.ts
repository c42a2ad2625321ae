import { Controller, Get, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ControlError } from '#libs/kernel/control-error.js';
import { OperationControl } from '#libs/control/operation.control.js';
import type { OperationTypeView } from '#libs/control/operation.view.js';
import { callerOf } from '../http/request.caller.js';

/** What Pilothouse can change. */
@Controller('v1/operation-types')
export class OperationTypeController {
  constructor(private readonly operations: OperationControl) {}

  @Get()
  list(@Req() request: FastifyRequest): { items: OperationTypeView[] } {
    return { items: this.operations.types(callerOf(request)) };
  }

  @Get(':type')
  get(@Req() request: FastifyRequest, @Param('type') type: string): OperationTypeView {
    const found = this.operations.types(callerOf(request)).find((operationType) => operationType.type === type);
    if (found !== undefined) return found;
    // As a path it names a thing that is not there, which is another fault than a bad value in a request.
    throw new ControlError('NOT_FOUND', `There is no operation type "${type.slice(0, 100)}".`, {
      remedy: 'GET /v1/operation-types lists them.',
    });
  }
}
