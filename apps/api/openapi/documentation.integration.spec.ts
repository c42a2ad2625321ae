import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import type { FastifyInstance } from 'fastify';
import { CONTROL_ERRORS } from '#libs/kernel/control-error.js';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';
import { SET_ID } from '../../../test/api/fake-operation-sets.js';
import { operationView } from '../../../test/api/fake-controls.js';

interface OpenapiOperation {
  operationId: string;
  security?: unknown[];
  parameters?: { name: string; in: string; required: boolean; schema: object; description: string }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { $ref?: string; description?: string; content?: Record<string, { schema: object }> }>;
}

interface Openapi {
  openapi: string;
  servers: { url: string }[];
  paths: Record<string, Record<string, OpenapiOperation>>;
  components: {
    schemas: Record<string, object>;
    responses: Record<string, { content: Record<string, { schema: object; example: object }> }>;
    securitySchemes: object;
  };
}

describe('the documents and pages', () => {
  let api: FakeApi;
  let instance: FastifyInstance;
  let document: Openapi;
  beforeAll(async () => {
    api = await startFakeApi({ publicUrl: 'https://pilothouse.example' });
    ({ instance } = api);
    api.resources.addHarbour('rotterdam', ['anna'], { depth: 24 });
    document = (await instance.inject({ url: '/openapi.json' })).json();
  });
  afterAll(() => api.close());

  describe('the OpenAPI document', () => {
    it('is of version 3.1 and says where the API is', () => {
      expect(document.openapi).toBe('3.1.0');
      expect(document.servers).toEqual([{ url: 'https://pilothouse.example' }]);
    });

    it('has no reference that leads nowhere', () => {
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
      expect(references.length).toBeGreaterThan(100);
      for (const reference of new Set(references)) {
        const target = reference
          .slice(2)
          .split('/')
          .reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], document);
        expect({ reference, found: target !== undefined }).toEqual({ reference, found: true });
      }
    });

    it('holds every route that is served, and none that is not', () => {
      const served = routesOf(instance).filter((route) => !/^(HEAD|OPTIONS) |\/docs|graphiql/.test(route));
      const described = Object.entries(document.paths).flatMap(([path, item]) =>
        Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
      );
      expect(described.toSorted()).toEqual(served.toSorted());
    });

    it('gives every operation its own id, its parameters, and what can go wrong', () => {
      const operations = Object.entries(document.paths).flatMap(([path, item]) =>
        Object.values(item).map((operation) => ({ path, operation })),
      );
      expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
      for (const { path, operation } of operations) {
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
        const described = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
        expect({ path, names: described.map(({ name }) => name) }).toEqual({ path, names: inPath });
        for (const parameter of operation.parameters ?? []) expect(parameter.description).toMatch(/\.$/);
        expect(Object.keys(operation.responses).some((status) => /^20\d$/.test(status))).toBe(true);
        expect(operation.responses).toHaveProperty('500');
        expect('401' in operation.responses).toBe(operation.security === undefined);
      }
    });

    it('needs a token exactly where the server needs one', async () => {
      for (const [path, item] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(item)) {
          const answer = await instance.inject({
            method: method.toUpperCase() as 'GET',
            url: path.replaceAll(/\{\w+\}/g, 'x'),
          });
          expect({ path, open: answer.statusCode !== 401 }).toEqual({ path, open: operation.security !== undefined });
        }
      }
    });

    it('has a problem response, with an example, for each status that a code has', () => {
      const statuses = new Set(Object.values(CONTROL_ERRORS).map(({ status }) => `Problem${status}`));
      expect(new Set(Object.keys(document.components.responses))).toEqual(statuses);
    });

    it.each([
      { path: '/v1/resources', url: '/v1/resources', reason: 'raw objects' },
      { path: '/v1/harbours', url: '/v1/harbours', reason: 'typed objects' },
      { path: '/v1/resources/{uid}', url: '/v1/resources/{harbour}', reason: 'one raw object' },
      { path: '/v1/harbours/{uid}', url: '/v1/harbours/{harbour}', reason: 'one typed object' },
      { path: '/v1/resources/{uid}/graph', url: '/v1/resources/{harbour}/graph', reason: 'a graph' },
      { path: '/v1/resources/{uid}/history', url: '/v1/resources/{harbour}/history', reason: 'a history' },
      { path: '/v1/operations', url: '/v1/operations', reason: 'operations' },
      { path: '/v1/operations/{id}', url: '/v1/operations/{operation}', reason: 'one operation' },
      { path: '/v1/operation-types', url: '/v1/operation-types', reason: 'operation types' },
      { path: '/v1/operation-sets', url: '/v1/operation-sets', reason: 'sets of operations' },
      { path: '/v1/operation-sets/{id}', url: `/v1/operation-sets/${SET_ID}`, reason: 'one set' },
      { path: '/v1/operation-sets/{id}/items', url: `/v1/operation-sets/${SET_ID}/items`, reason: 'its targets' },
      { path: '/v1/changes', url: '/v1/changes', reason: 'changes' },
      { path: '/v1/audit-events', url: '/v1/audit-events', reason: 'the audit log' },
      { path: '/readyz', url: '/readyz', reason: 'readiness' },
    ])('describes what $url answers: $reason', async ({ path, url }) => {
      const operation = operationView({
        findings: [{ code: 'A', severity: 'info', message: 'm', evidence: {} }],
        error: { code: 'AZURE_REJECTED', message: 'No.' },
      });
      api.operations.operations.set(operation.id, operation);
      const harbour = api.resources.resources[0]!.uid;
      const answer = await instance.inject({
        url: url.replace('{harbour}', harbour).replace('{operation}', operation.id),
        headers: asAdmin,
      });
      expect(answer.statusCode).toBe(200);
      const schema = document.paths[path]!.get!.responses['200']!.content!['application/json']!.schema;
      expect(faultsOf(document, schema, answer.json())).toEqual([]);
    });

    it('describes problems', async () => {
      const answer = await instance.inject({ url: '/v1/resources?limit=0', headers: asAdmin });
      expect(faultsOf(document, { $ref: '#/components/schemas/Problem' }, answer.json())).toEqual([]);
      for (const { content } of Object.values(document.components.responses)) {
        const { schema, example } = content['application/problem+json']!;
        expect(faultsOf(document, schema, example)).toEqual([]);
      }
    });

    it.each([
      { body: { type: 'ship.dock', input: { ship: 's', harbour: 'h' } }, good: true, reason: 'what is needed' },
      {
        body: { type: 'ship.dock', input: { ship: 's', harbour: 'h', tugs: 2 }, dryRun: true },
        good: true,
        reason: 'and more',
      },
      { body: { type: 'ship.dock', input: { ship: 's' } }, good: false, reason: 'a part is missing' },
      { body: { type: 'ship.dock', input: { ship: 's', harbour: 'h', x: 1 } }, good: false, reason: 'an unknown part' },
      {
        body: { type: 'harbour.close', input: { ship: 's', harbour: 'h' } },
        good: false,
        reason: 'the input of another type',
      },
      { body: { type: 'ship.sink', input: {} }, good: false, reason: 'no such type' },
    ])('knows what a request for an operation is: $reason', ({ body, good }) => {
      const { schema } = document.paths['/v1/operations']!.post!.requestBody!.content['application/json']!;
      expect(faultsOf(document, schema, body).length === 0).toBe(good);
    });
  });

  describe('pages', () => {
    it.each(['/graphiql', '/docs'])(
      '%s loads from this server only, and everything that it loads is there',
      async (url) => {
        const page = await instance.inject({ url });
        expect(page.headers['content-type']).toMatch(/^text\/html/);
        const loaded = [...page.body.matchAll(/(?:src|href)=["']([^"']+)["']/g)].map((match) => match[1]!.trim());
        expect(loaded.length).toBeGreaterThan(0);
        for (const reference of loaded) {
          const target = new URL(reference, `http://here${url}`);
          expect(target.host).toBe('here');
          expect({ reference, status: (await instance.inject({ url: target.pathname })).statusCode }).toEqual({
            reference,
            status: 200,
          });
        }
        for (const match of page.body.matchAll(/from "(\/[^"]+)"/g)) {
          expect((await instance.inject({ url: match[1]! })).statusCode).toBe(200);
        }
      },
    );

    it.each(['/graphiql', '/docs'])('%s may run its own scripts and no other', async (url) => {
      const page = await instance.inject({ url });
      const policy = String(page.headers['content-security-policy']);
      const scripts = policy.split('; ').find((directive) => directive.startsWith('script-src')) ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(scripts).not.toMatch(/unsafe|https?:|\*/);
      for (const [, attributes, script] of page.body.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)) {
        if (attributes!.includes('src=')) continue;
        expect(scripts).toContain(`'sha256-${createHash('sha256').update(script!).digest('base64')}'`);
      }
    });

    it('the files of GraphiQL are cached by their etag', async () => {
      const url = '/graphiql/static/ruru.js';
      const first = await instance.inject({ url, headers: { 'accept-encoding': 'br' } });
      expect(first.headers).toMatchObject({
        'content-encoding': 'br',
        'content-type': 'text/javascript; charset=utf-8',
      });
      const second = await instance.inject({ url, headers: { 'if-none-match': String(first.headers.etag) } });
      expect(second.statusCode).toBe(304);
    });

    it.each([
      { url: '/graphiql/static/nothing.js', reason: 'no such file' },
      { url: '/graphiql/static/..%2F..%2Fpackage.json', reason: 'no way out' },
      { url: '/graphiql/static/__proto__', reason: 'no way into the prototype' },
      { url: '/docs/nothing.js', reason: 'no such file' },
      { url: '/docs/..%2Fpackage.json', reason: 'no way out' },
    ])('answers 404 for $url: $reason', async ({ url }) => {
      const answer = await instance.inject({ url });
      expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status: 404, code: 'NOT_FOUND' });
    });
  });

  describe('health and measurements', () => {
    it('is alive, and ready', async () => {
      expect((await instance.inject({ url: '/livez' })).json()).toEqual({ status: 'live' });
      expect((await instance.inject({ url: '/readyz' })).json()).toEqual({
        status: 'ready',
        checks: [{ name: 'database', ok: true, message: null }],
      });
    });

    it('says why it is not ready', async () => {
      api.readiness.databaseAnswers = false;
      const answer = await instance.inject({ url: '/readyz' });
      api.readiness.databaseAnswers = true;
      expect(answer.statusCode).toBe(503);
      expect(answer.headers['retry-after']).toBe('5');
      expect(answer.json()).toMatchObject({
        code: 'UNAVAILABLE',
        detail: 'Not ready: The database does not answer.',
        checks: [{ name: 'database', ok: false }],
      });
    });

    it('measures requests by the template of their route, never by their path', async () => {
      await instance.inject({ url: '/v1/resources/secret-path', headers: asAdmin });
      await instance.inject({ url: '/some/unknown/path' });
      const { body } = await instance.inject({ url: '/metrics' });
      expect(body).toMatch(
        /http_request_duration_seconds_count\{method="GET",route="\/v1\/resources\/:uid",status="404"\} 1/,
      );
      expect(body).toMatch(/route="unknown",status="404"/);
      expect(body).toMatch(/^http_open_streams 0$/m);
      expect(body).toMatch(/^nodejs_eventloop_lag_seconds /m);
      expect(body).not.toMatch(/secret-path|some\/unknown/);
    });
  });
});

/** `GET /v1/resources/{uid}` for each route of the server. */
function routesOf(instance: FastifyInstance): string[] {
  const routes: string[] = [];
  const parents: string[] = [];
  for (const line of instance.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)[├└]── (.*?)(?: \(([A-Z, ]+)\))?$/u.exec(line);
    if (match === null) continue;
    const depth = match[1]!.length / 4;
    parents.length = depth;
    parents[depth] = match[2]!;
    const path = parents.join('').replaceAll(/:(\w+)/g, '{$1}');
    for (const method of (match[3] ?? '').split(', ')) if (method !== '') routes.push(`${method} ${path}`);
  }
  return routes;
}

function faultsOf(document: Openapi, schema: object, value: unknown): unknown[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  const addFormats = addFormatsModule as unknown as (ajv: Ajv2020) => void;
  addFormats(ajv);
  // The schemas of an OpenAPI document refer to each other by their place in the document.
  const validate = ajv.compile({ ...schema, components: document.components });
  return validate(value) ? [] : (validate.errors ?? []);
}
