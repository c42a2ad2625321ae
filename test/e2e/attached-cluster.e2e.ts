import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dump, load } from 'js-yaml';
import { DirectCluster, kubeconfigOf, readKubeconfig } from './direct-cluster.js';
import { freePorts, Stack, type Answer } from './stack.js';

const FLEET_DEFINITIONS = path.resolve(import.meta.dirname, '../../apps/simulator/kubernetes/definitions/fleet');
const PLACEMENTS = { groupVersion: 'placement.kubernetes-fleet.io/v1', plural: 'clusterresourceplacements' };
const MEMBERS = { groupVersion: 'cluster.kubernetes-fleet.io/v1', plural: 'memberclusters' };
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

type Manifest = Record<string, unknown> & {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
};

interface AttachedClusterOptions {
  kubeconfig(stack: Stack): Promise<string>;
  /** Before the cluster is attached. */
  prepare?(direct: DirectCluster, stack: Stack): Promise<void>;
  /** Whether members and placements can be made: the cluster serves the definitions of Fleet. */
  servesFleet: boolean;
  /** Of the stack. */
  environment?: Record<string, string>;
}

/**
 * What can be done to a cluster that is known by its kubeconfig alone. It asks no more of the cluster than an API server:
 * no controller, no node and no pod has to be there, and none may mind. Whatever it makes has a name of its own, and is
 * deleted at the end.
 */
