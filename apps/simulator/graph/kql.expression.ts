import { isJsonObject } from '#libs/kernel/json.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KqlExpression } from './kql.ast.js';
import { KqlError } from './kql.lexer.js';

export type Evaluate = (row: JsonObject) => Json;

const FUNCTIONS: Record<string, { parameters: number; apply: (...values: Json[]) => Json }> = {
  tolower: { parameters: 1, apply: (value) => textOf(value).toLowerCase() },
  toupper: { parameters: 1, apply: (value) => textOf(value).toUpperCase() },
  tostring: { parameters: 1, apply: (value) => textOf(value) },
  toint: { parameters: 1, apply: toNumber },
  tolong: { parameters: 1, apply: toNumber },
  isempty: { parameters: 1, apply: (value) => textOf(value) === '' },
  isnotempty: { parameters: 1, apply: (value) => textOf(value) !== '' },
  isnull: { parameters: 1, apply: (value) => value === null },
  isnotnull: { parameters: 1, apply: (value) => value !== null },
  not: { parameters: 1, apply: (value) => value !== true },
  array_length: { parameters: 1, apply: (value) => (Array.isArray(value) ? value.length : null) },
};

/**
 * Makes a function of an expression.
 * @throws KqlError for a column that the table or the stage before does not have, or an unknown function.
 */
export function compileExpression(expression: KqlExpression, columns: ReadonlySet<string>): Evaluate {
  switch (expression.kind) {
    case 'literal':
      return () => expression.value;
    case 'path':
      return compilePath(expression, columns);
    case 'call':
      return compileCall(expression, columns);
    case 'list':
      return compileList(expression, columns);
    case 'binary':
      return compileBinary(expression, columns);
  }
}

/** Text as Kusto writes a value: nothing for null, JSON for what is no scalar. */
export function textOf(value: Json): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Nulls first, numbers by size, everything else by its text. */
export function compareValues(left: Json, right: Json): number {
  if (left === null || right === null) return (left === null ? 0 : 1) - (right === null ? 0 : 1);
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  const [a, b] = [textOf(left), textOf(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function compilePath({ root, steps }: KqlExpression & { kind: 'path' }, columns: ReadonlySet<string>): Evaluate {
  if (!columns.has(root)) {
    throw new KqlError('SemanticError', `Failed to resolve column or scalar expression named '${root}'.`);
  }
  return (row) => {
    let value: Json | undefined = row[root];
    for (const step of steps) {
      if (typeof step === 'number') value = Array.isArray(value) ? value[step] : undefined;
      else value = isJsonObject(value) ? value[step] : undefined;
    }
    return value ?? null;
  };
}

function compileCall({ name, parameters }: KqlExpression & { kind: 'call' }, columns: ReadonlySet<string>): Evaluate {
  const compiled = parameters.map((parameter) => compileExpression(parameter, columns));
  if (name === 'strcat') return (row) => compiled.map((evaluate) => textOf(evaluate(row))).join('');
  if (name === 'coalesce')
    return (row) => compiled.map((evaluate) => evaluate(row)).find((value) => value !== null) ?? null;
  const known = FUNCTIONS[name];
  if (known === undefined) throw new KqlError('SemanticError', `Unknown function: '${name}'.`);
  if (known.parameters !== compiled.length) {
    throw new KqlError(
      'SemanticError',
      `The function '${name}' takes ${known.parameters} parameter(s), not ${compiled.length}.`,
    );
  }
  return (row) => known.apply(...compiled.map((evaluate) => evaluate(row)));
}

function compileList(
  { operator, left, items }: KqlExpression & { kind: 'list' },
  columns: ReadonlySet<string>,
): Evaluate {
  const value = compileExpression(left, columns);
  const insensitive = operator.endsWith('~');
  const fold = (text: Json): string => (insensitive ? textOf(text).toLowerCase() : textOf(text));
  const wanted = items.map((item) => compileExpression(item, columns));
  const isConstant = items.every((item) => item.kind === 'literal');
  const constants = new Set(isConstant ? wanted.map((item) => fold(item({}))) : []);
  const negated = operator.startsWith('!');
  return (row) => {
    const text = fold(value(row));
    const found = isConstant ? constants.has(text) : wanted.some((item) => fold(item(row)) === text);
    return found !== negated;
  };
}

function compileBinary(expression: KqlExpression & { kind: 'binary' }, columns: ReadonlySet<string>): Evaluate {
  const left = compileExpression(expression.left, columns);
  const right = compileExpression(expression.right, columns);
  const text = (test: (left: string, right: string) => boolean): Evaluate => {
    return (row) => test(textOf(left(row)).toLowerCase(), textOf(right(row)).toLowerCase());
  };
  switch (expression.operator) {
    case 'and':
      return (row) => left(row) === true && right(row) === true;
    case 'or':
      return (row) => left(row) === true || right(row) === true;
    case '==':
      return (row) => textOf(left(row)) === textOf(right(row));
    case '!=':
      return (row) => textOf(left(row)) !== textOf(right(row));
    case '=~':
      return text((a, b) => a === b);
    case '!~':
      return text((a, b) => a !== b);
    case '<':
      return (row) => compareValues(left(row), right(row)) < 0;
    case '<=':
      return (row) => compareValues(left(row), right(row)) <= 0;
    case '>':
      return (row) => compareValues(left(row), right(row)) > 0;
    case '>=':
      return (row) => compareValues(left(row), right(row)) >= 0;
    case 'contains_cs':
      return (row) => textOf(left(row)).includes(textOf(right(row)));
    case 'contains':
      return text((a, b) => a.includes(b));
    case '!contains':
      return text((a, b) => !a.includes(b));
    case 'has':
      return text(hasTerm);
    case '!has':
      return text((a, b) => !hasTerm(a, b));
    case 'startswith':
      return text((a, b) => a.startsWith(b));
    case '!startswith':
      return text((a, b) => !a.startsWith(b));
    case 'endswith':
      return text((a, b) => a.endsWith(b));
    case '!endswith':
      return text((a, b) => !a.endsWith(b));
    default:
      throw new KqlError('UnsupportedOperator', `The operator '${expression.operator}' is not supported.`);
  }
}

/** Whether the term occurs with no letter or digit beside it. */
function hasTerm(text: string, term: string): boolean {
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + 1)) {
    const before = text.charAt(at - 1);
    const after = text.charAt(at + term.length);
    if (!/[a-z0-9]/.test(before) && !/[a-z0-9]/.test(after)) return true;
  }
  return false;
}

function toNumber(value: Json): Json {
  const number = typeof value === 'number' ? value : Number.parseFloat(textOf(value));
  return Number.isNaN(number) ? null : Math.trunc(number);
}
