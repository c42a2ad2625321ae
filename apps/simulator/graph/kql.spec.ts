import { describe, expect, it } from '@jest/globals';
import { type Json, type JsonObject } from '#libs/kernel/json.js';
import { evaluateKql } from './kql.evaluator.js';
import { parseKql } from './kql.parser.js';

const rows: JsonObject[] = [
  {
    id: 'a',
    name: 'Alpha',
    location: 'eastus',
    tags: { env: 'dev', 'my-tag': 'x' },
    properties: { count: 3, nested: { on: true }, list: [{ v: 1 }, { v: 2 }] },
  },
  { id: 'b', name: 'beta', location: 'westus', tags: null, properties: { count: 10, nested: {}, list: [] } },
  { id: 'c', name: 'gamma-alpha', location: 'eastus', tags: { env: 'prod' }, properties: { count: 2, list: [] } },
];
const columns = ['id', 'name', 'location', 'tags', 'properties'];

function run(query: string): JsonObject[] {
  return evaluateKql(parseKql(query).stages, rows, columns);
}

function ids(query: string): Json[] {
  return run(query).map((row) => row.id ?? null);
}

describe('where', () => {
  const cases: { condition: string; found: string[]; reason: string }[] = [
    { condition: "name == 'Alpha'", found: ['a'], reason: 'equal as written' },
    { condition: "name == 'alpha'", found: [], reason: '== minds the case' },
    { condition: "name =~ 'ALPHA'", found: ['a'], reason: '=~ does not' },
    { condition: "name !~ 'ALPHA'", found: ['b', 'c'], reason: 'the opposite of =~' },
    { condition: "location != 'eastus'", found: ['b'], reason: 'not equal' },
    { condition: "location in ('westus', 'x')", found: ['b'], reason: 'one of a list' },
    { condition: "location in ('WESTUS')", found: [], reason: 'in minds the case' },
    { condition: "location in~ ('WESTUS')", found: ['b'], reason: 'in~ does not' },
    { condition: "location !in ('westus')", found: ['a', 'c'], reason: 'none of a list' },
    { condition: "name contains 'ALPHA'", found: ['a', 'c'], reason: 'anywhere, in any case' },
    { condition: "name !contains 'alpha'", found: ['b'], reason: 'nowhere' },
    { condition: "name contains_cs 'Alpha'", found: ['a'], reason: 'anywhere, as written' },
    { condition: "name startswith 'al'", found: ['a'], reason: 'at the start' },
    { condition: "name endswith 'MA-ALPHA'", found: ['c'], reason: 'at the end' },
    { condition: "name has 'alpha'", found: ['a', 'c'], reason: 'a whole term' },
    { condition: "name has 'alph'", found: [], reason: 'not a part of a term' },
    { condition: "tags.env =~ 'dev'", found: ['a'], reason: 'a member' },
    { condition: "tags['my-tag'] == 'x'", found: ['a'], reason: 'a member that is no word' },
    { condition: 'properties.list[1].v == 2', found: ['a'], reason: 'an element' },
    { condition: 'properties.count > 2', found: ['a', 'b'], reason: 'numbers by size, not by their text' },
    { condition: 'properties.count <= 3', found: ['a', 'c'], reason: 'numbers by size' },
    { condition: 'properties.nested.on == true', found: ['a'], reason: 'a boolean' },
    { condition: 'isnotempty(tags.env)', found: ['a', 'c'], reason: 'there' },
    { condition: 'isempty(tags)', found: ['b'], reason: 'not there' },
    { condition: 'isnull(properties.nested)', found: ['c'], reason: 'null' },
    { condition: "not(location == 'eastus')", found: ['b'], reason: 'negation' },
    { condition: "tolower(name) == 'alpha'", found: ['a'], reason: 'a function' },
    { condition: 'array_length(properties.list) == 2', found: ['a'], reason: 'the length of a list' },
    {
      condition: "location == 'westus' or location == 'eastus' and name == 'Alpha'",
      found: ['a', 'b'],
      reason: 'and binds closer than or',
    },
    {
      condition: "(location == 'westus' or location == 'eastus') and name == 'Alpha'",
      found: ['a'],
      reason: 'parentheses bind closer',
    },
    { condition: 'name == "beta" // that one', found: ['b'], reason: 'double quotes, and a comment' },
    { condition: "tostring(properties.count) == '10'", found: ['b'], reason: 'text of a number' },
  ];
  it.each(cases)('$condition: $reason', ({ condition, found }) => {
    expect(ids(`resources | where ${condition}`)).toEqual(found);
  });
});

