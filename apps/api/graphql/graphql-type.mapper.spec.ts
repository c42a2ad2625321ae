import { describe, expect, it } from '@jest/globals';
import { type GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, printType } from 'graphql';
import { z } from 'zod';
import { GraphqlTypeMapper, withoutRefusedNulls } from './graphql-type.mapper.js';

describe('GraphqlTypeMapper', () => {
  const place = z.object({ x: z.number() }).meta({ id: 'Place', description: 'A place.' });

  it.each([
    { schema: z.string(), output: 'String!', input: 'String!', reason: 'a text' },
    { schema: z.string().nullable(), output: 'String', input: 'String', reason: 'null is allowed' },
    { schema: z.string().optional(), output: 'String', input: 'String', reason: 'absence is null' },
    { schema: z.string().exactOptional(), output: 'String', input: 'String', reason: 'absence is null' },
    { schema: z.string().default('a'), output: 'String!', input: 'String', reason: 'a default is filled in' },
    {
      schema: z.string().trim().min(1).describe('d'),
      output: 'String!',
      input: 'String!',
      reason: 'checks change no type',
    },
    { schema: z.int(), output: 'Int!', input: 'Int!', reason: 'a whole number' },
    { schema: z.number().int().min(0), output: 'Int!', input: 'Int!', reason: 'written in the old way' },
    { schema: z.number(), output: 'Float!', input: 'Float!', reason: 'any number' },
    { schema: z.boolean(), output: 'Boolean!', input: 'Boolean!', reason: 'a flag' },
    { schema: z.uuid(), output: 'ID!', input: 'ID!', reason: 'an id' },
    { schema: z.iso.datetime(), output: 'DateTime!', input: 'DateTime!', reason: 'a moment' },
    { schema: z.url(), output: 'String!', input: 'String!', reason: 'other formats are texts' },
    {
      schema: z.array(z.string().nullable()),
      output: '[String]!',
      input: '[String]!',
      reason: 'a list of what may be null',
    },
    { schema: z.array(z.array(z.int())), output: '[[Int!]!]!', input: '[[Int!]!]!', reason: 'a list of lists' },
    { schema: z.record(z.string(), z.string()), output: 'JSON!', input: 'JSON!', reason: 'keys that are not known' },
    { schema: z.union([z.string(), z.int()]), output: 'JSON!', input: 'JSON!', reason: 'GraphQL has no such union' },
    { schema: z.unknown(), output: 'JSON', input: 'JSON', reason: 'anything, also null' },
    { schema: z.literal('a'), output: 'String!', input: 'String!', reason: 'one text' },
    { schema: z.enum(['a', 'b']), output: 'Thing!', input: 'Thing!', reason: 'an enum gets the name of its place' },
    { schema: z.enum(['a-b']), output: 'String!', input: 'String!', reason: 'what GraphQL cannot name stays a text' },
    { schema: z.enum(['true']), output: 'String!', input: 'String!', reason: 'a reserved word stays a text' },
    { schema: z.enum(['a']).meta({ id: 'Letter' }), output: 'Letter!', input: 'Letter!', reason: 'an id is a name' },
    { schema: place, output: 'Place!', input: 'PlaceInput!', reason: 'an object with an id' },
    {
      schema: place.describe('elsewhere').nullable(),
      output: 'Place',
      input: 'PlaceInput',
      reason: 'described anew it is the same',
    },
    { schema: z.object({ y: z.int() }), output: 'Thing!', input: 'ThingInput!', reason: 'an object without one' },
    {
      schema: z.string().transform(Number).pipe(z.int()),
      output: 'Int!',
      input: 'String!',
      reason: 'each side of a pipe',
    },
    { schema: z.lazy(() => place), output: 'Place!', input: 'PlaceInput!', reason: 'made later' },
  ])('makes $output of an output and $input of an input: $reason', ({ schema, output, input }) => {
    expect(String(new GraphqlTypeMapper().output(schema, 'Thing'))).toBe(output);
    expect(String(new GraphqlTypeMapper().input(schema, 'Thing'))).toBe(input);
  });

  it('names what has no name by the type and field that it stands in, and keeps descriptions', () => {
    const mapper = new GraphqlTypeMapper();
    const type = mapper.objectType(
      z.object({ inner: z.object({ deep: z.enum(['A']) }).describe('Inside.'), place: place.describe('Where.') }),
      'Outer',
    );
    expect(printType(type)).toBe(
      'type Outer {\n  """Inside."""\n  inner: OuterInner!\n\n  """Where."""\n  place: Place!\n}',
    );
    const inner = mapper.objectType(z.object({}), 'Unused');
    expect(inner).toBeInstanceOf(GraphQLObjectType);
  });

  it('gives the same type for the same schema', () => {
    const mapper = new GraphqlTypeMapper();
    const [first, second] = [place, place.describe('again')].map((schema) => mapper.objectType(schema, 'X'));
    expect(first).toBe(second);
  });

  it.each([
    { other: z.object({ z: z.int() }).meta({ id: 'Place' }), reason: 'another object under the same name' },
    {
      other: z.object({ x: z.number() }).meta({ id: 'Place' }),
      reason: 'even one that looks the same may change alone',
    },
  ])('refuses two schemas for one name: $reason', ({ other }) => {
    const mapper = new GraphqlTypeMapper();
    mapper.objectType(place, 'X');
    expect(() => mapper.objectType(other, 'X')).toThrow(TypeError);
    z.globalRegistry.remove(other);
  });

  it('puts a replacement wherever its schema stands', () => {
    const mapper = new GraphqlTypeMapper();
    const replacement = new GraphQLObjectType({ name: 'Replacement', fields: {} });
    mapper.replace(place, replacement);
    expect(String(mapper.output(z.array(place.describe('there')), 'X'))).toBe('[Replacement!]!');
  });

  it('makes enums whose values are what is sent', () => {
    const type = new GraphqlTypeMapper().input(z.enum(['On', 'Off']).optional(), 'Switch');
    expect((type as GraphQLEnumType).getValues().map(({ name, value }) => [name, value])).toEqual([
      ['On', 'On'],
      ['Off', 'Off'],
    ]);
  });

  it('makes input objects of the given name', () => {
    const type = new GraphqlTypeMapper().inputObjectType(
      z.object({ at: z.object({ y: z.int() }) }),
      'DoInput',
      'What is done.',
    );
    expect(type).toBeInstanceOf(GraphQLInputObjectType);
    expect(printType(type)).toBe('"""What is done."""\ninput DoInput {\n  at: DoAtInput!\n}');
  });
});

