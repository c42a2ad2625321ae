import { describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Secret } from '#libs/kernel/secret.js';
import { apiResource, FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { watchedCluster, watchedFleet } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import type { StepOutcome } from '../contract/operation-definition.js';
import { applyManifestOperation } from './manifest-apply.operations.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const invalid = fakeRefusal('KUBERNETES_REJECTED', 'Invalid', 'is invalid');
const down = new ControlError('KUBERNETES_UNAVAILABLE', 'down', { retry: { kind: 'after', seconds: 5 } });

function world(manifest: string, input: JsonObject = {}, onHub = false) {
  const kube = new FakeKube();
  const { id, kind, uid } = onHub ? watchedFleet() : watchedCluster();
  const cluster = kube.cluster(uid);
  if (!onHub) cluster.withdraw(PLACEMENT);
  const operation = applyManifestOperation(kube);
  const parsed = operation.input.parse({ cluster: id, manifest, ...input });
  const references = { cluster: targetOf(id, kind) };
  const context = contextOf(operation, parsed, references);
  const step = (resumeToken?: Secret): Promise<StepOutcome> =>
    operation.steps[0]!.run({ ...context, input: parsed, resumeToken, attempt: 1 });
  return {
    kube,
    cluster,
    step,
    target: () => operation.target(parsed, references),
    preflight: () => operation.preflight({ ...context, input: parsed }),
    plan: () => operation.plan!({ ...context, input: parsed }),
    verify: (outcome: StepOutcome) =>
      operation.verify({ ...context, input: parsed, outputs: { apply: outputOf(outcome) } }),
  };
}

function outputOf(outcome: StepOutcome) {
  if ((outcome.outcome === 'done' || outcome.outcome === 'failed') && outcome.output !== undefined)
    return outcome.output;
  throw new Error(`No output in ${outcome.outcome}`);
}

function tokenOf(outcome: StepOutcome): Secret {
  if (outcome.outcome !== 'wait' || outcome.resumeToken === undefined)
    throw new Error(`No token in ${outcome.outcome}`);
  return outcome.resumeToken;
}

function configMap(name: string, value = 'b'): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: web}\ndata: {a: ${value}}\n`;
}

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n';
const deployment =
  'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: web}\nspec: {replicas: 2}\n';
const nonsense = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Upper}\n';
const both = [configMap('a'), configMap('b')].join('---\n');

describe('kubernetes.manifest.apply: checks before it starts', () => {
  it.each<{ manifest: string; input?: JsonObject; onHub?: boolean; found: string[]; reason: string }>([
    { manifest: configMap('a'), found: [], reason: 'all is well' },
    { manifest: '# nothing', found: ['MANIFEST_EMPTY:error'], reason: 'there is nothing in it' },
    {
      manifest: [configMap('a'), nonsense, 'b: ['].join('---\n'),
      found: ['NAME_INVALID:error', 'MALFORMED_DOCUMENT:error'],
      reason: 'each bad document is said',
    },
    {
      manifest: [configMap('a'), nonsense].join('---\n'),
      input: { onInvalid: 'skip' },
      found: ['NAME_INVALID:warning'],
      reason: 'a bad one is to be left out',
    },
    {
      manifest: nonsense,
      input: { onInvalid: 'skip' },
      found: ['NAME_INVALID:error'],
      reason: 'nothing would be left',
    },
    {
      manifest: [configMap('a'), 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n'].join('---\n'),
      found: [],
      reason: 'a secret without values is like any other object',
    },
    { manifest: deployment, onHub: true, found: ['HELD_ON_HUB:info'], reason: 'hubs run nothing' },
    {
      manifest: 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n',
      onHub: true,
      found: ['POD_ON_HUB:error'],
      reason: 'hubs refuse pods',
    },
    {
      manifest: 'apiVersion: fleet.azure.com/v1alpha1\nkind: ClusterResourcePlacement\nmetadata: {name: p}\nspec: {}\n',
      onHub: true,
      found: ['OUTDATED_FLEET_API:error'],
      reason: 'the preview is gone',
    },
  ])('$found: $reason', async ({ manifest, input, onHub, found }) => {
    const findings = await world(manifest, input, onHub).preflight();
    expect(findings.map(({ code, severity }) => `${code}:${severity}`)).toEqual(found);
  });

  it('says which document it is, and where', async () => {
    const findings = await world([configMap('a'), nonsense].join('---\n')).preflight();
    expect(findings).toMatchObject([
      { evidence: { document: 1, path: 'documents[1].metadata.name', line: 6, kind: 'ConfigMap', name: 'Upper' } },
    ]);
  });

  it('answers an old placement with what to write today', async () => {
    const terms = [{ labelSelector: { matchLabels: { a: 'b' } } }];
    const old = {
      apiVersion: 'placement.kubernetes-fleet.io/v1',
      kind: 'ClusterResourcePlacement',
      metadata: { name: 'p' },
      spec: { policy: { affinity: { clusterAffinity: { clusterSelectorTerms: terms } } } },
    };
    const [finding] = await world(JSON.stringify(old), {}, true).preflight();
    expect(finding).toMatchObject({ code: 'OUTDATED_PLACEMENT_SHAPE', severity: 'error' });
    expect(load(finding?.evidence.replacement as string)).toMatchObject({
      spec: {
        policy: {
          placementType: 'PickAll',
          affinity: {
            clusterAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { clusterSelectorTerms: terms } },
          },
        },
      },
    });
  });

  it('names the other manager and its fields', async () => {
    const { cluster, preflight } = world(configMap('a', 'c'));
    cluster.add({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'web' }, data: { a: 'b' } });
    cluster.ownField({}, 'helm', '.data.a');
    expect(await preflight()).toMatchObject([
      {
        code: 'FIELD_CONFLICT',
        severity: 'error',
        evidence: { conflicts: [{ manager: 'helm', fields: ['.data.a'] }] },
      },
    ]);
  });

  it('says what is checked later, what the server warns of, and that nothing would change', async () => {
    const { cluster, preflight, step } = world([namespace, configMap('a')].join('---\n'));
    const missing = fakeRefusal('KUBERNETES_NOT_FOUND', 'NotFound', 'namespaces "web" not found');
    cluster.refuse((request) => request.verb === 'apply' && request.namespace === 'web', missing, true);
    cluster.warn({ kind: 'Namespace' }, 'deprecated');
    const codes = (findings: { code: string }[]): string[] => findings.map(({ code }) => code);
    expect(codes(await preflight())).toEqual(['SERVER_WARNING', 'CHECKED_LATER']);
    await step();
    expect(codes(await preflight())).toEqual(['SERVER_WARNING', 'NOTHING_TO_CHANGE']);
  });

  it('blames no document when the cluster cannot be asked', async () => {
    const { cluster, preflight } = world(configMap('a'));
    cluster.refuse({ verb: 'apply' }, down);
    await expect(preflight()).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
  });
});

describe('kubernetes.manifest.apply: what is never stored', () => {
  const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n';
  it.each([
    { manifest: secret, reason: 'a secret with its values' },
    { manifest: [configMap('a'), secret].join('---\n'), reason: 'among others' },
    { manifest: secret.replace('kind: Secret', 'kind: "\\x53ecret"'), reason: 'in other letters' },
    { manifest: secret.replace('hunter2}', 'hunter2'), reason: 'one that cannot be read' },
  ])('refuses the request itself: $reason', ({ manifest }) => {
    let refusal: unknown;
    try {
      world(manifest);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'INVALID_REQUEST', violations: [{ code: 'SECRET_IN_MANIFEST' }] });
    expect(JSON.stringify(refusal)).not.toContain('hunter2');
  });

  it('does so where the others are to be applied, too', () => {
    expect(() => world([configMap('a'), secret].join('---\n'), { onInvalid: 'skip' })).toThrow(ControlError);
  });
});

describe('kubernetes.manifest.apply: locks', () => {
  it('lets no two manifests run on one cluster, but anything else of it', () => {
    const [one, two, hub] = [world(configMap('a')), world(configMap('b')), world(configMap('a'), {}, true)];
    expect(one.target().lock).toBe(two.target().lock);
    expect(one.target().lock).not.toBe(hub.target().lock);
    expect(one.target().lock).not.toBe(one.target().id.toLowerCase());
  });
});

describe('kubernetes.manifest.apply: the plan', () => {
  it('shows the difference, and changes nothing', async () => {
    const { kube, cluster, plan } = world([both, nonsense].join('---\n'));
    cluster.add({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'web' }, data: { a: 'x' } });
    expect(await plan()).toMatchObject({
      documents: [
        { document: 0, action: 'change', difference: [{ path: '.data.a', before: 'x', after: 'b' }] },
        { document: 1, action: 'create' },
        { document: 2, action: 'refused', code: 'NAME_INVALID' },
      ],
    });
    expect(kube.writes()).toEqual([]);
  });

  it('cuts what is too long to be read', async () => {
    const { plan } = world(configMap('a', 'x'.repeat(10_000)));
    const { length } = JSON.stringify(await plan());
    expect(length).toBeLessThan(5000);
  });

  it('says what will be seen later only', async () => {
    const { cluster, plan } = world([namespace, configMap('a')].join('---\n'));
    const missing = fakeRefusal('KUBERNETES_NOT_FOUND', 'NotFound', 'namespaces "web" not found');
    cluster.refuse((request) => request.verb === 'apply' && request.namespace === 'web', missing);
    expect(await plan()).toMatchObject({ documents: [{ action: 'create' }, { action: 'later' }] });
  });
});

describe('kubernetes.manifest.apply: the step', () => {
  it('applies, reports and reads back', async () => {
    const { step, verify } = world(both);
    const outcome = await step();
    expect(outcome).toMatchObject({
      outcome: 'done',
      output: {
        documents: [
          { outcome: 'created', name: 'a' },
          { outcome: 'created', name: 'b' },
        ],
      },
    });
    expect(await verify(outcome)).toMatchObject({
      verdict: 'reached',
      result: { applied: 2, changed: 2, leftOut: 0, documents: [{ outcome: 'created' }, { outcome: 'created' }] },
    });
  });

  it('ends with the account of what was done when a later document is refused', async () => {
    const { cluster, step } = world([both, configMap('c')].join('---\n'));
    cluster.refuse({ verb: 'apply', name: 'b' }, invalid);
    expect(await step()).toMatchObject({
      outcome: 'failed',
      error: {
        code: 'KUBERNETES_REJECTED',
        externalCode: 'DOCUMENT_REFUSED',
        violations: [{ path: 'documents[1]', code: 'DOCUMENT_REFUSED' }],
      },
      output: { documents: [{ outcome: 'created' }, { outcome: 'refused' }, { outcome: 'not-attempted' }] },
    });
  });

  it('is done where the others were to be applied, and one was', async () => {
    const { cluster, step, verify } = world(both, { onInvalid: 'skip' });
    cluster.refuse({ verb: 'apply', name: 'b', dryRun: false }, invalid);
    const outcome = await step();
    expect(outcome).toMatchObject({
      outcome: 'done',
      output: { documents: [{ outcome: 'created' }, { outcome: 'refused' }] },
    });
    expect(await verify(outcome)).toMatchObject({ verdict: 'reached', result: { applied: 1, leftOut: 1 } });
  });

  it('has failed where the others were to be applied, and none was', async () => {
    const { cluster, step } = world(both, { onInvalid: 'skip' });
    cluster.refuse({ verb: 'apply' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'configmaps is forbidden'));
    expect(await step()).toMatchObject({ outcome: 'failed', error: { code: 'KUBERNETES_FORBIDDEN' } });
  });

  it('waits while the server is away, and keeps its account', async () => {
    const { cluster, step } = world(both);
    cluster.refuse({ verb: 'apply', name: 'b' }, down, true);
    const first = await step();
    expect(first).toMatchObject({ outcome: 'wait', retryAfterSeconds: 5 });
    expect(await step(tokenOf(first))).toMatchObject({
      outcome: 'done',
      output: { documents: [{ outcome: 'created' }, { outcome: 'created' }] },
    });
  });

  it('gives up, with its account, on a server that stays away', async () => {
    const { cluster, step } = world(both);
    cluster.refuse({ verb: 'apply', name: 'b' }, down);
    let outcome = await step();
    for (let turn = 0; turn < 200 && outcome.outcome === 'wait'; turn++) outcome = await step(tokenOf(outcome));
    expect(outcome).toMatchObject({
      outcome: 'failed',
      error: { code: 'KUBERNETES_UNAVAILABLE' },
      output: { documents: [{ outcome: 'created' }, { outcome: 'not-attempted' }] },
    });
  });

  it('gives up on a kind that never comes to be served', async () => {
    const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec: {group: example.org, names: {kind: Thing}}
`;
    const text = `${definition}---\napiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\n`;
    const { cluster, step } = world(text);
    let outcome = await step();
    for (let turn = 0; turn < 200 && outcome.outcome === 'wait'; turn++) outcome = await step(tokenOf(outcome));
    expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'KUBERNETES_TIMEOUT' } });
    cluster.serve(apiResource('example.org/v1', 'Thing', 'things'));
    expect(await step()).toMatchObject({ output: { documents: [{ outcome: 'unchanged' }, { outcome: 'created' }] } });
  });

  it('does no harm when it is run again after a crash', async () => {
    const { step, verify } = world(both);
    await step();
    const again = await step();
    expect(again).toMatchObject({ output: { documents: [{ outcome: 'unchanged' }, { outcome: 'unchanged' }] } });
    expect(await verify(again)).toMatchObject({ verdict: 'reached' });
  });
});

