import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { apiResource, FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { applyManifest, type ApplicationOptions, type DocumentReport } from './manifest.application.js';
import { readManifest } from './manifest.placement.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };

function world() {
  const kube = new FakeKube();
  const cluster = kube.cluster('00000000-0000-4000-8000-000000000001').withdraw(PLACEMENT);
  const stop = new AbortController();
  const apply = (text: string, earlier: DocumentReport[] = [], options: Partial<ApplicationOptions> = {}) =>
    applyManifest(
      cluster,
      readManifest(text),
      { namespace: undefined, force: false, fieldValidation: 'Strict', onInvalid: 'refuse', ...options },
      earlier,
      { signal: stop.signal, correlationId: 'test' },
    );
  return { kube, cluster, apply, stop };
}

function configMap(name: string, value = 'b'): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: ${value}}\n`;
}

function outcomesOf({ reports }: { reports: DocumentReport[] }): string[] {
  return reports.map(({ outcome }) => outcome);
}

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';
const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec: {group: example.org, names: {kind: Thing, plural: things}}
`;
const thing = 'apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: one}\n';
const invalid = fakeRefusal('KUBERNETES_REJECTED', 'Invalid', 'is invalid');
const down = new ControlError('KUBERNETES_UNAVAILABLE', 'down', { retry: { kind: 'after', seconds: 5 } });

describe('applying a manifest', () => {
  it('applies what others stand on first, and reports in the order of the manifest', async () => {
    const { kube, apply } = world();
    const turn = await apply([configMap('a'), namespace].join('---\n'));
    expect(kube.writes()).toEqual(['apply Namespace shop', 'apply ConfigMap default/a']);
    expect(turn).toMatchObject({
      turn: 'finished',
      reports: [
        { index: 0, kind: 'ConfigMap', namespace: 'default', name: 'a', outcome: 'created', code: null },
        { index: 1, kind: 'Namespace', namespace: null, name: 'shop', outcome: 'created', line: 6 },
      ],
    });
    expect(turn.reports.every(({ uid, resourceVersion }) => uid !== null && resourceVersion !== null)).toBe(true);
  });

  it('tells created, changed and unchanged apart', async () => {
    const { apply } = world();
    await apply([configMap('same'), configMap('other')].join('---\n'));
    const turn = await apply([configMap('same'), configMap('other', 'c'), configMap('new')].join('---\n'));
    expect(outcomesOf(turn)).toEqual(['unchanged', 'changed', 'created']);
  });

  it('hands on what the server warns of', async () => {
    const { cluster, apply } = world();
    cluster.warn({ verb: 'apply' }, 'deprecated');
    expect((await apply(configMap('a'))).reports).toMatchObject([{ warnings: ['deprecated'] }]);
  });

  it.each([
    {
      onInvalid: 'refuse' as const,
      outcomes: ['not-attempted', 'refused'],
      writes: [],
      reason: 'one bad document and nothing is applied',
    },
    {
      onInvalid: 'skip' as const,
      outcomes: ['created', 'skipped'],
      writes: ['apply ConfigMap default/a'],
      reason: 'asked for',
    },
  ])('$onInvalid: $outcomes', async ({ onInvalid, outcomes, writes }) => {
    const { kube, apply } = world();
    const turn = await apply(`${configMap('a')}---\n${thing}`, [], { onInvalid });
    expect(turn.turn).toBe('finished');
    expect(outcomesOf(turn)).toEqual(outcomes);
    expect(turn.reports[1]).toMatchObject({ code: 'KIND_NOT_SERVED' });
    expect(kube.writes()).toEqual(writes);
  });

  it.each([
    { onInvalid: 'refuse' as const, outcomes: ['created', 'refused', 'not-attempted'], reason: 'it stops' },
    { onInvalid: 'skip' as const, outcomes: ['created', 'refused', 'created'], reason: 'the others go on' },
  ])('$onInvalid, where the server refuses the second of three: $reason', async ({ onInvalid, outcomes }) => {
    const { cluster, apply } = world();
    cluster.refuse({ verb: 'apply', name: 'b' }, invalid);
    const turn = await apply([configMap('a'), configMap('b'), configMap('c')].join('---\n'), [], { onInvalid });
    expect(outcomesOf(turn)).toEqual(outcomes);
    expect(turn.reports[1]).toMatchObject({ code: 'DOCUMENT_REFUSED', uid: null });
  });

  it('takes fields over only when it is told to', async () => {
    const { cluster, apply } = world();
    await apply(configMap('a'));
    cluster.ownField({ kind: 'ConfigMap' }, 'helm', '.data.a');
    const refused = await apply(configMap('a', 'c'));
    expect(refused.reports).toMatchObject([
      { outcome: 'refused', code: 'FIELD_CONFLICT', conflicts: [{ manager: 'helm', fields: ['.data.a'] }] },
    ]);
    expect(outcomesOf(await apply(configMap('a', 'c'), [], { force: true }))).toEqual(['changed']);
  });
});

