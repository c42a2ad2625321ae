import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { trackUpdate } from './managed-fields.js';
import { SchemaCatalog } from './schema.catalog.js';
import { serverSideApply, type ApplyOutcome } from './server-side-apply.js';
import type { StructuralSchema } from './structural.schema.js';

/** A custom resource with one list of each kind. */
const schema: StructuralSchema = {
  type: 'object',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: {
      type: 'object',
      properties: {
        name: { type: 'string' },
        uid: { type: 'string' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
      },
    },
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        owner: { type: 'object', properties: { name: { type: 'string' }, mail: { type: 'string' } } },
        place: { type: 'object', additionalProperties: { type: 'string' }, 'x-kubernetes-map-type': 'atomic' },
        atoms: { type: 'array', items: { type: 'string' } },
        words: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name', 'side'],
          items: {
            type: 'object',
            properties: {
              name: { type: 'string' },
              side: { type: 'string', default: 'left' },
              weight: { type: 'integer' },
            },
          },
        },
      },
    },
  },
};

function thing(spec: JsonObject, labels?: JsonObject): JsonObject {
  return {
    apiVersion: 'x/v1',
    kind: 'Thing',
    metadata: { name: 't', ...(labels === undefined ? {} : { labels }) },
    spec,
  };
}

function outcomeOf(manager: string, live: JsonObject | undefined, applied: JsonObject, force = false): ApplyOutcome {
  return serverSideApply({
    schema,
    live,
    applied,
    manager,
    force,
    time: '2026-01-01T00:00:00Z',
    apiVersion: 'x/v1',
    subresource: undefined,
  });
}

function apply(manager: string, live: JsonObject | undefined, applied: JsonObject, force = false): JsonObject {
  const outcome = outcomeOf(manager, live, applied, force);
  if (outcome.outcome !== 'applied') throw new Error(JSON.stringify(outcome));
  return outcome.object;
}

function fieldsOf(object: JsonObject, manager: string): Json | undefined {
  const entries = ((object.metadata as JsonObject).managedFields ?? []) as JsonObject[];
  return entries.find((entry) => entry.manager === manager)?.fieldsV1;
}

