// API servers whose answers were made before: what one simulated cluster told, served over HTTPS for as many clusters as are
// wanted. Half a million simulated pods would need 14 GB and minutes of both cores for their controllers, and the bench
// would measure those; from here a page costs its server no more than sending it. Lists, pages, gzip, watches, bookmarks and
// the objects themselves are as the simulator gives them.
//
// Started by cluster-watch.bench.mjs: PODS, PORT, CONTROL_PORT, CERTIFICATE_FILE. A POST of {cluster, index, round} to the
// control port changes a pod, and is answered when a server would: as soon as the change stands.
import { writeFile } from 'node:fs/promises';
import { createServer as createControl } from 'node:http';
import { createServer } from 'node:https';
import { setInterval } from 'node:timers';
import { gzipSync } from 'node:zlib';
import { fetch } from 'undici';
import { CertificateAuthority } from '../dist/apps/simulator/certificate.authority.js';
import { createSimulator } from '../dist/apps/simulator/simulator.server.js';
import { STREAMS } from '../dist/libs/systems/kubernetes/kubernetes.streams.js';

const PODS = Number(process.env.PODS);
const PAGE = 500;
const BOOKMARK_MS = 30_000;
const AGGREGATED =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
/** Of everything that a worker watches. */
const LISTS = STREAMS.map(
  ({ type: { group, kind } }) =>
    `${group === '' ? '/api' : `/apis/${group}`}/v1/${kind.toLowerCase()}${kind.endsWith('s') ? 'es' : 's'}`,
);

async function record() {
  const size = { subscriptions: 1, clusters: 1, fleets: 0, members: 0, pools: 1, deploymentsPerCluster: 0, seed: 1 };
  const deployments = Math.ceil(PODS / 20);
  const simulator = await createSimulator({
    estate: { ...size, podsPerCluster: PODS, deploymentsPerCluster: deployments },
    settings: { throttleScale: 0 },
  });
  const url = await simulator.listen();
  const [{ uid, name }] = (await (await fetch(`${url}/_simulator/kubernetes`)).json()).clusters;
  const kubeconfig = await (await fetch(`${url}/_simulator/kubeconfig?cluster=${name}&user=admin`)).text();
  const authorization = `Bearer ${/token: "?([^"\s]+)/.exec(kubeconfig)[1]}`;
  const read = async (path) => {
    const answer = await fetch(`${url}/kubernetes/${uid}${path}`, { headers: { authorization, accept: AGGREGATED } });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return { type: answer.headers.get('content-type'), body: await answer.json() };
  };
  const isSettled = ({ items }) =>
    items.length >= PODS &&
    items.every(({ status }) => status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'));
  while (!isSettled((await read('/api/v1/pods')).body)) await new Promise((resolve) => setTimeout(resolve, 1_000));
  const documents = new Map();
  for (const path of ['/version', '/api', '/apis']) documents.set(path, await read(path));
  const lists = new Map();
  for (const path of LISTS) lists.set(path, (await read(path)).body);
  await simulator.close();
  return { documents, lists };
}

function packed(body) {
  const text = JSON.stringify(body);
  return { text, zipped: text.length > 128 * 1024 ? gzipSync(text, { level: 1 }) : undefined };
}

const { documents, lists } = await record();
const answers = new Map([...documents].map(([path, { type, body }]) => [path, { type, ...packed(body) }]));
/** Each list as its pages. */
const pages = new Map();
for (const [path, { items, metadata, ...rest }] of lists) {
  const cut = [];
  for (let start = 0; start === 0 || start < items.length; start += PAGE) {
    const left = items.length - start - PAGE;
    const more = left > 0 ? { continue: String(cut.length + 1), remainingItemCount: left } : {};
    cut.push(packed({ ...rest, metadata: { ...metadata, ...more }, items: items.slice(start, start + PAGE) }));
  }
  pages.set(path, cut);
}
const pods = lists.get('/api/v1/pods').items;
let resourceVersion = Number(lists.get('/api/v1/pods').metadata.resourceVersion);
/** The open watches, by `{cluster} {path}`. */
const watches = new Map();

function send(request, response, { text, zipped }, type = 'application/json') {
  response.setHeader('content-type', type);
  if (zipped === undefined || !request.headers['accept-encoding']?.includes('gzip')) return response.end(text);
  return response.setHeader('content-encoding', 'gzip').end(zipped);
}

function watch(response, key) {
  const open = watches.get(key) ?? new Set();
  watches.set(key, open.add(response));
  response.on('close', () => open.delete(response));
  response.setHeader('content-type', 'application/json');
  response.flushHeaders();
}

async function change(request, response) {
  let text = '';
  for await (const chunk of request) text += chunk;
  const { cluster, index, round } = JSON.parse(text);
  const { metadata, ...rest } = pods[index];
  const labels = { ...metadata.labels, round: String(round) };
  const object = { ...rest, metadata: { ...metadata, labels, resourceVersion: String(++resourceVersion) } };
  const line = `${JSON.stringify({ type: 'MODIFIED', object: { apiVersion: 'v1', kind: 'Pod', ...object } })}\n`;
  for (const open of watches.get(`${cluster} /api/v1/pods`) ?? []) open.write(line);
  response.end('{}');
}

setInterval(() => {
  for (const [key, open] of watches) {
    const { apiVersion, kind } = lists.get(key.split(' ')[1]);
    const object = { apiVersion, kind: kind.replace(/List$/, ''), metadata: { resourceVersion: `${resourceVersion}` } };
    for (const response of open) response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  }
}, BOOKMARK_MS);

let certificate;
const authority = new CertificateAuthority(undefined, [], (text) => (certificate = text));
await authority.ready();
await writeFile(process.env.CERTIFICATE_FILE, certificate);
const server = createServer(await authority.server(), (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'https://canned');
  const [, cluster, path] = /^\/c\/(\d+)(\/.*)$/.exec(pathname) ?? [];
  const document = answers.get(path);
  if (document !== undefined) return void send(request, response, document, document.type);
  if (!pages.has(path)) return void response.writeHead(404).end('{"kind":"Status","code":404,"reason":"NotFound"}');
  if (searchParams.get('watch') === 'true') return watch(response, `${cluster} ${path}`);
  return void send(request, response, pages.get(path)[Number(searchParams.get('continue') ?? 0)]);
});
createControl((request, response) => void change(request, response)).listen(
  Number(process.env.CONTROL_PORT),
  '127.0.0.1',
);
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  process.send({
    counts: Object.fromEntries([...lists].map(([path, { items }]) => [path.split('/').at(-1), items.length])),
    bytes: pages.get('/api/v1/pods').reduce((sum, { text }) => sum + text.length, 0),
    pods: pods.slice(0, 200).map(({ metadata: { name, namespace } }) => ({ name, namespace })),
  });
});
process.on('SIGTERM', () => process.exit(0));
