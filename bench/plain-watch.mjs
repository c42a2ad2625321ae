// What the watch bench compares with: the plainest code that does the same. It lists and watches the pods of clusters with
// fetch, puts each into one table with `pg`, and tells every change as a server-sent event. No history, no relations, no
// health, no cursor, no second try, one kind.
//
// DATABASE_URL, PORT, CLUSTERS: [{ server, token }].
import { createServer } from 'node:http';
import { TextDecoderStream } from 'node:stream/web';
import { URLSearchParams } from 'node:url';
import { Pool } from 'pg';
import { fetch } from 'undici';

const CLUSTERS = JSON.parse(process.env.CLUSTERS);
const AT_ONCE = 8;
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const clients = new Set();
const complete = Promise.withResolvers();

await pool.query(`CREATE TABLE plain_pod (id text PRIMARY KEY, cluster integer, namespace text, name text, node text, phase text,
  object jsonb)`);
for (const columns of ['name, id', 'cluster, name', 'namespace, name', 'node, name', 'phase, name']) {
  await pool.query(`CREATE INDEX ON plain_pod (${columns})`);
}

async function put(cluster, objects) {
  const rows = objects.map((object) => ({
    id: `${cluster}/${object.metadata.namespace}/${object.metadata.name}`,
    cluster,
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    node: object.spec.nodeName,
    phase: object.status.phase,
    object,
  }));
  await pool.query(
    `INSERT INTO plain_pod SELECT * FROM jsonb_to_recordset($1::jsonb)
       AS i (id text, cluster integer, namespace text, name text, node text, phase text, object jsonb)
     ON CONFLICT (id) DO UPDATE SET node = excluded.node, phase = excluded.phase, object = excluded.object`,
    [JSON.stringify(rows)],
  );
}

function ask(cluster, query) {
  const { server, token } = CLUSTERS[cluster];
  return fetch(`${server}/api/v1/pods?${new URLSearchParams(query)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

async function list(cluster) {
  for (let next = ''; ;) {
    const page = await (await ask(cluster, { limit: '500', ...(next && { continue: next }) })).json();
    await put(cluster, page.items);
    next = page.metadata.continue;
    if (!next) return page.metadata.resourceVersion;
  }
}

async function watch(cluster, resourceVersion) {
  const answer = await ask(cluster, { watch: 'true', resourceVersion });
  let rest = '';
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { type, object } = JSON.parse(line);
      if (type !== 'ADDED' && type !== 'MODIFIED') continue;
      await put(cluster, [object]);
      const data = JSON.stringify({ cluster, name: object.metadata.name, labels: object.metadata.labels });
      for (const client of clients) client.write(`data: ${data}\n\n`);
    }
  }
}

createServer((request, response) => {
  if (request.url === '/complete') return void complete.promise.then(() => response.end('{}'));
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': here\n\n');
  clients.add(response);
  return void response.on('close', () => clients.delete(response));
}).listen(Number(process.env.PORT), '127.0.0.1', async () => {
  const versions = [];
  let next = 0;
  const lister = async () => {
    while (next < CLUSTERS.length) {
      const cluster = next++;
      versions[cluster] = await list(cluster);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lister));
  complete.resolve();
  await Promise.all(versions.map((version, cluster) => watch(cluster, version)));
});
process.on('SIGTERM', () => process.exit(0));
