import { Controller, Get, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BudgetControl, type BudgetListView } from '#libs/control/budget.control.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';

const noQuery = z.strictObject({});

/** What is left of Azure's patience. */
@Controller('v1/budgets')
export class BudgetController {
  constructor(private readonly budgets: BudgetControl) {}

  @Get()
  list(@Req() request: FastifyRequest): Promise<BudgetListView> {
    parseRequest(noQuery, request.query, 'query');
    return this.budgets.list(callerOf(request));
  }
}