describe('applying a manifest that is interrupted', () => {
  const text = [configMap('a'), configMap('b'), configMap('c')].join('---\n');

  it('waits for a server that is away, and goes on where it was', async () => {
    const { kube, cluster, apply } = world();
    cluster.refuse({ verb: 'apply', name: 'b' }, down, true);
    const first = await apply(text);
    expect(first).toMatchObject({ turn: 'waiting', reason: 'server', retryAfterSeconds: 5 });
    expect(outcomesOf(first)).toEqual(['created', 'not-attempted', 'not-attempted']);
    const second = await apply(text, first.reports);
    expect(outcomesOf(second)).toEqual(['created', 'created', 'created']);
    expect(kube.writes().filter((write) => write.endsWith('/a'))).toHaveLength(1);
  });

  it('reports what was applied when it cannot go on', async () => {
    const { cluster, apply } = world();
    cluster.refuse({ verb: 'apply', name: 'b' }, fakeRefusal('KUBERNETES_UNAUTHENTICATED', 'Unauthorized', 'who?'));
    const turn = await apply(text);
    expect(turn).toMatchObject({ turn: 'broken', error: { code: 'KUBERNETES_UNAUTHENTICATED' } });
    expect(outcomesOf(turn)).toEqual(['created', 'not-attempted', 'not-attempted']);
  });

  it('keeps its account when the worker is stopped', async () => {
    const { cluster, apply, stop } = world();
    cluster.react({ verb: 'apply', name: 'a' }, () => {
      stop.abort();
    });
    const turn = await apply(text);
    expect(turn).toMatchObject({ turn: 'waiting', reason: 'stopped', retryAfterSeconds: 0 });
    expect(outcomesOf(turn)).toEqual(['created', 'not-attempted', 'not-attempted']);
  });

  it('does no harm when it is run again after a crash that has lost its account', async () => {
    const { cluster, apply } = world();
    await apply(text);
    const versions = cluster.objects.map(({ metadata }) => metadata.resourceVersion);
    expect(outcomesOf(await apply(text))).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(cluster.objects.map(({ metadata }) => metadata.resourceVersion)).toEqual(versions);
  });

  it('lets a fault that nobody knows through', async () => {
    const { cluster, apply } = world();
    cluster.react({ verb: 'apply', name: 'a' }, () => {
      throw new TypeError('a fault of ours');
    });
    await expect(apply(text)).rejects.toThrow(TypeError);
  });
});

describe('applying documents that stand on others', () => {
  const text = [thing, definition].join('---\n');

  it('waits until a new kind is served', async () => {
    const { cluster, apply } = world();
    const first = await apply(text);
    expect(first).toMatchObject({ turn: 'waiting', reason: 'definition' });
    expect(outcomesOf(first)).toEqual(['not-attempted', 'created']);
    cluster.serve(apiResource('example.org/v1', 'Thing', 'things', { namespaced: false }));
    const second = await apply(text, first.reports);
    expect(second.turn).toBe('finished');
    expect(outcomesOf(second)).toEqual(['created', 'created']);
  });

  it('waits where a new kind is told of before it is served', async () => {
    const { cluster, apply } = world();
    cluster.serve(apiResource('example.org/v1', 'Thing', 'things', { namespaced: false }));
    const missing = fakeRefusal('KUBERNETES_NOT_FOUND', 'NotFound', 'the server could not find it');
    cluster.refuse({ verb: 'apply', kind: 'Thing' }, missing, true);
    const first = await apply(text);
    expect(first).toMatchObject({ turn: 'waiting', reason: 'definition' });
    expect(outcomesOf(await apply(text, first.reports))).toEqual(['created', 'created']);
    cluster.refuse({ verb: 'apply', kind: 'Thing' }, missing);
    expect(outcomesOf(await apply(thing))).toEqual(['refused']);
  });

  it('does not wait for a kind whose definition was refused', async () => {
    const { cluster, apply } = world();
    cluster.refuse({ verb: 'apply', kind: 'CustomResourceDefinition' }, invalid);
    const turn = await apply(text, [], { onInvalid: 'skip' });
    expect(turn.turn).toBe('finished');
    expect(turn.reports).toMatchObject([{ outcome: 'refused', code: 'KIND_NOT_SERVED' }, { outcome: 'refused' }]);
  });

  it('waits for the service account of a new namespace, and of no other', async () => {
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n';
    const { cluster, apply } = world();
    const message = 'error looking up service account shop/default: serviceaccount "default" not found';
    const missing = fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', message);
    cluster.refuse({ verb: 'apply', kind: 'Pod' }, missing, true);
    const both = [namespace, pod].join('---\n');
    const first = await apply(both);
    expect(first).toMatchObject({ turn: 'waiting' });
    expect(outcomesOf(await apply(both, first.reports))).toEqual(['created', 'created']);
    cluster.refuse({ verb: 'apply', kind: 'Pod' }, missing);
    expect(outcomesOf(await apply(pod))).toEqual(['refused']);
  });
});
