// npm run bench:watch [-- clusters=50 pods=10000 changes=200]: how fast what happens in clusters is seen through the API, next
// to the plainest code that does the same (plain-watch.mjs) and to a bare watch, all three listening to the same changes in one
// run on one machine. Needs `npm run build`.
//
// 1. One simulated cluster: from the API server's answer to a PATCH of a pod to its event on GET /v1/changes, and to a GET
//    that shows it; at rest, and while other pods of the cluster change all the time.
// 2. Many big clusters: time and memory of the worker until every object of each is in Postgres, the same of a worker that
//    starts again, and 1. once more in an estate of that size. These clusters are played by canned-clusters.mjs, which says
//    why and what of.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TextDecoderStream } from 'node:stream/web';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { fetch } from 'undici';
import { EmbeddedPostgres } from '../dist/libs/database/embedded-postgres.js';

const root = path.resolve(import.meta.dirname, '..');
const given = Object.fromEntries(process.argv.slice(2).map((word) => word.split('=')));
const CLUSTERS = Number(given.clusters ?? 50);
const PODS = Number(given.pods ?? 10_000);
const CHANGES = Number(given.changes ?? 200);
const SMALL_CLUSTER_PODS = 200;
const BUSY_CHANGES_PER_SECOND = 50;
const TOKEN = 'bench-token-of-one-run';
const [API, PLAIN, SIMULATOR, CANNED, CONTROL, WORKER] = [4621, 4622, 4623, 4624, 4625, 4626];
const API_URL = `http://127.0.0.1:${API}`;
const SIMULATOR_URL = `http://127.0.0.1:${SIMULATOR}`;
const LIMIT_MS = 1_800_000;

const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-bench-'));
const certificateFile = path.join(directory, 'authority.pem');
let listening = new AbortController();

/** A process that ended although it was needed. */
let fallen;

function start(file, environment, words = []) {
  const child = spawn(process.execPath, [path.join(root, file), ...words], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let isWanted = true;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  void ended.then(() => isWanted && (fallen = new Error(`${file} ended by itself`)));
  const stop = async () => {
    isWanted = false;
    child.kill('SIGTERM');
    await ended;
  };
  const message = new Promise((resolve) => child.once('message', resolve));
  return { pid: child.pid, message, stop };
}

async function until(what, look, everyMs = 100) {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline;) {
    if (fallen !== undefined) throw fallen;
    const found = await look().catch(() => undefined);
    if (found) return found;
    await delay(everyMs);
  }
  throw new Error(`Waited in vain for ${what}`);
}

async function api(route, body) {
  const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) };
  const answer = await fetch(
    API_URL + route,
    body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers },
  );
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${route} answered ${answer.status}: ${text}`);
  return JSON.parse(text);
}

/** Lines of an endless answer, as they come in. */
async function follow(url, headers, onLine) {
  const { signal } = listening;
  const answer = await fetch(url, { headers, signal });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const read = async () => {
    let rest = '';
    for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) onLine(line);
    }
  };
  read().catch((error) => {
    if (!signal.aborted) throw error;
  });
}

/** Somewhere that changes arrive; one is waited for at a time. */
class Ear {
  #isAwaited = () => false;
  #arrived = () => undefined;

  hear(event) {
    if (this.#isAwaited(event)) this.#arrived(performance.now());
  }

  next(isAwaited) {
    this.#isAwaited = isAwaited;
    return new Promise((resolve) => (this.#arrived = resolve));
  }
}

async function openEars() {
  const pilothouse = new Ear();
  const plain = new Ear();
  const data = (ear) => (line) => line.startsWith('data: ') && ear.hear(JSON.parse(line.slice(6)));
  const headers = { authorization: `Bearer ${TOKEN}`, accept: 'text/event-stream' };
  await follow(`${API_URL}/v1/changes?kind=Pod`, headers, data(pilothouse));
  await follow(`http://127.0.0.1:${PLAIN}/`, {}, data(plain));
  return { pilothouse, plain };
}