describe('serverSideApply', () => {
  it('owns what it applied, keys and values of lists included', () => {
    const object = apply('a', undefined, thing({ words: ['x'], parts: [{ name: 'p', weight: 1 }], place: { k: 'v' } }));
    expect(fieldsOf(object, 'a')).toEqual({
      'f:spec': {
        'f:parts': { 'k:{"name":"p","side":"left"}': { '.': {}, 'f:name': {}, 'f:weight': {} } },
        'f:place': {},
        'f:words': { 'v:"x"': {} },
      },
    });
  });

  const removals: { first: JsonObject; second: JsonObject; result: JsonObject; reason: string }[] = [
    { first: { size: 1, atoms: ['a'] }, second: { size: 1 }, result: { size: 1 }, reason: 'a list that is one value' },
    { first: { words: ['a', 'b'] }, second: { words: ['b'] }, result: { words: ['b'] }, reason: 'a value of a set' },
    {
      first: { parts: [{ name: 'a' }, { name: 'b' }] },
      second: { parts: [{ name: 'b' }] },
      result: { parts: [{ name: 'b' }] },
      reason: 'an item of an associative list',
    },
    {
      first: { owner: { name: 'n', mail: 'm' } },
      second: { owner: { name: 'n' } },
      result: { owner: { name: 'n' } },
      reason: 'a member of a member',
    },
  ];
  it.each(removals)('removes what it does not apply any more: $reason', ({ first, second, result }) => {
    expect(apply('a', apply('a', undefined, thing(first)), thing(second)).spec).toEqual(result);
  });

  it('leaves what somebody else applied too', () => {
    const shared = apply('b', apply('a', undefined, thing({ size: 1, words: ['x'] })), thing({ size: 1 }));
    expect(apply('a', shared, thing({ words: ['x'] })).spec).toEqual({ size: 1, words: ['x'] });
  });

  it('leaves what nobody applied', () => {
    const live = apply('a', undefined, thing({ owner: { name: 'n' } }));
    const touched = { ...live, spec: { owner: { name: 'n', mail: 'defaulted' } } };
    expect(apply('a', touched, thing({ size: 1, owner: {} })).spec).toEqual({ size: 1, owner: { mail: 'defaulted' } });
  });

  it('does not conflict over the same value', () => {
    const shared = apply('b', apply('a', undefined, thing({ size: 1 })), thing({ size: 1 }));
    expect(fieldsOf(shared, 'a')).toEqual(fieldsOf(shared, 'b'));
  });

  it('names every conflict by manager and field, and only force takes over', () => {
    const live = apply('a', undefined, thing({ size: 1, parts: [{ name: 'p', weight: 1 }] }, { team: 'a' }));
    const wanted = thing({ size: 2, parts: [{ name: 'p', weight: 2 }] }, { team: 'b' });
    const outcome = outcomeOf('b', live, wanted);
    expect(outcome.outcome === 'conflict' && outcome.conflicts.map(({ field }) => field)).toEqual([
      '.metadata.labels.team',
      '.spec.parts[name="p",side="left"].weight',
      '.spec.size',
    ]);
    const taken = apply('b', live, wanted, true);
    expect(taken.spec).toEqual(wanted.spec);
    expect(fieldsOf(taken, 'a')).toEqual({
      'f:spec': { 'f:parts': { 'k:{"name":"p","side":"left"}': { '.': {}, 'f:name': {} } } },
    });
  });

  it('conflicts with an updater, and takes what was made before anybody tracked it', () => {
    const update = {
      schema,
      manager: 'u',
      operation: 'Update' as const,
      time: '2026-01-01T00:00:00Z',
      apiVersion: 'x/v1',
    };
    const updated = trackUpdate({ ...update, before: undefined, after: thing({ size: 1 }), subresource: undefined });
    expect(outcomeOf('a', updated, thing({ size: 2 }))).toMatchObject({
      outcome: 'conflict',
      conflicts: [{ manager: 'u', operation: 'Update', time: '2026-01-01T00:00:00Z', field: '.spec.size' }],
    });
    expect(outcomeOf('a', thing({ size: 1 }), thing({ size: 2 }))).toMatchObject({
      conflicts: [{ manager: 'before-first-apply' }],
    });
  });

  const untyped: { spec: JsonObject; message: string; reason: string }[] = [
    { spec: { colour: 'red' }, message: '.spec.colour: field not declared in schema', reason: 'unknown' },
    { spec: { words: ['a', 'a'] }, message: '.spec.words: duplicate entries for key [="a"]', reason: 'twice in a set' },
    {
      spec: { parts: [{ name: 'a' }, { name: 'a', side: 'left' }] },
      message: '.spec.parts: duplicate entries for key [name="a",side="left"]',
      reason: 'the same key by its default',
    },
    {
      spec: { size: 'big' },
      message: '.spec.size: expected numeric (int or float), got string',
      reason: 'of another type',
    },
    {
      spec: { colour: 1, shape: 2 },
      message: 'errors:\n  .spec.colour: field not declared in schema\n  .spec.shape: field not declared in schema',
      reason: 'several at once',
    },
  ];
  it.each(untyped)('refuses what is $reason', ({ spec, message }) => {
    expect(outcomeOf('a', undefined, thing(spec))).toEqual({ outcome: 'untyped', message });
  });

  it('keeps the applied order of an associative list and what others have put between', () => {
    const live = apply('a', undefined, thing({ parts: [{ name: 'a' }, { name: 'b' }] }));
    const both = apply('b', live, thing({ parts: [{ name: 'c' }] }));
    const reordered = apply('a', both, thing({ parts: [{ name: 'b' }, { name: 'a' }] }));
    expect((reordered.spec as { parts: JsonObject[] }).parts.map(({ name }) => name)).toEqual(['b', 'a', 'c']);
  });

  const name = fc.constantFrom('a', 'b', 'c');
  const spec = fc
    .record(
      {
        size: fc.nat(2),
        owner: fc.record({ name, mail: name }, { requiredKeys: [] }),
        place: fc.dictionary(name, name, { minKeys: 1 }),
        atoms: fc.array(name),
        words: fc.uniqueArray(name),
        parts: fc
          .uniqueArray(name)
          .chain((names) => fc.tuple(...names.map((one) => fc.record({ name: fc.constant(one), weight: fc.nat(1) })))),
      },
      { requiredKeys: [] },
    )
    .map((value) => value as unknown as JsonObject);

  it('changes nothing when the same is applied again', () => {
    fc.assert(
      fc.property(spec, spec, (first, second) => {
        const live = apply('b', apply('a', undefined, thing(first)), thing(second), true);
        const again = apply('b', live, thing(second));
        expect(again).toBe(live);
      }),
    );
  });

  it('gives a single manager exactly what it applied last', () => {
    const withoutEmpty = (value: JsonObject): JsonObject =>
      Object.fromEntries(
        Object.entries(value).filter(
          ([, member]) => Object.keys(Object(member)).length > 0 || typeof member === 'number',
        ),
      );
    fc.assert(
      fc.property(spec, spec, (first, second) => {
        const object = apply('a', apply('a', undefined, thing(first)), thing(second));
        expect(withoutEmpty(object.spec as JsonObject)).toEqual(withoutEmpty(second));
      }),
    );
  });

  it('never changes its arguments, and always gives the forcing manager its way', () => {
    fc.assert(
      fc.property(spec, spec, (first, second) => {
        const live = apply('a', undefined, thing(first));
        const before = structuredClone(live);
        const forced = apply('b', live, thing(second), true);
        expect(live).toEqual(before);
        expect(outcomeOf('b', forced, thing(second)).outcome).toBe('applied');
        if (second.size !== undefined) expect((forced.spec as JsonObject).size).toBe(second.size);
      }),
    );
  });
});