function describeAttachedCluster(
  name: string,
  options: AttachedClusterOptions,
  describes: typeof describe | typeof describe.skip = describe,
): void {
  const suffix = randomBytes(4).toString('hex');
  const namespace = `pilothouse-${suffix}`;
  const clusterName = `attached-${suffix}`;
  const group = `e2e-${suffix}.example.org`;

  describes(name, () => {
    let stack: Stack;
    let direct: DirectCluster;
    let kubeconfig: string;
    let attached: Answer;
    let uid: string;
    let count = 0;
    const made: Manifest[] = [];

    beforeAll(async () => {
      const ENCRYPTION_KEYS = randomBytes(32).toString('base64');
      stack = await Stack.start({ ...options.environment, ENCRYPTION_KEYS });
      kubeconfig = await options.kubeconfig(stack);
      direct = DirectCluster.of(kubeconfig);
      await options.prepare?.(direct, stack);
      attached = await attach(clusterName, kubeconfig);
      expectStatus(attached, 201);
      uid = attached.body.uid;
      await applied([object('v1', 'Namespace', namespace)]);
    }, 180_000);

    afterAll(async () => {
      const [namespaces, others] = [made.filter(isNamespace), made.filter((each) => !isNamespace(each))];
      const isDefinition = ({ kind }: Manifest): boolean => kind === 'CustomResourceDefinition';
      const ended = [
        ...(await removedAll(others.filter((each) => !isDefinition(each)))),
        ...(await removedAll(others.filter(isDefinition))),
        // Without a controller a namespace is never gone.
        ...(await removedAll(namespaces, { waitForRemoval: false })),
      ];
      expect(ended.filter(({ status }) => status !== 'Succeeded')).toEqual([]);
    }, 180_000);

    afterAll(async () => {
      await direct.close();
      await stack.stop();
    }, 60_000);

    function attach(as: string, text: string): Promise<Answer> {
      return stack.api('/v1/clusters', { method: 'POST', body: { name: as, kubeconfig: text } });
    }

    /** Starts an operation and follows it to its end, whichever that is. */
    async function does(type: string, input: Record<string, unknown>, dryRun = false): Promise<Answer['body']> {
      const accepted = await stack.api('/v1/operations', { method: 'POST', body: { type, input, dryRun } });
      expectStatus(accepted, 202);
      return stack.endOf(accepted.body.id);
    }

    async function succeeds(type: string, input: Record<string, unknown>): Promise<Answer['body']> {
      const ended = await does(type, input);
      expect(ended).toMatchObject({ type, status: 'Succeeded', error: null });
      return ended;
    }

    /** Applies a manifest; whatever came of it, what was made is remembered to be deleted. */
    async function applies(
      manifest: string | Manifest[],
      input: Record<string, unknown> = {},
      dryRun = false,
    ): Promise<Answer['body']> {
      const text = typeof manifest === 'string' ? manifest : manifest.map((each) => dump(each)).join('---\n');
      const given = { cluster: uid, manifest: text, ...input };
      const ended = await does('kubernetes.manifest.apply', given, dryRun);
      const documents = ended.result?.documents ?? ended.steps[0]?.output?.documents ?? [];
      for (const document of documents as (Manifest['metadata'] & Manifest & { outcome: string })[]) {
        if (document.outcome !== 'created') continue;
        const { apiVersion, kind, name: objectName, namespace: place } = document;
        made.push(object(apiVersion, kind, objectName, {}, place ?? undefined));
      }
      return ended;
    }

    async function applied(manifest: string | Manifest[], input: Record<string, unknown> = {}) {
      const ended = await applies(manifest, input);
      expect(ended).toMatchObject({ status: 'Succeeded', error: null });
      return ended;
    }

    function removes({ apiVersion, kind, metadata }: Manifest, input: Record<string, unknown> = {}) {
      const at = {
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      };
      return does('kubernetes.object.delete', { cluster: uid, apiVersion, kind, ...at, ...input });
    }

    async function removedAll(objects: Manifest[], input: Record<string, unknown> = {}): Promise<Answer['body'][]> {
      return Promise.all(objects.map((each) => removes(each, input)));
    }

    /** What Pilothouse shows of an object of the cluster, as soon as it does. */
    async function shown(kind: string, objectName: string): Promise<Answer['body']> {
      return stack.until(`${kind} ${objectName}`, async () => {
        const { body } = await stack.api(`/v1/resources?cluster=${uid}&kind=${kind}&name=${objectName}`);
        return body.items?.[0];
      });
    }

    /** A name that no other test uses. */
    function fresh(kind: string): string {
      return `${kind}-${suffix}-${++count}`;
    }

    function configMap(objectName: string, data: Record<string, string> = { colour: 'blue' }): Manifest {
      return object('v1', 'ConfigMap', objectName, { data }, namespace);
    }

    /** Of no pods: nothing has to run. */
    function deployment(objectName: string, spec: Record<string, unknown> = {}): Manifest {
      const labels = { app: objectName };
      const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'example.org/main:1' }] } };
      const whole = { replicas: 0, selector: { matchLabels: labels }, template, ...spec };
      return object('apps/v1', 'Deployment', objectName, { spec: whole }, namespace);
    }

    function service(objectName: string): Manifest {
      const spec = { selector: { app: objectName }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] };
      return object('v1', 'Service', objectName, { spec }, namespace);
    }

    function definition(kind: string): Manifest {
      const plural = `${kind.toLowerCase()}s`;
      const schema = {
        openAPIV3Schema: {
          type: 'object',
          properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
        },
      };
      return object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `${plural}.${group}`, {
        spec: {
          group,
          scope: 'Namespaced',
          names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
          versions: [{ name: 'v1', served: true, storage: true, schema }],
        },
      });
    }

    const configMapPath = (objectName: string): string => `/api/v1/namespaces/${namespace}/configmaps/${objectName}`;
    const deploymentPath = (objectName: string): string =>
      `/apis/apps/v1/namespaces/${namespace}/deployments/${objectName}`;

    describe('attaching', () => {
      it('shows the cluster, with what the server says of itself', async () => {
        const { gitVersion } = (await direct.get('/version')).body;
        const { host } = new URL(direct.parts.cluster.server);
        const facts = { server: host, kubernetesVersion: gitVersion, authentication: expect.any(String) };
        expect(attached.body).toMatchObject({ kind: 'AttachedCluster', name: clusterName, ...facts });
        const { body } = await stack.api(`/v1/resources/${uid}`);
        expect(body).toMatchObject({ kind: 'AttachedCluster', name: clusterName, properties: facts });
      });

      it('keeps a name for one cluster, and says how its access is changed', async () => {
        const again = await attach(clusterName, kubeconfig);
        expect(again).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
        expect(again.body.remedy).toContain(`PUT /v1/clusters/${uid}/access`);
      });

      it.each([
        {
          reason: 'a token that the server does not know',
          change: () => ({ user: { token: 'nobody-knows-this-token' } }),
          status: 502,
          code: 'KUBERNETES_UNAUTHENTICATED',
        },
        { reason: 'no credential', change: () => ({ user: {} }), status: 422, code: 'INVALID_KUBECONFIG' },
        {
          reason: 'a program that would fetch a credential',
          change: () => ({ user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'touch' } } }),
          status: 422,
          code: 'INVALID_KUBECONFIG',
        },
        {
          reason: 'a file of this machine',
          change: () => ({ user: { tokenFile: '/var/run/token' } }),
          status: 422,
          code: 'INVALID_KUBECONFIG',
        },
        {
          reason: 'an authority that has not signed the certificate of the server',
          change: () => ({ cluster: { 'certificate-authority-data': base64(rootCertificates[0]!) } }),
          status: 503,
          code: 'KUBERNETES_UNAVAILABLE',
        },
        {
          reason: 'an address at which nobody listens',
          change: async () => ({ cluster: { server: `https://127.0.0.1:${(await freePorts(1))[0]}` } }),
          status: 503,
          code: 'KUBERNETES_UNAVAILABLE',
        },
      ])('refuses $reason with $code, and leaves nothing behind', async ({ change, status, code }) => {
        const { cluster, user } = direct.parts;
        const { 'insecure-skip-tls-verify': _unchecked, ...checked } = cluster;
        const changed: { cluster?: object; user?: object } = await change();
        const text = kubeconfigOf({
          cluster: changed.cluster === undefined ? cluster : { ...checked, ...changed.cluster },
          user: changed.user ?? user,
        });
        const refusedName = fresh('refused');
        const refused = await attach(refusedName, text);
        expect(refused).toMatchObject({ status, body: { code, remedy: expect.any(String) } });
        const { body } = await stack.api(`/v1/resources?name=${refusedName}`);
        expect(body.items).toEqual([]);
      });

      it('refuses what is no kubeconfig, without repeating it', async () => {
        const refused = await attach(fresh('refused'), 'kind: Recipe # of-the-house');
        expect(refused).toMatchObject({ status: 422, body: { code: 'INVALID_KUBECONFIG' } });
        expect(JSON.stringify(refused.body)).not.toContain('of-the-house');
      });

      it('does what it does with the credential that was given last, and keeps the old one when the new one is refused', async () => {
        const account = fresh('account');
        await applied([object('v1', 'ServiceAccount', account, {}, namespace)]);
        const issued = await direct.request(
          'POST',
          `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
          { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } },
        );
        expect(issued.status).toBe(201);
        const { token } = issued.body.status;
        const ofAccount = kubeconfigOf({ cluster: direct.parts.cluster, user: { token } });
        const access = `/v1/clusters/${uid}/access`;
        const put = (text: string): Promise<Answer> => stack.api(access, { method: 'PUT', body: { kubeconfig: text } });

        expect((await attach(fresh('rotated'), kubeconfig)).status).toBe(201);
        const other = (await attach(fresh('rotated'), ofAccount)).body;
        const rotated = `/v1/clusters/${other.uid}/access`;
        expect((await stack.api(rotated)).body.authentication).toBe('token');
        expect((await stack.api(access)).body.authentication).toBe(attached.body.authentication);

        // An account without a role may do nothing, unless the server allows everything to everybody.
        const asAccount = DirectCluster.of(ofAccount);
        const mayApply = await mayCreateConfigMaps(asAccount, namespace);
        await asAccount.close();
        const tries = (): Promise<Answer['body']> => applies([configMap(fresh('rotated'))], { cluster: other.uid });
        expect((await tries()).status).toBe(mayApply ? 'Succeeded' : 'Failed');

        const given = await stack.api(rotated, { method: 'PUT', body: { kubeconfig } });
        expect(given).toMatchObject({ status: 200, body: { clusterUid: other.uid, attachedBy: 'administrator' } });
        expect((await tries()).status).toBe('Succeeded');

        const refused = await put(kubeconfigOf({ cluster: direct.parts.cluster, user: { token: 'nobody-knows-it' } }));
        expect(refused).toMatchObject({ status: 502, body: { code: 'KUBERNETES_UNAUTHENTICATED' } });
        await applied([configMap(fresh('rotated'))]);
      });

      it.each([
        { reason: 'its access', route: () => `/v1/clusters/${uid}/access` },
        { reason: 'the cluster', route: () => `/v1/resources/${uid}` },
        { reason: 'its history', route: () => `/v1/resources/${uid}/history` },
        { reason: 'what is in it', route: () => `/v1/resources?cluster=${uid}` },
        { reason: 'the operations', route: () => '/v1/operations' },
        { reason: 'the audit log', route: () => '/v1/audit-events' },
        { reason: 'the changes', route: () => '/v1/changes' },
      ])('is never asked for the kubeconfig again: $reason', async ({ route }) => {
        const { status, body } = await stack.api(route());
        expect(status).toBe(200);
        expectNoSecret(JSON.stringify(body));
      });

      it('tells the kubeconfig neither to GraphQL, nor to whoever attaches, nor to the logs', async () => {
        const { body } = await stack.graphql(`{ attachedClusters { nodes { name server properties } } }`);
        expect(body.data.attachedClusters.nodes).toContainEqual(expect.objectContaining({ name: clusterName }));
        for (const text of [JSON.stringify(body), JSON.stringify(attached.body), stack.output]) expectNoSecret(text);
      });

      function expectNoSecret(text: string): void {
        const { user } = direct.parts;
        const secrets = [user.token, user['client-key-data']].filter((secret) => typeof secret === 'string');
        expect(secrets).not.toEqual([]);
        for (const secret of secrets) expect(text).not.toContain(secret);
        expect(text).not.toContain('current-context');
      }

      it('has on record who gave which access, without the access itself', async () => {
        const { body } = await stack.api('/v1/audit-events?limit=1000');
        expect(body.items).toContainEqual(
          expect.objectContaining({
            action: 'cluster.attached',
            outcome: 'succeeded',
            principalName: 'administrator',
            target: expect.objectContaining({ uid }),
          }),
        );
      });

      it('lets go of a cluster: everything of it goes away, and nothing of it is touched', async () => {
        const map = fresh('stays');
        await applied([configMap(map)]);
        const { body: other } = await attach(fresh('detached'), kubeconfig);
        const content = async (): Promise<Answer['body'][]> =>
          (await stack.api(`/v1/resources?cluster=${other.uid}&kind=Namespace&limit=1000`)).body.items ?? [];
        await stack.until('the namespaces of the second cluster', async () =>
          (await content()).some((item) => item.name === namespace),
        );
        expect((await stack.api(`/v1/clusters/${other.uid}`, { method: 'DELETE' })).status).toBe(204);
        expect((await stack.api(`/v1/resources/${other.uid}`)).status).toBe(404);
        expect((await stack.api(`/v1/clusters/${other.uid}/access`)).status).toBe(404);
        await stack.until('the end of what was in it', async () => (await content()).length === 0);
        expect((await direct.get(configMapPath(map))).status).toBe(200);
        const input = { cluster: other.uid, manifest: dump(configMap(map)) };
        const refused = await stack.startOperation('kubernetes.manifest.apply', input);
        const violations = [expect.objectContaining({ path: 'input.cluster' })];
        expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST', violations } });
      });
    });

    describe('kubernetes.manifest.apply', () => {
      it('applies what others stand on first, however it is written: YAML and JSON, a namespace and a definition last', async () => {
        const [place, widget] = [fresh('place'), 'Widget'];
        const inPlace = object('v1', 'ConfigMap', 'settings', { data: { a: 'b' } }, place);
        const custom = object(`${group}/v1`, widget, 'small', { spec: { size: 1 } }, place);
        const documents = [custom, inPlace, definition(widget), object('v1', 'Namespace', place)];
        const [asJson, ...asYaml] = documents;
        const manifest = [`${JSON.stringify(asJson, null, 2)}\n`, ...asYaml.map((each) => dump(each))].join('---\n');
        const ended = await applied(manifest);
        expect(ended.findings).toContainEqual(expect.objectContaining({ code: 'CHECKED_LATER', severity: 'info' }));
        expect(ended.result).toMatchObject({
          applied: 4,
          changed: 4,
          leftOut: 0,
          documents: documents.map(({ kind, metadata }) => ({ kind, name: metadata.name, outcome: 'created' })),
        });
        const found = await direct.get(`/apis/${group}/v1/namespaces/${place}/widgets/small`);
        expect(found).toMatchObject({ status: 200, body: { spec: { size: 1 } } });
        expect((await direct.get(`/api/v1/namespaces/${place}/configmaps/settings`)).status).toBe(200);
      });

      it('takes a manifest of JSON alone, and puts what says no namespace into the one that is named', async () => {
        const map = fresh('json');
        const { apiVersion, kind, data } = configMap(map) as Manifest & { data: object };
        const text = JSON.stringify({ apiVersion, kind, metadata: { name: map }, data });
        expect((await applied(text, { namespace })).result).toMatchObject({ documents: [{ namespace, name: map }] });
        expect((await direct.get(configMapPath(map))).body.data).toEqual(data);
      });

      it('changes nothing when everything is there already', async () => {
        const names = [fresh('same'), fresh('same'), fresh('same')];
        const documents = [
          configMap(names[0]!),
          service(names[1]!),
          object('v1', 'ServiceAccount', names[2]!, {}, namespace),
        ];
        const versions = ({ result }: Answer['body']): string[] =>
          result.documents.map(({ resourceVersion }: { resourceVersion: string }) => resourceVersion);
        const [first, second] = [await applied(documents), await applied(documents)];
        expect(second.findings).toContainEqual(expect.objectContaining({ code: 'NOTHING_TO_CHANGE' }));
        expect(second.result).toMatchObject({
          applied: 3,
          changed: 0,
          documents: names.map((each) => ({ name: each, outcome: 'unchanged' })),
        });
        expect(versions(second)).toEqual(versions(first));
      });

      it('shows in a dry run what would change, and changes nothing', async () => {
        const [map, newcomer] = [fresh('dry'), fresh('dry')];
        await applied([configMap(map)]);
        const before = (await direct.get(configMapPath(map))).body;
        const ended = await applies([configMap(map, { colour: 'green' }), configMap(newcomer)], {}, true);
        expect(ended).toMatchObject({ status: 'Succeeded', dryRun: true });
        expect(ended.result.changes).toMatchObject({
          documents: [
            { name: map, action: 'change', difference: [{ path: '.data.colour', before: 'blue', after: 'green' }] },
            { name: newcomer, action: 'create' },
          ],
        });
        expect((await direct.get(configMapPath(map))).body.metadata.resourceVersion).toBe(
          before.metadata.resourceVersion,
        );
        expect((await direct.get(configMapPath(newcomer))).status).toBe(404);
      });

      it('names who manages which fields when they conflict, and takes them over by force', async () => {
        const web = fresh('web');
        await applied([deployment(web)]);
        const theirs = object(
          'apps/v1',
          'Deployment',
          web,
          { spec: { revisionHistoryLimit: 9, minReadySeconds: 9 } },
          namespace,
        );
        expect((await direct.apply(deploymentPath(web), theirs, 'somebody-else')).status).toBe(200);
        const wanted = deployment(web, { revisionHistoryLimit: 3, minReadySeconds: 3 });

        const refused = await applies([wanted]);
        expect(refused).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
        const fields = ['.spec.minReadySeconds', '.spec.revisionHistoryLimit'];
        const [finding] = refused.findings.filter(({ code }: { code: string }) => code === 'FIELD_CONFLICT');
        expect(finding).toMatchObject({ severity: 'error', evidence: { kind: 'Deployment', name: web } });
        const [conflict, ...others] = finding.evidence.conflicts;
        expect(others).toEqual([]);
        expect(conflict.manager).toContain('somebody-else');
        expect([...conflict.fields].sort()).toEqual(fields);
        expect((await direct.get(deploymentPath(web))).body.spec).toMatchObject(theirs.spec as object);

        const forced = await applied([wanted], { force: true });
        expect(forced.result).toMatchObject({ documents: [{ outcome: 'changed' }] });
        const ours = { revisionHistoryLimit: 3, minReadySeconds: 3 };
        expect((await direct.get(deploymentPath(web))).body.spec).toMatchObject(ours);
        expect((await applied([wanted])).result).toMatchObject({ changed: 0 });
      });

      it.each([
        { fieldValidation: undefined, takes: false, warns: false, reason: 'a mistake, as far as anybody has said' },
        { fieldValidation: 'Strict', takes: false, warns: false, reason: 'a mistake' },
        { fieldValidation: 'Warn', takes: true, warns: true, reason: 'worth a word' },
        { fieldValidation: 'Ignore', takes: true, warns: false, reason: 'nothing' },
      ])('a field that the server does not know is $reason', async ({ fieldValidation, takes, warns }) => {
        const web = fresh('unknown');
        const manifest = deployment(web, { replica: 3 });
        const ended = await applies([manifest], fieldValidation === undefined ? {} : { fieldValidation });
        expect(ended.status).toBe(takes ? 'Succeeded' : 'Failed');
        const codes = ended.findings.map(({ code }: { code: string }) => code);
        expect(codes.includes('DOCUMENT_REFUSED')).toBe(!takes);
        expect(codes.includes('SERVER_WARNING')).toBe(warns);
        const found = await direct.get(deploymentPath(web));
        expect(found.status).toBe(takes ? 200 : 404);
        if (takes) expect(found.body.spec).not.toHaveProperty('replica');
        else expect(JSON.stringify(ended.findings)).toContain('.spec.replica');
        const warnings = JSON.stringify(ended.result?.documents?.[0].warnings ?? []);
        expect(warnings.includes('spec.replica')).toBe(warns);
      });

      it.each<{ reason: string; bad: () => string; code: string }>([
        {
          reason: 'the server finds a fault',
          bad: () => dump(object('v1', 'Service', 'no-ports', { spec: { ports: [] } }, namespace)),
          code: 'DOCUMENT_REFUSED',
        },
        {
          reason: 'its kind is not served',
          bad: () => dump(object(`${group}/v9`, 'Nothing', 'nothing')),
          code: 'KIND_NOT_SERVED',
        },
        {
          reason: 'its namespace is not there',
          bad: () => dump(object('v1', 'ConfigMap', 'nowhere', {}, `nowhere-${suffix}`)),
          code: 'NAMESPACE_NOT_FOUND',
        },
        { reason: 'it is no YAML', bad: () => 'a: [\n', code: 'MALFORMED_DOCUMENT' },
        {
          reason: 'Kubernetes would refuse the name',
          bad: () => dump(configMap('Not_A_Name')),
          code: 'NAME_INVALID',
        },
      ])(
        'refuses the whole for one bad document, or leaves that one out when asked to: $reason',
        async ({ bad, code }) => {
          const [refusedMap, keptMap] = [fresh('good'), fresh('good')];
          const withBad = (map: string): string => [dump(configMap(map)), bad()].join('---\n');
          const refused = await applies(withBad(refusedMap));
          expect(refused).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
          expect(refused.findings).toContainEqual(expect.objectContaining({ code, severity: 'error' }));
          expect((await direct.get(configMapPath(refusedMap))).status).toBe(404);

          const kept = await applied(withBad(keptMap), { onInvalid: 'skip' });
          expect(kept.findings).toContainEqual(expect.objectContaining({ code, severity: 'warning' }));
          expect(kept.result.applied).toBe(1);
          expect(kept.result.documents[0]).toMatchObject({ name: keptMap, outcome: 'created' });
          expect(kept.result.documents[1]).toMatchObject({
            outcome: expect.stringMatching(/^(skipped|refused)$/),
            code,
          });
          expect((await direct.get(configMapPath(keptMap))).status).toBe(200);
        },
      );

      it('refuses a Secret with its values before anything is stored', async () => {
        const secret = object('v1', 'Secret', 'never', { stringData: { word: `sesame-${suffix}` } }, namespace);
        const refused = await stack.startOperation('kubernetes.manifest.apply', {
          cluster: uid,
          manifest: dump(secret),
        });
        expect(refused).toMatchObject({ status: 400, body: { violations: [{ code: 'SECRET_IN_MANIFEST' }] } });
        expect(JSON.stringify(refused.body) + stack.output).not.toContain(`sesame-${suffix}`);
      });

      it.each([
        {
          kind: 'ClusterResourcePlacement',
          spec: {
            resourceSelectors: [{ group: '', version: 'v1', kind: 'Namespace', name: 'web' }],
            policy: {
              affinity: { clusterAffinity: { clusterSelectorTerms: [{ labelSelector: { matchLabels: { a: 'b' } } }] } },
            },
          },
          today: { apiVersion: PLACEMENTS.groupVersion, placed: 'requiredDuringSchedulingIgnoredDuringExecution' },
          reason: 'placements have moved',
        },
        {
          kind: 'MemberCluster',
          spec: { state: 'Join', identity: { kind: 'User', name: 'member', apiGroup: 'rbac.authorization.k8s.io' } },
          today: { apiVersion: MEMBERS.groupVersion, placed: 'identity' },
          reason: 'members have moved',
        },
      ])('refuses $kind of the preview, and writes it as it is today: $reason', async ({ kind, spec, today }) => {
        const old = object('fleet.azure.com/v1alpha1', kind, fresh('old'), { spec });
        const refused = await applies([old]);
        expect(refused).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
        const [finding] = refused.findings;
        expect(finding).toMatchObject({ code: 'OUTDATED_FLEET_API', severity: 'error', remedy: expect.any(String) });
        const replacement = load(finding.evidence.replacement);
        expect(replacement).toMatchObject({
          apiVersion: today.apiVersion,
          kind,
          metadata: { name: old.metadata.name },
        });
        expect(finding.evidence.replacement).toContain(today.placed);
      });
    });

    describe('workloads', () => {
      it('are scaled, without waiting for pods where nothing runs them', async () => {
        const web = fresh('web');
        await applied([deployment(web)]);
        const { uid: workload } = await shown('Workload', web);
        const input = { workload, replicas: 2, waitForAvailable: false };
        expect((await succeeds('kubernetes.workload.scale', input)).result).toMatchObject({ replicas: 2 });
        expect((await direct.get(deploymentPath(web))).body.spec.replicas).toBe(2);
        const again = await succeeds('kubernetes.workload.scale', input);
        expect(again.findings).toContainEqual(expect.objectContaining({ code: 'ALREADY_AT_COUNT' }));
      });

      it('are restarted once', async () => {
        const web = fresh('web');
        await applied([deployment(web)]);
        const { uid: workload } = await shown('Workload', web);
        const { result } = await succeeds('kubernetes.workload.restart', { workload, waitForAvailable: false });
        const { spec } = (await direct.get(deploymentPath(web))).body;
        expect(spec.template.metadata.annotations).toMatchObject({ [RESTARTED_AT]: result.restartedAt });
      });
    });

    describe('nodes', () => {
      const taint = { key: 'example.org/kind', value: 'test', effect: 'NoSchedule' };
      const other = { key: 'example.org/other', effect: 'PreferNoSchedule' };
      it.each<{
        type: string;
        input?: object;
        /** What is done to the node before. */
        before: [type: string, input: object][];
        after: object;
        again: string;
        reason: string;
      }>([
        {
          type: 'kubernetes.node.cordon',
          before: [],
          after: { unschedulable: true },
          again: 'NODE_CORDONED',
          reason: 'no new pods',
        },
        {
          type: 'kubernetes.node.uncordon',
          before: [['kubernetes.node.cordon', {}]],
          after: { unschedulable: false },
          again: 'NODE_NOT_CORDONED',
          reason: 'new pods again',
        },
        {
          type: 'kubernetes.node.taint',
          input: taint,
          before: [],
          after: { taints: expect.arrayContaining([taint]) },
          again: 'TAINT_PRESENT',
          reason: 'only pods that tolerate it',
        },
        {
          type: 'kubernetes.node.untaint',
          input: { key: taint.key },
          before: [
            ['kubernetes.node.taint', taint],
            ['kubernetes.node.taint', other],
          ],
          after: {
            taints: expect.not.arrayContaining([expect.objectContaining({ key: taint.key })]),
          },
          again: 'TAINT_ABSENT',
          reason: 'the other taints stay',
        },
      ])('$type: $reason; a second time changes nothing', async ({ type, input, before, after, again }) => {
        const nodeName = fresh('node');
        await applied([object('v1', 'Node', nodeName)]);
        const { uid: node } = await shown('Node', nodeName);
        for (const [done, given] of before) await succeeds(done, { node, ...given });
        await succeeds(type, { node, ...input });
        const changed = (await direct.get(`/api/v1/nodes/${nodeName}`)).body;
        // Servers leave out what is false, and what is empty.
        const { unschedulable = false, taints = [] } = changed.spec;
        expect({ unschedulable, taints }).toMatchObject(after);
        const keys = taints.map(({ key }: { key: string }) => key);
        expect(keys.includes(other.key)).toBe(before.some(([, given]) => given === other));
        const second = await succeeds(type, { node, ...input });
        expect(second.findings).toContainEqual(expect.objectContaining({ code: again, severity: 'info' }));
      });
    });

    describe('kubernetes.registrySecret.create', () => {
      it('brings the credential to the cluster, and nowhere else', async () => {
        const [secretName, account] = [fresh('regcred'), fresh('puller')];
        const password = `letmein-${randomBytes(12).toString('hex')}`;
        await applied([object('v1', 'ServiceAccount', account, {}, namespace)]);
        const input = {
          cluster: uid,
          namespace,
          name: secretName,
          server: 'registry.example.org',
          username: 'puller',
          password,
          serviceAccounts: [account],
        };
        const ended = await succeeds('kubernetes.registrySecret.create', input);
        made.push(object('v1', 'Secret', secretName, {}, namespace));

        const secret = await direct.get(`/api/v1/namespaces/${namespace}/secrets/${secretName}`);
        expect(secret.body.type).toBe('kubernetes.io/dockerconfigjson');
        const content = Buffer.from(secret.body.data['.dockerconfigjson'], 'base64').toString();
        const auth = base64(`puller:${password}`);
        expect(JSON.parse(content)).toMatchObject({ auths: { 'registry.example.org': { password, auth } } });
        const { body } = await direct.get(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}`);
        expect(body.imagePullSecrets).toEqual([{ name: secretName }]);

        await stack.until('the audit log', async () => {
          const events = await stack.api(`/v1/audit-events?operationId=${ended.id}`);
          return events.body.items.some(({ action }: { action: string }) => action === 'operation.ended');
        });
        const routes = [
          `/v1/operations/${ended.id}`,
          '/v1/operations',
          `/v1/audit-events?operationId=${ended.id}`,
          `/v1/resources?cluster=${uid}`,
          '/v1/changes',
        ];
        const answers = await Promise.all(routes.map(async (route) => JSON.stringify((await stack.api(route)).body)));
        for (const text of [...answers, stack.output]) {
          for (const form of [password, base64(password), auth, secret.body.data['.dockerconfigjson']]) {
            expect(text).not.toContain(form);
          }
        }
      });
    });

    describe('kubernetes.object.delete', () => {
      it('deletes, and says that the object is gone; a second time there is nothing to do', async () => {
        const map = configMap(fresh('gone'));
        await applied([map]);
        const ended = await removes(map);
        expect(ended).toMatchObject({ status: 'Succeeded', result: { state: 'gone', finalizers: [] } });
        expect((await direct.get(configMapPath(map.metadata.name))).status).toBe(404);
        const again = await removes(map);
        expect(again).toMatchObject({ status: 'Succeeded', findings: [{ code: 'OBJECT_NOT_FOUND' }] });
      });

      it('does not wait for who keeps an object where it shall not, and says what is true', async () => {
        const kept = fresh('kept');
        const finalizers = ['example.org/keep'];
        const map = configMap(kept);
        await applied([{ ...map, metadata: { ...map.metadata, finalizers } } as Manifest]);
        const ended = await removes(map, { waitForRemoval: false });
        expect(ended).toMatchObject({ status: 'Succeeded', result: { state: 'deleting', finalizers } });
        expect(ended.findings).toContainEqual(expect.objectContaining({ code: 'FINALIZERS', severity: 'warning' }));
        const { body } = await direct.get(configMapPath(kept));
        expect(body.metadata).toMatchObject({ deletionTimestamp: expect.any(String), finalizers });
        expect((await direct.merge(configMapPath(kept), { metadata: { finalizers: null } })).status).toBe(200);
        expect(await removes(map)).toMatchObject({ status: 'Succeeded', result: { state: 'gone' } });
      });

      it('says of a namespace whether it is gone or still going, which takes a controller', async () => {
        const place = object('v1', 'Namespace', fresh('going'));
        await applied([place]);
        const ended = await removes(place, { waitForRemoval: false });
        expect(ended).toMatchObject({ status: 'Succeeded' });
        expect(ended.findings).toContainEqual(expect.objectContaining({ code: 'NAMESPACE_WITH_CONTENT' }));
        const { status, body } = await direct.get(`/api/v1/namespaces/${place.metadata.name}`);
        expect([status, body.status?.phase]).not.toEqual([200, 'Active']);
        // Where somebody finishes namespaces, it may be gone between the two looks, but never the other way round.
        expect(status === 200 ? ['deleting'] : ['deleting', 'gone']).toContain(ended.result.state);
      });

      it.each([
        { apiVersion: `${group}/v9`, kind: 'Nothing', code: 'KIND_NOT_SERVED', reason: 'nobody knows the kind' },
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          code: 'NAMESPACE_MISSING',
          reason: 'it would have to be in a namespace',
        },
      ])('refuses with $code: $reason', async ({ apiVersion, kind, code }) => {
        const refused = await removes(object(apiVersion, kind, 'nothing'));
        expect(refused).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' }, findings: [{ code }] });
      });

      it('refuses a namespace that every cluster needs', async () => {
        const refused = await removes(object('v1', 'Namespace', 'kube-system'));
        expect(refused).toMatchObject({ status: 'Failed' });
        expect(refused.findings).toContainEqual(expect.objectContaining({ code: 'NAMESPACE_RESERVED' }));
      });
    });

    describe('what is in the cluster', () => {
      interface ShownKind {
        kind: string;
        /** The field of GraphQL. */
        field: string;
        document: (objectName: string) => Manifest;
        properties: (objectName: string) => object;
      }
      const kinds: ShownKind[] = [
        {
          kind: 'Namespace',
          field: 'namespaces',
          document: (objectName) => object('v1', 'Namespace', objectName),
          properties: () => ({ metadata: expect.anything() }),
        },
        {
          kind: 'Node',
          field: 'nodes',
          document: (objectName) => object('v1', 'Node', objectName, { spec: { unschedulable: true } }),
          properties: () => ({ spec: expect.objectContaining({ unschedulable: true }) }),
        },
        {
          kind: 'Workload',
          field: 'workloads',
          document: (objectName) => deployment(objectName),
          properties: () => ({ spec: expect.objectContaining({ replicas: 0 }) }),
        },
        {
          kind: 'Service',
          field: 'services',
          document: (objectName) => service(objectName),
          properties: (objectName) => ({ spec: expect.objectContaining({ selector: { app: objectName } }) }),
        },
      ];
      const fleetKinds: ShownKind[] = [
        {
          kind: 'MemberCluster',
          field: 'memberClusters',
          document: (objectName) => {
            const identity = { kind: 'User', name: objectName, apiGroup: 'rbac.authorization.k8s.io' };
            return object(MEMBERS.groupVersion, 'MemberCluster', objectName, {
              spec: { identity, heartbeatPeriodSeconds: 60 },
            });
          },
          properties: () => ({ spec: expect.objectContaining({ heartbeatPeriodSeconds: 60 }) }),
        },
        {
          kind: 'ClusterResourcePlacement',
          field: 'clusterResourcePlacements',
          document: (objectName) => {
            const resourceSelectors = [{ group: '', version: 'v1', kind: 'Namespace', name: objectName }];
            return object(PLACEMENTS.groupVersion, 'ClusterResourcePlacement', objectName, {
              spec: { resourceSelectors, policy: { placementType: 'PickAll' } },
            });
          },
          properties: () => ({ spec: expect.objectContaining({ policy: expect.anything() }) }),
        },
      ];

      async function isShownWhileItIsThere({ kind, field, document, properties }: ShownKind): Promise<void> {
        const objectName = fresh(kind.toLowerCase());
        const given = document(objectName);
        await applied([given]);
        const item = await shown(kind, objectName);
        expect(item).toMatchObject({
          clusterUid: uid,
          namespace: given.metadata.namespace ?? null,
          properties: properties(objectName),
          freshness: { source: 'WATCH' },
        });
        const query = `query ($filter: KindFilter) { ${field}(filter: $filter) { nodes { uid name clusterUid } } }`;
        const asked = (): Promise<Answer> => stack.graphql(query, { filter: { cluster: uid, name: objectName } });
        const { body } = await asked();
        expect(body.errors).toBeUndefined();
        expect(body.data[field].nodes).toEqual([{ uid: item.uid, name: objectName, clusterUid: uid }]);

        if (kind === 'Namespace') return;
        expect(await removes(given)).toMatchObject({ status: 'Succeeded', result: { state: 'gone' } });
        await stack.until(`the end of ${objectName}`, async () => {
          const answer = await stack.api(`/v1/resources?cluster=${uid}&kind=${kind}&name=${objectName}`);
          return answer.body.items.length === 0;
        });
        expect((await asked()).body.data[field].nodes).toEqual([]);
      }

      it.each(kinds)('is shown by REST and GraphQL while it is there: $kind', isShownWhileItIsThere);

      it('hangs together in the graph', async () => {
        const web = fresh('web');
        await applied([deployment(web), service(web)]);
        await Promise.all([shown('Workload', web), shown('Service', web)]);
        const { body } = await stack.graphql(
          `query ($cluster: String) {
            attachedClusters(name: $cluster, first: 1) { nodes {
              uid
              namespaces(first: 1000) { name }
              workloads(first: 1000) { name }
              services(first: 1000) { name }
            } }
          }`,
          { cluster: clusterName },
        );
        expect(body.errors).toBeUndefined();
        const [cluster] = body.data.attachedClusters.nodes;
        expect(cluster.uid).toBe(uid);
        expect(cluster.namespaces).toContainEqual({ name: namespace });
        expect(cluster.workloads).toContainEqual({ name: web });
        expect(cluster.services).toContainEqual({ name: web });
        const lead = `query ($filter: KindFilter) {
          services(filter: $filter, first: 1) { nodes { workloads(first: 10) { name clusterUid } } }
        }`;
        const workloads = await stack.until('what the service leads to', async () => {
          const answer = await stack.graphql(lead, { filter: { cluster: uid, name: web } });
          const found = answer.body.data.services.nodes[0].workloads;
          return found.length > 0 && found;
        });
        expect(workloads).toEqual([{ name: web, clusterUid: uid }]);
      });

      const fleet = options.servesFleet ? it : it.skip;
      const why = options.servesFleet
        ? ''
        : ` (SKIPPED: the cluster serves no ${PLACEMENTS.groupVersion}; install the definitions of Fleet)`;
      fleet.each(fleetKinds)(`is shown by REST and GraphQL while it is there: $kind${why}`, isShownWhileItIsThere);

      fleet(`says of a member that it belongs to a fleet, and deletes it all the same${why}`, async () => {
        const member = fleetKinds[0]!.document(fresh('member'));
        await applied([member]);
        const ended = await removes(member);
        expect(ended).toMatchObject({ status: 'Succeeded', result: { state: 'gone' } });
        expect(ended.findings).toContainEqual(
          expect.objectContaining({ code: 'MEMBERSHIP_OF_FLEET', severity: 'warning' }),
        );
      });
    });
  });
}

