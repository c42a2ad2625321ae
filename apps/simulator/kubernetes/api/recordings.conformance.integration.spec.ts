import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import { type Json, type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { ADMIN, ApiHarness, VIEWER } from './api.harness.js';

const SHARED = path.resolve(import.meta.dirname, '../../../../../shared');
const RECORDINGS = path.join(SHARED, 'recordings');
const AGENT = 'python-requests/2.32';

interface Recording {
  name: string;
  request: { method: string; path: string; headers: Record<string, string>; as: string; body?: Json };
  response: { status: number; headers: Record<string, string>; body: Json };
}

const WITH_SCHEDULER = 'pods made by the controllers and the scheduler, which have a specification of their own';

/** Recordings that are not replayed here. */
const SKIPPED: Readonly<Record<string, string>> = {
  'list-nodes': 'nodes marked by the node controller',
  'pods-of-aci-helloworld': WITH_SCHEDULER,
  'pods-of-no-toleration': WITH_SCHEDULER,
  'pods-of-wrong-toleration': WITH_SCHEDULER,
  'pods-of-too-big': WITH_SCHEDULER,
  'pods-of-wrong-hostname': WITH_SCHEDULER,
  'pods-of-unbound-pvc': WITH_SCHEDULER,
  'events-failed-scheduling': WITH_SCHEDULER,
  'list-pods-page-1': WITH_SCHEDULER,
  'list-pods-page-2': WITH_SCHEDULER,
  'field-selector-node': WITH_SCHEDULER,
  'list-as-table': WITH_SCHEDULER,
  'watch-deployments': WITH_SCHEDULER,
  'watch-too-old': 'the steps of the deployment controller, one by one',
  'watch-initial-events': 'the recorded server has a storage without this feature; here it works',
  'delete-deployment': 'a deployment with pods of the controllers; see the specification of the garbage collector',
};

/** What is compared otherwise than as a whole. */
const SUBSETS: Readonly<Record<string, string>> = {
  apis: 'the real server has more groups',
  'api-aggregated-discovery': 'the real server has more core resources and subresources',
};

/** Answers in which an unordered set comes in the order of chance. */
const UNORDERED: ReadonlySet<string> = new Set([
  'discovery-placement-v1',
  'discovery-cluster-v1',
  'discovery-networking-v1alpha1',
  'discovery-networking-v1beta1',
]);

/** Stands in for the deployment controller: what it had written by the time of these recordings. */
const AFTER_CONTROLLER: ReadonlySet<string> = new Set([
  'apply-deployment-unchanged',
  'apply-deployment-dry-run',
  'apply-deployment-force',
  'get-scale',
  'put-scale',
  'merge-patch-label',
  'strategic-merge-patch-env',
]);

const VOLATILE: ReadonlySet<string> = new Set(['uid', 'resourceVersion', 'serverAddress', 'continue']);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function normalized(value: Json, key = ''): Json {
  if (VOLATILE.has(key)) return `<${key}>`;
  if (typeof value === 'string') return TIME.test(value) ? '<time>' : value;
  if (Array.isArray(value)) return value.map((item) => normalized(item));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([member, item]) => [member, normalized(item, member)]));
}

function read(directory: string): Recording[] {
  return readdirSync(path.join(RECORDINGS, directory))
    .sort()
    .map((file) => JSON.parse(readFileSync(path.join(RECORDINGS, directory, file), 'utf8')) as Recording);
}

const TOKENS: Readonly<Record<string, string>> = {
  'cluster-admin': ADMIN,
  'a user with no roles': VIEWER,
  anonymous: '',
  'a bad bearer token': 'bogus',
};

/** The identity of the object as it is here; a resourceVersion that was stale stays so. */
async function withIdentity(api: ApiHarness, target: string, body: JsonObject): Promise<JsonObject> {
  const metadata = isJsonObject(body.metadata) ? body.metadata : {};
  if (metadata.uid === undefined) return body;
  const { uid, resourceVersion } = (await api.call('GET', target)).body.metadata as JsonObject;
  const isStale = metadata.resourceVersion === '1';
  return { ...body, metadata: { ...metadata, uid: uid!, ...(isStale ? {} : { resourceVersion: resourceVersion! }) } };
}

async function replay(api: ApiHarness, { request }: Recording) {
  const body = isJsonObject(request.body) ? await withIdentity(api, request.path, request.body) : request.body;
  return api.call(request.method, request.path, {
    token: TOKENS[request.as]!,
    headers: { ...request.headers, 'user-agent': AGENT },
    ...(body === undefined ? {} : { body }),
  });
}

/** The list under `key`, by the names of its entries. */
function byName(list: Json | undefined, key: string): Record<string, JsonObject> {
  const entries = (Array.isArray(list) ? list : []).filter(isJsonObject);
  return Object.fromEntries(entries.map((entry) => [jsonText(entry[key]), entry]));
}