describe('trackUpdate', () => {
  const base = { schema, operation: 'Update' as const, apiVersion: 'x/v1', subresource: undefined };
  const created = trackUpdate({ ...base, before: undefined, after: thing({ size: 1 }), manager: 'a', time: '1' });

  it('keeps everything when nothing changes', () => {
    expect(trackUpdate({ ...base, before: created, after: created, manager: 'b', time: '2' })).toEqual(created);
  });

  it('moves a field to whoever changed it last', () => {
    const after = { ...created, spec: { size: 2 } };
    const tracked = trackUpdate({ ...base, before: created, after, manager: 'b', time: '2' });
    expect(fieldsOf(tracked, 'a')).toEqual({ 'f:spec': {} });
    expect(fieldsOf(tracked, 'b')).toEqual({ 'f:spec': { 'f:size': {} } });
  });

  it('takes removed fields from everybody', () => {
    const tracked = trackUpdate({ ...base, before: created, after: { ...created, spec: {} }, manager: 'b', time: '2' });
    expect(fieldsOf(tracked, 'a')).toEqual({ 'f:spec': {} });
    expect(fieldsOf(tracked, 'b')).toBeUndefined();
  });

  it('has an entry for each subresource', () => {
    const after = { ...created, spec: { size: 3 } };
    const tracked = trackUpdate({
      ...base,
      before: created,
      after,
      manager: 'a',
      time: undefined,
      subresource: 'scale',
    });
    const entries = (tracked.metadata as { managedFields: JsonObject[] }).managedFields;
    expect(entries.map(({ manager, subresource, time }) => [manager, subresource, time])).toEqual([
      ['a', 'scale', undefined],
      ['a', undefined, '1'],
    ]);
  });

  it('lets a client reset the entries, and does not begin again by itself', () => {
    const metadata = { ...(created.metadata as JsonObject), managedFields: [{}] };
    const reset = trackUpdate({ ...base, before: created, after: { ...created, metadata }, manager: 'a', time: '2' });
    expect((reset.metadata as JsonObject).managedFields).toBeUndefined();
    const changed = trackUpdate({ ...base, before: reset, after: { ...reset, spec: {} }, manager: 'a', time: '3' });
    expect((changed.metadata as JsonObject).managedFields).toBeUndefined();
  });

  it('does not own the empty structs of a built-in kind', () => {
    const deployment = new SchemaCatalog().find('apps', 'v1', 'Deployment')!;
    const after = { spec: { template: { spec: { containers: [{ name: 'a', resources: {} }] } } } };
    const tracked = trackUpdate({ ...base, schema: deployment, before: undefined, after, manager: 'a', time: '1' });
    expect(fieldsOf(tracked, 'a')).toEqual({
      'f:spec': {
        'f:template': {
          'f:spec': { 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:resources': {} } } },
        },
      },
    });
  });
});
