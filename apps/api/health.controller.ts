import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ControlError } from '#libs/kernel/control-error.js';
import { ReadinessControl } from '#libs/control/readiness.control.js';
import { problemHeaders, problemOf } from './http/problem.js';
import { pathOf } from './http/problem.reply.js';

/** For whoever starts, stops and routes to this process. */
@Controller()
export class HealthController {
  constructor(private readonly readiness: ReadinessControl) {}

  @Get('livez')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  @Get('readyz')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const { ready, checks } = await this.readiness.check();
    if (ready) {
      await reply.header('cache-control', 'no-store').send({ status: 'ready', checks });
      return;
    }
    const failed = checks.filter((check) => !check.ok);
    const error = new ControlError(
      'UNAVAILABLE',
      `Not ready: ${failed.map((check) => check.message ?? check.name).join(' ')}`,
      { retry: { kind: 'after', seconds: 5 } },
    );
    const { request } = reply;
    const problem = problemOf(error, { instance: pathOf(request.url), correlationId: request.id });
    await reply
      .code(problem.status)
      .headers(problemHeaders(error))
      .send(JSON.stringify({ ...problem, checks }));
  }
}
