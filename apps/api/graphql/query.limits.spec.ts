import { describe, expect, it } from '@jest/globals';
import { getIntrospectionQuery, getOperationAST, parse } from 'graphql';
import { ControlError } from '#libs/kernel/control-error.js';
import { fakeRegistry } from '../../../test/api/fake-systems.js';
import { buildGraphqlSchema } from './graphql-schema.builder.js';
import { QueryLimits, requireBoundedNesting } from './query.limits.js';

describe('QueryLimits', () => {
  const schema = buildGraphqlSchema(fakeRegistry());

  function allows(
    maximumCost: number,
    query: string,
    variables: Record<string, unknown> = {},
    maximumDepth = 50,
  ): boolean {
    const document = parse(query);
    try {
      new QueryLimits(schema, maximumDepth, maximumCost).check(document, getOperationAST(document)!, variables);
      return true;
    } catch (error) {
      if (error instanceof ControlError && error.code === 'QUERY_TOO_COMPLEX') return false;
      throw error;
    }
  }

  it.each([
    { query: '{ __typename }', cost: 0, reason: 'nothing is read' },
    { query: '{ resource(uid: "x") { uid } }', cost: 1.05, reason: 'an object and a leaf' },
    { query: '{ resource(uid: "x") { properties } }', cost: 1.5, reason: 'JSON may be large' },
    { query: '{ harbours(first: 10) { nodes { name } } }', cost: 10.5, reason: 'a page counts its objects' },
    { query: '{ harbours { nodes { name } } }', cost: 105, reason: 'a page has a hundred where nothing is said' },
    {
      query: 'query ($n: Int) { harbours(first: $n) { nodes { name } } }',
      variables: { n: 3 },
      cost: 3.15,
      reason: 'a variable',
    },
    {
      query: 'query ($n: Int = 4) { harbours(first: $n) { nodes { name } } }',
      cost: 4.2,
      reason: 'the default of a variable',
    },
    {
      query: '{ harbours(first: 1) { edges { node { name } cursor } pageInfo { endCursor } } }',
      cost: 1.15,
      reason: 'plumbing weighs nothing',
    },
    {
      query: '{ harbours(first: 1) { nodes { ships { name } } } }',
      cost: 1 + 1 + 10.5 - 1,
      reason: 'ten related objects are expected',
    },
    {
      query: '{ harbours(first: 1) { nodes { ships(first: 100) { name } } } }',
      cost: 11.5,
      reason: 'a usual page of related objects is a limit, not a number that is there',
    },
    {
      query: '{ harbours(first: 1) { nodes { ships(first: 101) { name } } } }',
      cost: 107.05,
      reason: 'more than usual is taken at its word',
    },
    {
      query: '{ harbours(first: 1) { nodes { ships(first: 2) { name } } } }',
      cost: 3.1,
      reason: 'less than expected, too',
    },
    {
      query:
        '{ resources(first: 1) { nodes { name ... on Harbour { ships(first: 5) { uid } } ... on Ship { flag } } } }',
      cost: 6.3,
      reason: 'an object is of one kind only',
    },
    {
      query:
        '{ harbours(first: 1) { nodes { ...a } } } fragment a on Harbour { ...b ...b } fragment b on Harbour { name }',
      cost: 1.1,
      reason: 'a fragment counts wherever it stands',
    },
  ])('counts $cost for $query: $reason', ({ query, variables, cost }) => {
    expect(allows(cost + 0.001, query, variables)).toBe(true);
    expect(allows(cost - 0.001, query, variables)).toBe(false);
  });

  it.each([
    { query: '{ harbours { nodes { name } } }', depth: 3, reason: 'page, objects, leaf' },
    { query: '{ harbours { nodes { ships { harbour { name } } } } }', depth: 5, reason: 'relations' },
    {
      query: '{ ...a } fragment a on Query { harbours { nodes { ... on Harbour { name } } } }',
      depth: 3,
      reason: 'fragments are no levels',
    },
  ])('counts $depth levels: $reason', ({ query, depth }) => {
    expect(allows(1e9, query, {}, depth)).toBe(true);
    expect(allows(1e9, query, {}, depth - 1)).toBe(false);
  });

  it('does not count what tools ask for about the schema', () => {
    expect(
      allows(0, getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true, oneOf: true }), {}, 3),
    ).toBe(true);
  });

  it('measures nested fragments in a time that grows with the text only', () => {
    const fragments = Array.from(
      { length: 300 },
      (_, index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`,
    );
    const began = performance.now();
    expect(allows(1e6, `{ ...f0 } ${fragments.join(' ')} fragment f300 on Query { harbours { nodes { name } } }`)).toBe(
      false,
    );
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe('requireBoundedNesting', () => {
  it.each([
    { source: '{'.repeat(101), refused: true, reason: 'one level too many' },
    { source: `${'{a'.repeat(100)}${'}'.repeat(100)}`, refused: false, reason: 'as many as allowed' },
    { source: '{} '.repeat(500), refused: false, reason: 'beside each other is not within each other' },
    { source: `{ a(x: "${'['.repeat(500)}") }`, refused: false, reason: 'brackets in a text' },
    { source: `{ a(x: "\\"${'['.repeat(500)}") }`, refused: false, reason: 'after an escaped quote' },
    { source: `{ a(x: """${'{'.repeat(500)} " \\""" """) }`, refused: false, reason: 'brackets in a block of text' },
    { source: `{ a } # ${'{'.repeat(500)}`, refused: false, reason: 'brackets in a comment' },
    { source: `{ a(x: "unclosed) ${'\n['.repeat(101)}`, refused: true, reason: 'a text ends with its line' },
  ])('$reason', ({ source, refused }) => {
    const check = () => requireBoundedNesting(source);
    if (refused) expect(check).toThrow(expect.objectContaining({ code: 'QUERY_TOO_COMPLEX' }));
    else expect(check).not.toThrow();
  });
});
