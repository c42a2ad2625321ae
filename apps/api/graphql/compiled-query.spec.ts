import { describe, expect, it } from '@jest/globals';
import {
  buildSchema,
  execute,
  Kind,
  getOperationAST,
  parse,
  validate,
  type ExecutionResult,
  type GraphQLFieldResolver,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';
import { CompiledQuery } from './compiled-query.js';

/*
 * The reference implementation is the measure: whatever a query asks for and however it fails, both must answer the same.
 */

interface Thing {
  __typename: string;
  [member: string]: unknown;
}

const leaf: Thing = {
  __typename: 'Leaf',
  id: 7,
  name: 'leaf',
  count: 3,
  flag: true,
  ratio: 0.5,
  colour: 'RED',
  broken: 'not a number',
  nothing: null,
  member: () => 'made',
};

const tree: Thing = {
  __typename: 'Tree',
  name: 'tree',
  leaf,
  leaves: [leaf, { ...leaf, name: 'second' }],
  holes: [leaf, null, leaf],
  numbers: [1, 2, 3],
  wrongNumbers: [1, 'x', 3],
  grid: [[1], [2, 3], []],
  noList: 'text',
  any: leaf,
  all: [leaf, { __typename: 'Tree', name: 'inner', numbers: [] }],
  stranger: { __typename: 'Stranger' },
};

function schemaUnderTest(): GraphQLSchema {
  const schema = buildSchema(`
    interface Named { name: String! }
    enum Colour { RED GREEN }
    type Leaf implements Named {
      id: ID! name: String! count: Int flag: Boolean ratio: Float colour: Colour nothing: String mustNotBeNothing: String!
      broken: Int member: String later: String laterFailing: String laterMissing: String!
      echo(text: String = "default", number: Int, list: [Int!]): String
    }
    type Tree implements Named {
      name: String! leaf: Leaf neededLeaf: Leaf! leaves: [Leaf!]! holes: [Leaf]! tightHoles: [Leaf!] numbers: [Int!]!
      wrongNumbers: [Int] tightWrongNumbers: [Int!] grid: [[Int!]!] noList: [String] any: Named all: [Named!]! stranger: Named
      laterTree: Tree laterLeaves: [Leaf!]! failing: Leaf neededFailing: Leaf! undefinedList: [Leaf!]!
    }
    type Query { tree: Tree neededTree: Tree! laterTree: Tree named: Named failing: String! }
  `);
  const resolve = (type: string, field: string, resolver: GraphQLFieldResolver<unknown, unknown>): void => {
    (schema.getType(type) as GraphQLObjectType).getFields()[field]!.resolve = resolver;
  };
  (schema.getType('Named') as GraphQLInterfaceType).resolveType = (value) => (value as Thing).__typename;
  resolve('Query', 'tree', () => tree);
  resolve('Query', 'neededTree', () => tree);
  resolve('Query', 'laterTree', () => Promise.resolve(tree));
  resolve('Query', 'named', () => tree);
  resolve('Query', 'failing', () => {
    throw new Error('at the root');
  });
  resolve('Leaf', 'mustNotBeNothing', () => null);
  resolve('Leaf', 'later', (source) => Promise.resolve(`${(source as Thing).name as string} later`));
  resolve('Leaf', 'laterFailing', () => Promise.reject(new Error('later')));
  resolve('Leaf', 'laterMissing', () => Promise.resolve(null));
  resolve('Leaf', 'echo', (_source, given) => JSON.stringify(given));
  resolve('Tree', 'neededLeaf', () => null);
  resolve('Tree', 'tightHoles', (source) => (source as Thing).holes);
  resolve('Tree', 'tightWrongNumbers', (source) => (source as Thing).wrongNumbers);
  resolve('Tree', 'laterTree', (source) => Promise.resolve(source));
  resolve('Tree', 'laterLeaves', () => Promise.resolve([leaf, leaf]));
  resolve('Tree', 'failing', () => {
    throw new Error('now');
  });
  resolve('Tree', 'neededFailing', () => {
    throw new Error('now');
  });
  return schema;
}

const schema = schemaUnderTest();

function compiled(query: string): CompiledQuery | undefined {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  return CompiledQuery.compile(schema, document, getOperationAST(document)!);
}

/** As it goes over the wire; the order of errors means nothing. */
function onTheWire({ data, errors }: ExecutionResult): unknown {
  const sorted = errors?.map((error) => JSON.stringify(error.toJSON())).toSorted();
  return { data: JSON.stringify(data), errors: sorted };
}

describe('CompiledQuery', () => {
  it.each([
    { query: '{ tree { name } }', reason: 'a leaf' },
    { query: '{ tree { __typename a: name b: name } }', reason: 'aliases and type names' },
    { query: '{ tree { leaf { id name count flag ratio colour nothing member } } }', reason: 'leaves of all types' },
    { query: '{ tree { numbers grid holes { name } leaves { name } } }', reason: 'lists of all forms' },
    { query: '{ tree { leaf { name } leaf { count } name } tree { numbers } }', reason: 'selections that are merged' },
    {
      query:
        '{ tree { ...f ... { numbers } ...f } } fragment f on Tree { name leaf { ...g } } fragment g on Leaf { id }',
      reason: 'fragments',
    },
    {
      query:
        '{ tree { any { __typename name ... on Leaf { id } ... on Tree { numbers } } all { name ... on Tree { numbers } } } }',
      reason: 'abstract types',
    },
    {
      query: '{ named { name ...n } } fragment n on Named { name ... on Tree { name numbers } }',
      reason: 'fragments on an interface',
    },
    {
      query: '{ laterTree { name laterTree { laterTree { leaf { later } } } laterLeaves { name later } } }',
      reason: 'what comes later, in the order of the query',
    },
    { query: '{ tree { leaves { later name } all { ... on Leaf { later } } } }', reason: 'lists of what comes later' },
    {
      query: '{ tree { leaf { echo a: echo(text: "x") b: echo(number: 5, list: [1, 2]) c: echo(text: null) } } }',
      reason: 'arguments',
    },
    {
      query: 'query ($t: String, $n: Int = 9) { tree { leaves { echo(text: $t, number: $n) } } }',
      variables: { t: 'v' },
      reason: 'variables',
    },
    { query: 'query ($t: String) { tree { leaf { echo(text: $t) } } }', reason: 'a variable that is not given' },
    {
      query: 'query ($l: [Int!]) { tree { leaf { echo(list: $l) } } }',
      variables: { l: [1, 2] },
      reason: 'a list in a variable',
    },
    { query: '{ tree { leaf { broken name } } }', reason: 'a leaf of a wrong type is null' },
    { query: '{ tree { leaf { mustNotBeNothing } name } }', reason: 'a missing leaf makes its object null' },
    {
      query: '{ tree { leaves { mustNotBeNothing } name } }',
      reason: 'and the list around it, up to what may be null',
    },
    { query: '{ neededTree { leaves { mustNotBeNothing } } }', reason: 'up to the root' },
    { query: '{ tree { neededLeaf { name } } }', reason: 'a missing object' },
    { query: '{ tree { wrongNumbers numbers } }', reason: 'a wrong item is null' },
    { query: '{ tree { tightWrongNumbers name } }', reason: 'or makes its list null' },
    { query: '{ tree { tightHoles { name } name } }', reason: 'a missing item does, too' },
    { query: '{ tree { noList name } }', reason: 'what is no list' },
    { query: '{ tree { undefinedList { name } } laterTree { name } }', reason: 'a list that is not there' },
    { query: '{ tree { failing { name } name } }', reason: 'a resolver that throws' },
    { query: '{ tree { neededFailing { name } name } }', reason: 'one that must not' },
    { query: '{ tree { leaf { laterFailing name } } }', reason: 'a rejection' },
    { query: '{ tree { leaves { laterFailing later } } }', reason: 'one for each item' },
    { query: '{ tree { leaf { laterMissing later } name } }', reason: 'null that comes later' },
    { query: '{ tree { holes { laterMissing } name } }', reason: 'in a list whose items may be null' },
    { query: '{ tree { leaves { laterMissing } name } }', reason: 'in a list whose items may not' },
    { query: '{ laterTree { leaf { later mustNotBeNothing } } }', reason: 'a fault beside what comes later' },
    { query: '{ laterTree { leaves { later laterFailing mustNotBeNothing } name } }', reason: 'faults of both kinds' },
    { query: '{ tree { name } failing }', reason: 'a fault at the root' },
    { query: '{ laterTree { name } failing }', reason: 'beside what comes later' },
  ])('answers as the reference implementation does: $reason', async ({ query, variables }) => {
    const document = parse(query);
    const expected = await execute({ schema, document, variableValues: variables ?? {} });
    const operation = getOperationAST(document)!;
    const defaults = Object.fromEntries(
      (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) =>
        defaultValue?.kind === Kind.INT ? [[variable.name.value, Number(defaultValue.value)]] : [],
      ),
    );
    const actual = await compiled(query)!.run(undefined, { ...defaults, ...variables });
    expect(onTheWire(actual)).toEqual(onTheWire(expected));
  });

  it('says that a value is of no type that is known', async () => {
    const { data, errors } = await compiled('{ tree { name stranger { name } } }')!.run(undefined, {});
    expect(data).toEqual({ tree: { name: 'tree', stranger: null } });
    expect(errors?.[0]?.path).toEqual(['tree', 'stranger']);
  });

  it('can be run again and again, also at the same time', async () => {
    const query = compiled('query ($n: Int) { laterTree { leaves { echo(number: $n) } } }')!;
    const results = await Promise.all([1, 2, 3].map((n) => query.run(undefined, { n })));
    expect(results.map((result) => /number\\":(\d)/.exec(JSON.stringify(result.data))?.[1])).toEqual(['1', '2', '3']);
  });

  it.each([
    { query: '{ tree { name @include(if: false) } }', reason: 'a directive on a field' },
    { query: '{ tree { ... @skip(if: true) { name } } }', reason: 'a directive on a fragment' },
    { query: '{ tree { ...f @skip(if: true) } } fragment f on Tree { name }', reason: 'a directive on a spread' },
    { query: '{ __schema { queryType { name } } }', reason: 'the schema' },
    { query: '{ __proto__: tree { name } }', reason: 'a key that an object cannot have' },
  ])('leaves to the reference implementation: $reason', ({ query }) => {
    expect(compiled(query)).toBeUndefined();
  });
});