/** Shows what was answered where it is another. */
function expectStatus({ status, body }: Answer, expected: number): void {
  expect(status === expected ? { status } : { status, body }).toEqual({ status: expected });
}

function object(
  apiVersion: string,
  kind: string,
  name: string,
  rest: Record<string, unknown> = {},
  namespace?: string,
): Manifest {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, ...rest };
}

function isNamespace({ apiVersion, kind }: Manifest): boolean {
  return apiVersion === 'v1' && kind === 'Namespace';
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

async function mayCreateConfigMaps(cluster: DirectCluster, namespace: string): Promise<boolean> {
  const resourceAttributes = { verb: 'create', group: '', resource: 'configmaps', namespace };
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  };
  const { body } = await cluster.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review);
  return body.status.allowed;
}

async function servesFleet(direct: DirectCluster): Promise<boolean> {
  const served = await Promise.all(
    [PLACEMENTS, MEMBERS].map(({ groupVersion, plural }) => direct.serves(groupVersion, plural)),
  );
  return served.every(Boolean);
}

/** As somebody does who gets a cluster ready for it: past Pilothouse. */
async function installFleetDefinitions(direct: DirectCluster, stack: Stack): Promise<void> {
  for (const { groupVersion, plural } of [PLACEMENTS, MEMBERS]) {
    const file = path.join(FLEET_DEFINITIONS, `${groupVersion.replace('/v1', '')}_${plural}.yaml`);
    const route = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const { status } = await direct.request('POST', route, load(await readFile(file, 'utf8')));
    expect(status).toBe(201);
  }
  await stack.until('the definitions of Fleet', () => servesFleet(direct));
}

