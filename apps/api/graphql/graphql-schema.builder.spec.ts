import { describe, expect, it } from '@jest/globals';
import { printSchema, printType } from 'graphql';
import { z } from 'zod';
import type { KindDefinition } from '#libs/systems/contract/kind-definition.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { fakeRegistry } from '../../../test/api/fake-systems.js';
import { buildGraphqlSchema } from './graphql-schema.builder.js';

function kindOf(name: string, properties: z.ZodObject, relations: KindDefinition['relations'] = []): KindDefinition {
  return { name, description: `${name}.`, properties, describe: () => ({}), relations };
}

function schemaOf(...kinds: KindDefinition[]) {
  return buildGraphqlSchema(
    new SystemRegistry([{ name: 'test', kinds, collectors: [], watchers: [], operations: [] }]),
  );
}

describe('buildGraphqlSchema', () => {
  const schema = buildGraphqlSchema(fakeRegistry());

  it('gives each kind a type with its properties and relations, and a connection', () => {
    const harbour = printType(schema.getType('Harbour')!);
    expect(harbour).toContain('type Harbour implements Resource {');
    expect(harbour).toMatch(/ships\([^)]*first: Int = 100\s*\): \[Ship!\]!/);
    expect(printType(schema.getType('Ship')!)).toMatch(/harbour: Harbour\n/);
    expect(Object.keys(schema.getQueryType()!.getFields())).toEqual([
      'resource',
      'resources',
      'harbours',
      'ships',
      'resourceGraph',
      'resourceHistory',
      'operation',
      'operations',
      'operationSet',
      'operationSets',
      'operationSetItems',
      'operationTypes',
      'budgets',
      'auditEvents',
      'auditCheckpoints',
      'changes',
    ]);
  });

  it('gives each operation type a mutation', () => {
    expect(Object.keys(schema.getMutationType()!.getFields())).toEqual([
      'shipDock',
      'harbourClose',
      'cancelOperation',
      'approveOperation',
      'rejectOperation',
      'startOperationSet',
      'pauseOperationSet',
      'resumeOperationSet',
      'approveOperationSet',
      'stopOperationSet',
      'retryOperationSet',
    ]);
    expect(
      printType(schema.getType('ShipDockInput')!)
        .replaceAll(/\s*"""[^]*?"""/g, '')
        .trim(),
    ).toBe(
      'input ShipDockInput {\n  ship: String!\n  harbour: String!\n  quay: String\n  tugs: Int\n  cargo: [ShipDockCargoInput!]\n  labels: JSON\n}',
    );
  });

  it('is the same each time', () => {
    expect(printSchema(buildGraphqlSchema(fakeRegistry()))).toBe(printSchema(schema));
  });

  it('describes everything that it shows', () => {
    const undescribed = Object.values(schema.getTypeMap())
      .filter((type) => !type.name.startsWith('__') && !['Query', 'Mutation', 'Subscription'].includes(type.name))
      .filter((type) => (type.description ?? '') === '')
      .map((type) => type.name);
    expect(undescribed).toEqual([]);
  });

  it('takes a property that is the same as a common field for that field', () => {
    const made = schemaOf(kindOf('Thing', z.object({ location: z.string().nullable() })));
    expect(printType(made.getType('Thing')!).match(/ location: String/g)).toHaveLength(1);
  });

  it.each([
    {
      kinds: [kindOf('Thing', z.object({ location: z.int() }))],
      reason: 'a property with the name of a common field and another type',
    },
    {
      kinds: [
        kindOf('Thing', z.object({ other: z.string() }), [
          { name: 'other', description: 'o', type: 'owns', direction: 'outgoing', kind: 'Thing', cardinality: 'one' },
        ]),
      ],
      reason: 'a relation with the name of a property',
    },
    {
      kinds: [
        kindOf('Thing', z.object({}), [
          { name: 'tags', description: 't', type: 'owns', direction: 'outgoing', kind: 'Thing', cardinality: 'many' },
        ]),
      ],
      reason: 'a relation with the name of a common field',
    },
    { kinds: [kindOf('Operation', z.object({}))], reason: 'a kind with the name of a type of ours' },
    { kinds: [kindOf('Resource', z.object({}))], reason: 'a kind with the name of the interface' },
    {
      kinds: [
        kindOf('A', z.object({ part: z.object({ x: z.int() }).meta({ id: 'SamePart' }) })),
        kindOf('B', z.object({ part: z.object({ y: z.int() }).meta({ id: 'SamePart' }) })),
      ],
      reason: 'two types of one name',
    },
  ])('refuses at boot: $reason', ({ kinds }) => {
    expect(() => schemaOf(...kinds)).toThrow();
  });
});