describe('stages', () => {
  it('project names columns as written, or after their path', () => {
    expect(run("where id == 'a' | project id, n = name, properties.nested.on, tolower(name)")).toEqual([
      { id: 'a', n: 'Alpha', properties_nested_on: true, Column1: 'alpha' },
    ]);
  });
  it('extend adds, project-away takes away', () => {
    expect(
      run("where id == 'b' | extend x = strcat(name, '-', location) | project-away tags, properties, name"),
    ).toEqual([{ id: 'b', location: 'westus', x: 'beta-westus' }]);
  });
  it('order by is downwards unless it says asc, and takes several columns', () => {
    expect(ids('order by id')).toEqual(['c', 'b', 'a']);
    expect(ids('order by location asc, properties.count asc')).toEqual(['c', 'a', 'b']);
    expect(ids('sort by properties.count desc')).toEqual(['b', 'a', 'c']);
  });
  it('take, limit and top keep the first', () => {
    expect(ids('take 2')).toEqual(['a', 'b']);
    expect(ids('limit 1')).toEqual(['a']);
    expect(ids('top 2 by properties.count desc')).toEqual(['b', 'a']);
  });
  it('count, summarize and distinct put together', () => {
    expect(run('count')).toEqual([{ Count: 3 }]);
    expect(run('summarize count() by location | order by location asc')).toEqual([
      { location: 'eastus', count_: 2 },
      { location: 'westus', count_: 1 },
    ]);
    expect(run('summarize n = count(), sum(properties.count), most = max(properties.count), dcount(location)')).toEqual(
      [{ n: 3, sum_count: 15, most: 10, dcount_location: 2 }],
    );
    expect(run("where id == 'nothing' | summarize count()")).toEqual([{ count_: 0 }]);
    expect(run('distinct location')).toEqual([{ location: 'eastus' }, { location: 'westus' }]);
  });
});

describe('what is not understood', () => {
  const cases: { query: string; code: string; reason: string }[] = [
    { query: '', code: 'ParserFailure', reason: 'nothing' },
    { query: 'resources |', code: 'ParserFailure', reason: 'no operator' },
    { query: 'resources where name', code: 'ParserFailure', reason: 'no pipe' },
    { query: 'resources | where', code: 'ParserFailure', reason: 'no condition' },
    { query: "resources | where name == 'x", code: 'ParserFailure', reason: 'an open quote' },
    { query: "resources | where (name == 'x'", code: 'ParserFailure', reason: 'an open parenthesis' },
    { query: 'resources | take many', code: 'ParserFailure', reason: 'no number' },
    { query: 'resources | explode name', code: 'UnsupportedOperator', reason: 'an unknown operator' },
    { query: "resources | where nam == 'x'", code: 'SemanticError', reason: 'an unknown column' },
    {
      query: 'resources | project id | where name == 1',
      code: 'SemanticError',
      reason: 'a column that was projected away',
    },
    { query: 'resources | where frob(name)', code: 'SemanticError', reason: 'an unknown function' },
    { query: 'resources | where tolower()', code: 'SemanticError', reason: 'a parameter too few' },
    { query: 'resources | summarize frob(name)', code: 'SemanticError', reason: 'an unknown aggregate' },
    { query: 'resources | summarize name', code: 'SemanticError', reason: 'no aggregate' },
    { query: 'resources | where name == #', code: 'ParserFailure', reason: 'a strange character' },
  ];
  it.each(cases)('is refused: $reason', ({ query, code }) => {
    expect(() => run(query)).toThrow(expect.objectContaining({ name: 'KqlError', code }));
  });
});