describe('kubernetes.manifest.apply: reading back', () => {
  const type = { group: '', kind: 'ConfigMap' };
  it.each<{ spoil: (kube: ReturnType<typeof world>) => void; verdict: string; reason: string }>([
    { spoil: () => undefined, verdict: 'reached', reason: 'as it was applied' },
    { spoil: ({ cluster }) => cluster.remove(type, 'web', 'a'), verdict: 'missed', reason: 'gone' },
    {
      spoil({ cluster }) {
        cluster.remove(type, 'web', 'a');
        cluster.add({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'a', namespace: 'web' },
          data: { a: 'b' },
        });
      },
      verdict: 'missed',
      reason: 'another object of the same name',
    },
    {
      spoil({ cluster }) {
        cluster.add({ ...cluster.object(type, 'web', 'a')!, data: { a: 'changed' } });
      },
      verdict: 'missed',
      reason: 'a field was changed',
    },
    {
      spoil({ cluster }) {
        cluster.add({ ...cluster.object(type, 'web', 'a')!, data: { a: 'b', more: 'x' } });
      },
      verdict: 'reached',
      reason: 'a field that the manifest says nothing of',
    },
    {
      spoil({ cluster }) {
        const object = cluster.object(type, 'web', 'a')!;
        cluster.add({ ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
      },
      verdict: 'missed',
      reason: 'on its way out',
    },
  ])('$verdict: $reason', async ({ spoil, verdict }) => {
    const made = world(configMap('a'));
    const outcome = await made.step();
    spoil(made);
    expect(await made.verify(outcome)).toMatchObject({ verdict });
  });

  it('reached: what admission made of it is what was applied', async () => {
    const { cluster, step, verify } = world(configMap('a'));
    const { documents } = outputOf(await step()) as { documents: JsonObject[] };
    cluster.add({ ...cluster.object(type, 'web', 'a')!, data: { a: 'admitted' } });
    // The report of a server whose admission did that within the request.
    const { resourceVersion = null } = cluster.object(type, 'web', 'a')!.metadata;
    const output = { documents: documents.map((report) => ({ ...report, resourceVersion })) };
    expect(await verify({ outcome: 'done', message: '', output })).toMatchObject({ verdict: 'reached' });
  });
});