/** One change after another, each waited for at every ear. Milliseconds from the server's answer. */
async function measure(ears, pod, change) {
  const times = { pilothouse: [], get: [], plain: [], ...(ears.watch && { watch: [] }) };
  for (let round = 1; round <= CHANGES; round++) {
    await delay(20 + 80 * Math.random());
    const mark = String(round);
    const arrivals = {
      pilothouse: ears.pilothouse.next(({ uid }) => uid === pod.uid),
      plain: ears.plain.next(({ name, labels }) => name === pod.name && labels.round === mark),
      ...(ears.watch && { watch: ears.watch.next((object) => object.metadata.labels.round === mark) }),
    };
    await change(round);
    const answered = performance.now();
    times.pilothouse.push((await arrivals.pilothouse) - answered);
    const { tags } = await api(`/v1/resources/${pod.uid}`);
    if (tags.round !== mark) throw new Error(`GET shows round ${tags.round} after the event of ${mark}`);
    times.get.push(performance.now() - answered);
    times.plain.push((await arrivals.plain) - answered);
    if (arrivals.watch) times.watch.push((await arrivals.watch) - answered);
  }
  return times;
}

const at = (values, share) =>
  values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))];
const summary = (values) => ({ p50: at(values, 0.5), p95: at(values, 0.95), max: Math.max(...values) });
const shown = (values) =>
  Object.entries(summary(values))
    .map(([name, value]) => `${name} ${value.toFixed(1)} ms`.padEnd(16))
    .join('');

function report(title, { pilothouse, get, plain, watch }) {
  const ratio = (share) => (at(pilothouse, share) / at(plain, share)).toFixed(2);
  console.log(`\n${title}: ${pilothouse.length} changes, from the API server's answer`);
  console.log(
    `  to the event on GET /v1/changes  ${shown(pilothouse)}${ratio(0.5)} x plain (p50), ${ratio(0.95)} x plain (p95)`,
  );
  console.log(`  and to a GET that shows it       ${shown(get)}`);
  console.log(`  the plainest that does the same  ${shown(plain)}`);
  if (watch) console.log(`  a bare watch, nothing stored     ${shown(watch)}`);
}

async function findPod(clusterUid, name) {
  const find = async () =>
    (await api(`/v1/resources?kind=Pod&cluster=${clusterUid}&name=${name}`)).items.find((item) => item.name === name);
  return until(`the pod ${name}`, find);
}

/** Resident memory of a process, looked at while it is measured; the kernel keeps the peak. MiB. */
function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)[1]) / 1024);
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

function house(databaseUrl) {
  return {
    DATABASE_URL: databaseUrl,
    PILOTHOUSE_TOKEN: TOKEN,
    ENCRYPTION_KEYS: randomBytes(32).toString('base64'),
    PORT: String(API),
    WORKER_PORT: String(WORKER),
    ARM_ENDPOINT: SIMULATOR_URL,
    ARM_TOKEN: 'bench',
    SYNC_INTERVAL_SECONDS: '3600',
  };
}

/** A house around a simulator, with nothing in it yet. */
async function withHouse(simulated, work) {
  const postgres = new EmbeddedPostgres({
    directory: path.join(directory, randomBytes(4).toString('hex')),
    database: 'bench',
  });
  const started = [];
  const run = (...words) => {
    const child = start(...words);
    started.push(child);
    return child;
  };
  let sql;
  try {
    const url = (await postgres.start()).reveal();
    sql = new Client(url);
    await sql.connect();
    const environment = house(url);
    const simulator = { SIMULATOR_PORT: String(SIMULATOR), SIMULATOR_THROTTLE_SCALE: '0' };
    run('dist/apps/simulator/main.js', simulator, simulated);
    run('dist/apps/api/main.js', environment);
    await until('the API', async () => (await fetch(`${API_URL}/readyz`)).ok);
    await work({ run, environment, sql });
  } finally {
    listening.abort();
    listening = new AbortController();
    for (const child of started.reverse()) await child.stop();
    await sql?.end();
    await postgres.stop();
  }
}

