import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { createAzure, type Azure } from './azure.js';
import { DEFAULT_AZURE_OPTIONS } from './azure.options.js';
import type { GraphOutcome } from './resource-graph.client.js';

interface Answer {
  status: number;
  body: Json;
  headers?: Record<string, string>;
}

const question = { query: "resources | where type =~ 'x'", subscriptionIds: ['00000000-0000-0000-0000-000000000001'] };

describe('ResourceGraphQueries over HTTP, through the official client', () => {
  let server: Server;
  let azure: Azure;
  let answers: Answer[];
  let requests: { url: string; headers: NodeJS.Dict<string | string[]>; body: JsonObject }[];

  beforeEach(async () => {
    answers = [];
    requests = [];
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        requests.push({ url: request.url ?? '', headers: request.headers, body: JSON.parse(text) as JsonObject });
        const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? { status: 599, body: null };
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        response.end(JSON.stringify(answer.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    azure = createAzure({
      ...DEFAULT_AZURE_OPTIONS,
      armEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      staticToken: new Secret('the-token'),
      retryBaseMs: 1,
    });
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const page = (data: Json[], more: JsonObject = {}): Answer => ({
    status: 200,
    body: { totalRecords: data.length, count: data.length, data, facets: [], resultTruncated: 'false', ...more },
  });

  async function ask(): Promise<{ rows: JsonObject[]; outcome: GraphOutcome }> {
    const rows: JsonObject[] = [];
    const pages = azure.resourceGraph.ask(question, { correlationId: 'c0ffee' });
    for (;;) {
      const next = await pages.next();
      if (next.done === true) return { rows, outcome: next.value };
      rows.push(...next.value.rows);
    }
  }

  it('asks in an order that can be paged, under our correlation id, and keeps rows raw', async () => {
    const row = { id: '/a', properties: { futureField: { Deep: [1] } } };
    answers = [page([row])];
    await expect(ask()).resolves.toEqual({ rows: [row], outcome: { state: 'complete' } });
    expect(requests[0]).toMatchObject({
      url: expect.stringMatching(/^\/providers\/Microsoft\.ResourceGraph\/resources\?api(-|%2D)version=2024-04-01$/),
      headers: { authorization: 'Bearer the-token', 'x-ms-correlation-request-id': 'c0ffee' },
      body: {
        query: "resources | where type =~ 'x' | order by id asc",
        subscriptions: question.subscriptionIds,
        options: { resultFormat: 'objectArray' },
      },
    });
  });

  it('follows the skip token to the end', async () => {
    answers = [
      page([{ id: '/a' }], { totalRecords: 2, resultTruncated: 'true', $skipToken: 't1' }),
      page([{ id: '/b' }], { totalRecords: 2 }),
    ];
    await expect(ask()).resolves.toEqual({ rows: [{ id: '/a' }, { id: '/b' }], outcome: { state: 'complete' } });
    expect(requests[1]?.body).toMatchObject({ options: { $skipToken: 't1' } });
  });

  it.each([
    { more: { resultTruncated: 'true' }, reason: 'cut short without a token' },
    { more: { totalRecords: 5 }, reason: 'fewer rows than counted' },
    { more: { totalRecords: 1, $skipToken: 'same' }, reason: 'a token that leads to itself' },
  ])('says incomplete: $reason', async ({ more }) => {
    answers = [page([{ id: '/a' }], more)];
    const { outcome } = await ask();
    expect(outcome.state).toBe('incomplete');
  });

  it.each([
    {
      answer: {
        status: 400,
        body: { error: { code: 'BadRequest', message: 'support', details: [{ code: 'UnknownTable', message: 't' }] } },
      },
      error: { code: 'AZURE_REJECTED', externalCode: 'UnknownTable' },
      reason: 'a table that this cloud does not have',
    },
    {
      answer: { status: 429, body: { error: { code: 'RateLimiting', message: '' } }, headers: { 'retry-after': '11' } },
      error: { code: 'AZURE_THROTTLED', retry: { kind: 'after', seconds: 11 } },
      reason: 'its own throttle',
    },
    {
      answer: { status: 403, body: { error: { code: 'AuthorizationFailed', message: '' } } },
      error: { code: 'AZURE_FORBIDDEN' },
      reason: 'no rights',
    },
    {
      answer: { status: 200, body: { data: 'nothing' } },
      error: { code: 'AZURE_UNEXPECTED_ANSWER' },
      reason: 'an answer of another shape',
    },
    {
      answer: { status: 200, body: null },
      error: { code: 'AZURE_UNEXPECTED_ANSWER' },
      reason: 'an answer of nothing',
    },
  ])('throws an error of the house for $reason', async ({ answer, error }) => {
    answers = [answer];
    await expect(ask()).rejects.toMatchObject(error);
  });

  it('repeats a question after a server error: asking changes nothing', async () => {
    answers = [{ status: 500, body: {} }, page([])];
    await expect(ask()).resolves.toMatchObject({ outcome: { state: 'complete' } });
  });
});