describeAttachedCluster('a cluster of the simulator, attached by its kubeconfig', {
  // It is no member yet: nobody else makes anything of Fleet in it.
  kubeconfig: async (stack) => (await stack.simulator('/kubeconfig?cluster=demo-aks02&user=admin')).body,
  prepare: installFleetDefinitions,
  servesFleet: true,
});

const { TEST_KUBECONFIG } = process.env;

if (TEST_KUBECONFIG === undefined || TEST_KUBECONFIG === '') {
  const why =
    'SKIPPED, since TEST_KUBECONFIG is not set: the same operations against a real API server. Run them with `TEST_KUBECONFIG=<path of a kubeconfig> npm run test:e2e -- attached-cluster`.';
  console.warn(why);
  const kubeconfig = (): Promise<string> => Promise.reject(new Error(why));
  describeAttachedCluster(why, { kubeconfig, servesFleet: true }, describe.skip);
} else {
  const kubeconfig = readKubeconfig(TEST_KUBECONFIG);
  const direct = DirectCluster.of(kubeconfig);
  const { server, 'insecure-skip-tls-verify': isUnchecked } = direct.parts.cluster;
  const serves = await servesFleet(direct);
  await direct.close();
  if (!serves) console.warn(`SKIPPED: what needs the definitions of Fleet, which ${server} does not serve.`);
  describeAttachedCluster(`the cluster of TEST_KUBECONFIG, ${server}`, {
    kubeconfig: () => Promise.resolve(kubeconfig),
    servesFleet: serves,
    environment: isUnchecked === true ? { KUBERNETES_ALLOW_INSECURE_TLS: 'true' } : {},
  });
}
