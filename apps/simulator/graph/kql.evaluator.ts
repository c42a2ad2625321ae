import { canonicalJson } from '#libs/kernel/canonical-json.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KqlColumn, KqlExpression, KqlOrder, KqlStage } from './kql.ast.js';
import { compareValues, compileExpression } from './kql.expression.js';
import type { Evaluate } from './kql.expression.js';
import { KqlError } from './kql.lexer.js';

/** What goes from stage to stage: rows, and the columns that they have. */
interface Flow {
  rows: JsonObject[];
  columns: ReadonlySet<string>;
}

interface NamedColumn {
  name: string;
  evaluate: Evaluate;
}

/** Runs the stages over the rows of a table. */
export function evaluateKql(
  stages: readonly KqlStage[],
  rows: Iterable<JsonObject>,
  columns: readonly string[],
): JsonObject[] {
  const [first, ...rest] = stages;
  const known = new Set(columns);
  // The first filter is applied while the table is read: most queries keep a small part of it.
  const start: Flow =
    first?.kind === 'where'
      ? { rows: filtered(rows, compileExpression(first.condition, known)), columns: known }
      : { rows: [...rows], columns: known };
  const remaining = first?.kind === 'where' ? rest : stages;
  return remaining.reduce((flow, stage) => runStage(flow, stage), start).rows;
}

function runStage({ rows, columns }: Flow, stage: KqlStage): Flow {
  switch (stage.kind) {
    case 'where':
      return { rows: filtered(rows, compileExpression(stage.condition, columns)), columns };
    case 'project': {
      const named = compileColumns(stage.columns, columns);
      return { rows: rows.map((row) => projected(row, named)), columns: new Set(named.map(({ name }) => name)) };
    }
    case 'project-away':
      return {
        rows: rows.map((row) =>
          Object.fromEntries(Object.entries(row).filter(([name]) => !stage.names.includes(name))),
        ),
        columns: new Set([...columns].filter((name) => !stage.names.includes(name))),
      };
    case 'extend': {
      const named = compileColumns(stage.columns, columns);
      return {
        rows: rows.map((row) => ({ ...row, ...projected(row, named) })),
        columns: new Set([...columns, ...named.map(({ name }) => name)]),
      };
    }
    case 'order':
      return { rows: ordered(rows, stage.by, columns), columns };
    case 'take':
      return { rows: rows.slice(0, stage.count), columns };
    case 'distinct':
      return distinct(rows, compileColumns(stage.columns, columns));
    case 'summarize':
      return summarized(rows, stage.aggregates, compileColumns(stage.by, columns), columns);
    case 'count':
      return { rows: [{ Count: rows.length }], columns: new Set(['Count']) };
  }
}

function filtered(rows: Iterable<JsonObject>, condition: Evaluate): JsonObject[] {
  const kept: JsonObject[] = [];
  for (const row of rows) if (condition(row) === true) kept.push(row);
  return kept;
}

function ordered(rows: JsonObject[], by: readonly KqlOrder[], columns: ReadonlySet<string>): JsonObject[] {
  const keys = by.map(({ expression, descending }) => ({
    evaluate: compileExpression(expression, columns),
    descending,
  }));
  const keyed = rows.map((row) => ({ row, values: keys.map(({ evaluate }) => evaluate(row)) }));
  keyed.sort((left, right) => {
    for (const [index, { descending }] of keys.entries()) {
      const order = compareValues(left.values[index] ?? null, right.values[index] ?? null);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  return keyed.map(({ row }) => row);
}

function distinct(rows: readonly JsonObject[], named: readonly NamedColumn[]): Flow {
  const seen = new Map<string, JsonObject>();
  for (const row of rows) {
    const values = projected(row, named);
    const key = canonicalJson(values);
    if (!seen.has(key)) seen.set(key, values);
  }
  return { rows: [...seen.values()], columns: new Set(named.map(({ name }) => name)) };
}

function summarized(
  rows: readonly JsonObject[],
  aggregates: readonly KqlColumn[],
  by: readonly NamedColumn[],
  columns: ReadonlySet<string>,
): Flow {
  const compiled = aggregates.map((aggregate) => compileAggregate(aggregate, columns));
  const groups = new Map<string, { key: JsonObject; rows: JsonObject[] }>();
  // Without `by` there is one group even over no rows.
  if (by.length === 0) groups.set(canonicalJson({}), { key: {}, rows: [] });
  for (const row of rows) {
    const key = projected(row, by);
    const text = canonicalJson(key);
    const group = groups.get(text) ?? { key, rows: [] };
    groups.set(text, group);
    group.rows.push(row);
  }
  const result = [...groups.values()].map((group) => {
    const values = compiled.map(({ name, apply }): [string, Json] => [name, apply(group.rows)]);
    return { ...group.key, ...Object.fromEntries(values) };
  });
  return { rows: result, columns: new Set([...by.map(({ name }) => name), ...compiled.map(({ name }) => name)]) };
}

function compileAggregate(
  column: KqlColumn,
  columns: ReadonlySet<string>,
): { name: string; apply: (rows: readonly JsonObject[]) => Json } {
  const { expression } = column;
  if (expression.kind !== 'call') throw new KqlError('SemanticError', 'summarize needs an aggregate such as count().');
  const [parameter] = expression.parameters;
  const name =
    column.name ?? `${expression.name}_${parameter?.kind === 'path' ? (parameter.steps.at(-1) ?? parameter.root) : ''}`;
  if (expression.name === 'count') return { name, apply: (rows) => rows.length };
  if (parameter === undefined) throw new KqlError('SemanticError', `${expression.name}() needs a parameter.`);
  const evaluate = compileExpression(parameter, columns);
  switch (expression.name) {
    case 'dcount':
      return { name, apply: (rows) => new Set(rows.map((row) => canonicalJson(evaluate(row)))).size };
    case 'sum':
      return { name, apply: (rows) => rows.reduce((sum, row) => sum + Number(evaluate(row) ?? 0), 0) };
    case 'min':
    case 'max': {
      const sign = expression.name === 'min' ? 1 : -1;
      return { name, apply: (rows) => rows.map(evaluate).sort((a, b) => sign * compareValues(a, b))[0] ?? null };
    }
    default:
      throw new KqlError('SemanticError', `Unknown aggregate: '${expression.name}'.`);
  }
}

function compileColumns(columns: readonly KqlColumn[], known: ReadonlySet<string>): NamedColumn[] {
  let unnamed = 0;
  return columns.map(({ name, expression }) => ({
    name: name ?? pathName(expression) ?? `Column${++unnamed}`,
    evaluate: compileExpression(expression, known),
  }));
}

/** `properties.status.code` makes a column `properties_status_code`, as Kusto names it. */
function pathName(expression: KqlExpression): string | undefined {
  return expression.kind === 'path' ? [expression.root, ...expression.steps].join('_') : undefined;
}

function projected(row: JsonObject, named: readonly NamedColumn[]): JsonObject {
  const result: JsonObject = {};
  for (const { name, evaluate } of named) result[name] = evaluate(row);
  return result;
}