describe('withoutRefusedNulls', () => {
  const schema = z.object({
    needed: z.string(),
    maybe: z.string().optional(),
    nothing: z.string().nullable(),
    filled: z.int().default(1),
    inner: z.object({ maybe: z.string().optional() }).optional(),
    list: z.array(z.object({ maybe: z.string().optional() })).optional(),
    map: z.record(z.string(), z.unknown()).optional(),
  });

  it.each([
    { given: { maybe: null }, expected: {}, reason: 'null means absent where null is not taken' },
    { given: { nothing: null }, expected: { nothing: null }, reason: 'null is a value where it is taken' },
    { given: { filled: null }, expected: {}, reason: 'the default is filled in' },
    { given: { needed: null }, expected: {}, reason: 'the schema then says that it is missing' },
    { given: { inner: { maybe: null } }, expected: { inner: {} }, reason: 'also inside' },
    {
      given: { list: [{ maybe: null }, { maybe: 'a' }] },
      expected: { list: [{}, { maybe: 'a' }] },
      reason: 'also in lists',
    },
    { given: { map: { a: null } }, expected: { map: { a: null } }, reason: 'what is not known is not touched' },
    { given: { strange: null }, expected: { strange: null }, reason: 'the schema then says that it is not known' },
  ])('$reason', ({ given, expected }) => {
    expect(withoutRefusedNulls(schema, given)).toEqual(expected);
  });
});
