import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { OpenapiDocument } from './openapi.document.js';

const PATH = '/docs';
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Swagger UI at /docs, with everything that it needs from this server. */
export function serveSwaggerPage(application: NestFastifyApplication): void {
  const instance: FastifyInstance = application.getHttpAdapter().getInstance();
  instance.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url;
    if (route === PATH || route?.startsWith(`${PATH}/`)) {
      void reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
    }
    done();
  });
  const document = application.get(OpenapiDocument, { strict: false });
  // Nest's type of a document knows OpenAPI 3.0 only; the page takes 3.1 as it is.
  SwaggerModule.setup(PATH.slice(1), application, document.json as unknown as OpenAPIObject, {
    raw: false,
    customSiteTitle: 'Pilothouse API',
    swaggerOptions: { persistAuthorization: true, docExpansion: 'none' },
  });
}
