// npm run bench:inventory: how fast a scope is synced into Postgres, as a ratio to the plainest upsert there is (unnest, six
// indexes, nothing else kept), measured in turns in one run on one machine. Needs `npm run build`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createDataSource } from '../dist/libs/database/data-source.js';
import { Database } from '../dist/libs/database/database.js';
import { EmbeddedPostgres } from '../dist/libs/database/embedded-postgres.js';
import { ObservationWriter } from '../dist/libs/inventory/observation.writer.js';
import { ScopeRepository } from '../dist/libs/inventory/scope.repository.js';
import { SyncRunner } from '../dist/libs/inventory/sync.runner.js';
import { resourceUid } from '../dist/libs/kernel/resource-uid.js';
import { SystemRegistry } from '../dist/libs/systems/contract/system-registry.js';
import { entities, migrations, prepareSchema } from '../dist/migrations/schema.js';
import { observations } from './estate.mjs';

const COUNT = Number(process.argv[2] ?? 40_000);
const ROUNDS = Number(process.argv[3] ?? 3);
const BATCH = 500;
const SCOPE = { key: 'bench:1', collector: 'bench', kinds: ['ManagedCluster'], subscriptionId: null, clusterUid: null };

const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-bench-'));
const postgres = new EmbeddedPostgres({ directory, database: 'bench' });

function* batches(items) {
  for (let start = 0; start < items.length; start += BATCH) yield items.slice(start, start + BATCH);
}

async function timed(work) {
  const start = performance.now();
  await work();
  return COUNT / ((performance.now() - start) / 1000);
}

/** One row an object and six indexes: no tags, no relations, no change feed, no hash, no history. */
async function preparePlain(database) {
  await database.query(`DROP TABLE IF EXISTS plain; CREATE TABLE plain (uid uuid PRIMARY KEY, kind text, name text, location text,
    cluster_uid uuid, namespace text, health text, id text, tags jsonb, properties jsonb)`);
  for (const columns of [
    'name',
    'kind, name',
    'location, name',
    'cluster_uid, name',
    'namespace, name',
    'health, name',
  ]) {
    await database.query(`CREATE INDEX ON plain (${columns}, uid)`);
  }
}

async function plainUpsert(database, items) {
  for (const batch of batches(items)) {
    const column = (of) => batch.map(of);
    await database.query(
      `INSERT INTO plain SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[],
         $8::text[], $9::jsonb[], $10::jsonb[])
       ON CONFLICT (uid) DO UPDATE SET kind = excluded.kind, name = excluded.name, location = excluded.location,
         cluster_uid = excluded.cluster_uid, namespace = excluded.namespace, health = excluded.health, id = excluded.id,
         tags = excluded.tags, properties = excluded.properties`,
      [
        column((item) => resourceUid(item.canonicalId)),
        ...['kind', 'name', 'location', 'clusterUid', 'namespace'].map((name) => column((item) => item[name])),
        column((item) => item.health.state),
        column((item) => item.id),
        column((item) => JSON.stringify(item.tags)),
        column((item) => JSON.stringify(item.properties)),
      ],
    );
  }
}

function syncer(database) {
  const collector = { name: 'bench', kinds: ['ManagedCluster'], items: [] };
  collector.collect = async function* () {
    yield* batches(collector.items);
    return { state: 'complete' };
  };
  const registry = new SystemRegistry([{ name: 'bench', kinds: [], collectors: [collector], operations: [] }]);
  const scopes = new ScopeRepository(database);
  const writer = new ObservationWriter({ resourceGraphLagSeconds: 0 });
  const clock = { now: () => collector.items[0].observedAt };
  const runner = new SyncRunner(database, registry, scopes, writer, clock, { leaseSeconds: 60 });
  return async (items) => {
    collector.items = items;
    await scopes.ensure([SCOPE], 60);
    await scopes.markDue([SCOPE.key]);
    const [claim] = await scopes.claimDue('bench', 60, 1);
    const { end, problem } = await runner.run(claim, new AbortController().signal);
    if (end !== 'complete') throw new Error('The run was not complete', { cause: problem });
  };
}

try {
  const url = await postgres.start();
  const dataSource = createDataSource({
    ...{ url, poolSize: 4, applicationName: 'bench', statementTimeoutMs: 60_000, entities, migrations },
  });
  await dataSource.initialize();
  const database = new Database(dataSource);
  await prepareSchema(dataSource);
  const sync = syncer(database);
  const at = (minute) => new Date(Date.UTC(2026, 0, 1, 0, minute));
  const first = observations(COUNT, at(0));
  const unchanged = observations(COUNT, at(1));
  const changed = observations(COUNT, at(2), 1);
  const totals = { plain: 0, cold: 0, unchanged: 0, changed: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    await preparePlain(database);
    await database.query('TRUNCATE resource, resource_tag, relation, resource_version, change, scope');
    await database.query('CHECKPOINT');
    const rates = {
      plain: await timed(() => plainUpsert(database, first)),
      cold: await timed(() => sync(first)),
      unchanged: await timed(() => sync(unchanged)),
      changed: await timed(() => sync(changed)),
    };
    for (const name of Object.keys(totals)) totals[name] += rates[name] / ROUNDS;
    console.log(
      Object.entries(rates)
        .map(([name, rate]) => `${name} ${rate.toFixed(0)}/s`)
        .join('  '),
    );
  }
  for (const name of ['cold', 'unchanged', 'changed']) {
    console.log(
      `${name}: ${totals[name].toFixed(0)} objects/s, ${(totals[name] / totals.plain).toFixed(2)} x the plain upsert`,
    );
  }
  await dataSource.destroy();
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
