import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { EmbeddedPostgres } from './embedded-postgres.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('EmbeddedPostgres', () => {
  let directory: string;
  const started: EmbeddedPostgres[] = [];
  const create = (): EmbeddedPostgres => {
    const postgres = new EmbeddedPostgres({ directory, database: 'house', throwAway: true });
    started.push(postgres);
    return postgres;
  };

  beforeEach(async () => {
    // mkdtemp makes a directory that no other account may enter: the hardest place to run from as root.
    directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-test-'));
  });

  afterEach(async () => {
    for (const postgres of started.splice(0)) await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('keeps its data over a restart, also on another port', async () => {
    const first = create();
    const url = await first.start();
    await query(url.reveal(), 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();

    const second = create();
    const secondUrl = await second.start();
    expect(await query(secondUrl.reveal(), 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(await query(secondUrl.reveal(), 'SHOW server_version_num')).toEqual([
      { server_version_num: expect.stringMatching(/^18/) },
    ]);
  });

  it('stops a server that outlived its parent before it starts the next one', async () => {
    const forgotten = create();
    const url = await forgotten.start();
    await query(url.reveal(), 'CREATE TABLE kept AS SELECT 1 AS answer');

    const next = create();
    const nextUrl = await next.start();
    expect(next.processId).not.toBe(forgotten.processId);
    await expect(query(url.reveal(), 'SELECT 1')).rejects.toThrow();
    expect(await query(nextUrl.reveal(), 'SELECT answer FROM kept')).toEqual([{ answer: 1 }]);
  });

  it('does not tell its password when it is printed', async () => {
    const url = await create().start();
    expect(`${url.toString()} ${JSON.stringify({ url })}`).not.toContain('postgres://');
  });
});