const plainEnvironment = (environment, clusters) => ({
  DATABASE_URL: environment.DATABASE_URL,
  PORT: String(PLAIN),
  CLUSTERS: JSON.stringify(clusters),
  ...(clusters[0].server.startsWith('https:') && { NODE_EXTRA_CA_CERTS: certificateFile }),
});

async function oneCluster({ run, environment }) {
  const { clusters } = await (await fetch(`${SIMULATOR_URL}/_simulator/kubernetes`)).json();
  const [{ uid, name: clusterName }] = clusters;
  const server = `${SIMULATOR_URL}/kubernetes/${uid}`;
  const kubeconfig = await (
    await fetch(`${SIMULATOR_URL}/_simulator/kubeconfig?cluster=${clusterName}&user=admin`)
  ).text();
  const token = /token: "?([^"\s]+)/.exec(kubeconfig)[1];
  const authorization = `Bearer ${token}`;
  const running = async () => {
    const { items } = await (await fetch(`${server}/api/v1/pods`, { headers: { authorization } })).json();
    const ours = items.filter(({ metadata }) => metadata.namespace.startsWith('team-'));
    return ours.length === SMALL_CLUSTER_PODS && ours.every(({ status }) => status.phase === 'Running') && ours;
  };
  const [changed, ...others] = (await until('pods that run', running)).map(({ metadata }) => metadata);
  run('dist/apps/worker/main.js', environment);
  run('bench/plain-watch.mjs', plainEnvironment(environment, [{ server, token }]));
  const pod = await findPod(uid, changed.name);
  await until('the plain watch', async () => (await fetch(`http://127.0.0.1:${PLAIN}/complete`)).ok);

  const ears = { ...(await openEars()), watch: new Ear() };
  const selector = encodeURIComponent(`metadata.name=${changed.name}`);
  await follow(`${server}/api/v1/pods?watch=true&fieldSelector=${selector}`, { authorization }, (line) =>
    ears.watch.hear(JSON.parse(line).object),
  );
  const label = async ({ namespace, name }, round) => {
    const answer = await fetch(`${server}/api/v1/namespaces/${namespace}/pods/${name}`, {
      method: 'PATCH',
      headers: { authorization, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ metadata: { labels: { round: String(round) } } }),
    });
    await answer.text();
    if (!answer.ok) throw new Error(`The change of ${name} was answered with ${answer.status}`);
  };
  report('One cluster at rest', await measure(ears, pod, (round) => label(changed, round)));
  const seen = ears.pilothouse.next(({ uid }) => uid === pod.uid);
  await label(changed, 0);
  await seen;
  let isOver = false;
  const busy = (async () => {
    for (let round = 0; !isOver; round++) {
      await Promise.all([label(others[round % others.length], round), delay(1000 / BUSY_CHANGES_PER_SECOND)]);
    }
  })();
  const times = await measure(ears, pod, (round) => label(changed, round)).finally(() => {
    isOver = true;
    return busy;
  });
  report(`One cluster, ${BUSY_CHANGES_PER_SECOND} other pods a second changing`, times);
}

