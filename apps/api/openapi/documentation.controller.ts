import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ControlError } from '#libs/kernel/control-error.js';
import { graphiqlFile, graphiqlPage, type Page } from './graphiql.page.js';
import { OpenapiDocument } from './openapi.document.js';

/** The documents and pages that describe the API. Swagger UI at /docs is set up with the application. */
@Controller()
export class DocumentationController {
  readonly #graphiql: Page = graphiqlPage();

  constructor(private readonly openapi: OpenapiDocument) {}

  @Get('openapi.json')
  async document(@Res() reply: FastifyReply): Promise<void> {
    await reply.header('content-type', 'application/json; charset=utf-8').send(this.openapi.text);
  }

  @Get('graphiql')
  async graphiql(@Res() reply: FastifyReply): Promise<void> {
    await reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': this.#graphiql.contentSecurityPolicy,
      })
      .send(this.#graphiql.html);
  }

  @Get('graphiql/static/:file')
  async graphiqlFile(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Param('file') name: string,
  ): Promise<void> {
    const encoding = request.headers['accept-encoding'];
    const file = await graphiqlFile(name, Array.isArray(encoding) ? encoding.join(',') : encoding);
    if (file === undefined) throw new ControlError('NOT_FOUND', 'There is nothing at this path.');
    const { etag } = file.headers;
    if (etag !== undefined && request.headers['if-none-match'] === etag) {
      await reply.code(304).header('etag', etag).send();
      return;
    }
    await reply
      .headers({ ...file.headers, 'cache-control': 'public, max-age=3600', vary: 'accept-encoding' })
      .send(file.content);
  }
}