async function check(api: ApiHarness, recording: Recording): Promise<void> {
  const { name, response } = recording;
  const answer = await replay(api, recording);
  const contentType = response.headers['content-type']!;
  const actual: Json = contentType.startsWith('application/json') ? answer.body : answer.text;
  expect({ status: answer.status, contentType: answer.headers.get('content-type') }).toEqual({
    status: response.status,
    contentType,
  });
  expect(answer.headers.get('warning') ?? undefined).toBe(response.headers.warning);
  if (name === 'apis') {
    const recorded = byName((response.body as JsonObject).groups, 'name');
    for (const [group, entry] of Object.entries(byName(answer.body.groups, 'name')))
      expect({ group, entry }).toEqual({ group, entry: recorded[group] });
  } else if (name === 'api-aggregated-discovery') {
    const resources = (body: Json): Record<string, JsonObject> => {
      const [item] = (body as { items: { versions: { resources: Json }[] }[] }).items;
      return byName(item!.versions[0]!.resources, 'resource');
    };
    const recorded = resources(response.body);
    for (const [resource, entry] of Object.entries(resources(answer.body))) {
      const { subresources, ...rest } = entry;
      const { subresources: recordedSubresources, ...recordedRest } = recorded[resource]!;
      expect(rest).toEqual(recordedRest);
      for (const subresource of Array.isArray(subresources) ? subresources : [])
        expect(recordedSubresources).toContainEqual(subresource);
    }
  } else if (UNORDERED.has(name))
    expect(byName(answer.body.resources, 'name')).toEqual(byName((response.body as JsonObject).resources, 'name'));
  else expect(normalized(actual)).toEqual(normalized(response.body));
}

/** Writes what the deployment controller had written: annotations and status of the recorded answer. */
async function standInForController(api: ApiHarness, { request, response }: Recording): Promise<void> {
  const target = request.path.replace(/\?.*$/, '').replace(/\/scale$/, '');
  const recorded = response.body as { metadata: JsonObject; status: JsonObject };
  const live = await api.call('GET', target);
  const isScale = request.path.includes('/scale');
  const status = isScale
    ? { ...(live.body.status as JsonObject), replicas: recorded.status.replicas! }
    : recorded.status;
  const annotations = isScale ? (live.body.metadata as JsonObject).annotations : recorded.metadata.annotations;
  const answer = await api.call('PUT', `${target}/status`, {
    headers: { 'user-agent': 'kube-controller-manager/v1.32.13' },
    body: { ...live.body, metadata: { ...(live.body.metadata as JsonObject), annotations }, status },
  });
  expect(answer.status).toBe(200);
}

if (!existsSync(RECORDINGS))
  describe('recordings of a real server', () => {
    it.skip(`SKIPPED: the recordings are not here (${path.relative(process.cwd(), RECORDINGS)})`, () => undefined);
  });
else {
  describe('exchanges with a Kubernetes 1.32 server', () => {
    const api = new ApiHarness({ version: 'v1.32.13' });
    beforeAll(() => api.open());
    afterAll(() => api.close());

    for (const recording of read('kubernetes-1.32')) {
      const { name } = recording;
      const reason = SKIPPED[name];
      if (reason !== undefined) it.skip(`${name} (SKIPPED: ${reason})`, () => undefined);
      else
        it(SUBSETS[name] === undefined ? name : `${name} (in part: ${SUBSETS[name]})`, async () => {
          if (AFTER_CONTROLLER.has(name)) await standInForController(api, recording);
          await check(api, recording);
        });
    }
  });

  describe('exchanges with a fleet hub', () => {
    const api = new ApiHarness();
    beforeAll(async () => {
      const directory = path.join(SHARED, 'fleet-crds');
      const definitions = readdirSync(directory).map(
        (file) => load(readFileSync(path.join(directory, file), 'utf8')) as JsonObject,
      );
      api.cluster.installDefinitions(definitions);
      await api.open();
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kuard-demo' } };
      await api.call('POST', '/api/v1/namespaces', { body: namespace });
    });
    afterAll(() => api.close());

    for (const recording of read('fleet-hub'))
      it(recording.name, async () => {
        // A second cluster was joined in between, unrecorded.
        if (recording.name === 'list-memberclusters-table') await joinSecondCluster(api);
        await check(api, recording);
      });
  });
}

async function joinSecondCluster(api: ApiHarness): Promise<void> {
  const first = await api.call('GET', '/apis/cluster.kubernetes-fleet.io/v1/memberclusters/demo-aks01-demo-aks01');
  const { labels } = first.body.metadata as JsonObject;
  const answer = await api.call('POST', '/apis/cluster.kubernetes-fleet.io/v1/memberclusters', {
    headers: { 'user-agent': AGENT },
    body: {
      apiVersion: 'cluster.kubernetes-fleet.io/v1',
      kind: 'MemberCluster',
      metadata: { name: 'demo-aks02-demo-aks01', labels },
      spec: first.body.spec,
    },
  });
  expect(answer.status).toBe(201);
}