async function manyClusters({ run, environment, sql }) {
  const canned = run('bench/canned-clusters.mjs', {
    PODS: String(PODS),
    PORT: String(CANNED),
    CONTROL_PORT: String(CONTROL),
    CERTIFICATE_FILE: certificateFile,
  });
  const { counts, bytes, pods } = await canned.message;
  // Slices are told as parts of their services.
  const kept = Object.entries(counts).filter(([type]) => type !== 'endpointslices');
  const each = kept.reduce((sum, [, count]) => sum + count, 0);
  const megabytes = (CLUSTERS * bytes) / 1e6;
  console.log(
    `\n${CLUSTERS} clusters x ${counts.pods} pods (${each} objects each), ${megabytes.toFixed(0)} MB of pods as JSON`,
  );
  const servers = Array.from({ length: CLUSTERS }, (_, index) => `https://127.0.0.1:${CANNED}/c/${index}`);

  const began = performance.now();
  const plain = run(
    'bench/plain-watch.mjs',
    plainEnvironment(
      environment,
      servers.map((server) => ({ server, token: 't' })),
    ),
  );
  await until('the plain watch', async () => (await fetch(`http://127.0.0.1:${PLAIN}/complete`)).ok);
  const plainSeconds = (performance.now() - began) / 1000;
  const plainRows = (await sql.query('SELECT count(*)::integer AS rows FROM plain_pod')).rows[0].rows;
  console.log(
    `  the plainest: pods alone in ${plainSeconds.toFixed(1)} s, ${plainRows} rows, memory ${memoryOf(plain.pid).peak} MiB at its peak`,
  );
  await sql.query('CHECKPOINT');

  const certificate = (await readFile(certificateFile)).toString('base64');
  const uids = [];
  for (const [index, server] of servers.entries()) {
    const kubeconfig = JSON.stringify({
      clusters: [{ name: 'it', cluster: { server, 'certificate-authority-data': certificate } }],
      users: [{ name: 'me', user: { token: 't' } }],
      contexts: [{ name: 'it', context: { cluster: 'it', user: 'me' } }],
    });
    uids.push((await api('/v1/clusters', { name: `canned-${index}`, kubeconfig })).uid);
  }
  const complete = async (since) => {
    const { rows } = await sql.query(
      `SELECT count(*) > 0 AND bool_and(state = 'complete' AND last_ended_at > $2) AS complete, count(DISTINCT cluster_uid)::integer AS clusters
       FROM scope WHERE mode = 'watch' AND cluster_uid = ANY($1::uuid[])`,
      [uids, since],
    );
    return rows[0].complete === true && rows[0].clusters === CLUSTERS;
  };
  const picture = async (name) => {
    const since = (await sql.query('SELECT clock_timestamp() AS now')).rows[0].now;
    const startedAt = performance.now();
    const worker = run('dist/apps/worker/main.js', environment);
    await until('the picture', () => complete(since), 250);
    const seconds = (performance.now() - startedAt) / 1000;
    const { peak, now } = memoryOf(worker.pid);
    const ratio = (seconds / plainSeconds).toFixed(2);
    console.log(
      `  ${name}: ${seconds.toFixed(1)} s (${((CLUSTERS * each) / seconds).toFixed(0)} objects/s, ${ratio} x plain), memory of the worker ${peak} MiB at its peak, ${now} MiB then`,
    );
    return worker;
  };
  const first = await picture('first full picture');
  const { rows } = await sql.query(
    'SELECT count(*)::integer AS rows FROM resource WHERE deleted_at IS NULL AND cluster_uid = ANY($1::uuid[])',
    [uids],
  );
  if (rows[0].rows !== CLUSTERS * each) throw new Error(`${rows[0].rows} rows instead of ${CLUSTERS * each}`);
  const { partial } = await api(`/v1/resources?kind=Pod&cluster=${uids.at(-1)}&limit=1`);
  console.log(`  Postgres holds ${rows[0].rows} objects, every one of them; a list of pods says partial: ${partial}`);
  await first.stop();
  const worker = await picture('a worker that starts again');

  const [{ name }] = pods;
  const pod = await findPod(uids[0], name);
  const ears = await openEars();
  const change = (cluster, index, round) =>
    fetch(`http://127.0.0.1:${CONTROL}/`, { method: 'POST', body: JSON.stringify({ cluster, index, round }) });
  const times = await measure(ears, pod, async (round) => {
    await (await change(0, 0, round)).text();
  });
  report(`${CLUSTERS} clusters at rest`, times);
  const { now, peak } = memoryOf(worker.pid);
  console.log(`  memory of the worker ${now} MiB (${peak} MiB at its peak)`);
}

try {
  await withHouse(['--generate', `clusters=1,fleets=0,members=0,podsPerCluster=${SMALL_CLUSTER_PODS}`], oneCluster);
  await withHouse(['--generate', 'clusters=0,fleets=0,members=0'], manyClusters);
} finally {
  await rm(directory, { recursive: true, force: true });
}
