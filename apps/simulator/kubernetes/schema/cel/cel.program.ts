import { assertNever } from '#libs/kernel/assert-never.js';
import { isJsonObject, type Json } from '#libs/kernel/json.js';
import { codePoints } from '../code-points.js';
import { sameJson } from '../same-json.js';
import { CelSyntaxError, parseCel, type CelExpression, type CelMacro, type CelOperator } from './cel.syntax.js';

/** The type of a value is a value too: `type(self) == string`. */
type CelType = symbol;
type CelValue = Json | CelType;

/** What an expression can refer to; a name that is missing here does not exist. */
export type CelVariables = Readonly<Record<string, Json>>;

/** A compiled expression. It can be run as often as wanted. */
export interface CelProgram {
  /** Whether it refers to the value before the change. */
  readonly comparesWithOld: boolean;
  /** @throws CelEvaluationError */
  evaluate(variables: CelVariables): Json;
}

/** An expression that cannot be evaluated with the values given, in the words of the real implementation. */
export class CelEvaluationError extends Error {
  override readonly name = 'CelEvaluationError';
}

const TYPE_NAMES = ['int', 'double', 'string', 'bool', 'list', 'map', 'null_type'] as const;
const TYPES: ReadonlyMap<string, CelType> = new Map(TYPE_NAMES.map((name) => [name, Symbol(name)]));

type Function = (values: CelValue[]) => CelValue;

const NO_OVERLOAD = 'no such overload';

const FUNCTIONS: Readonly<Record<string, { arity: number; apply: Function }>> = {
  size: { arity: 1, apply: ([value]) => sizeOf(value!) },
  type: { arity: 1, apply: ([value]) => typeOf(value!) },
  string: { arity: 1, apply: ([value]) => toText(value!) },
  int: { arity: 1, apply: ([value]) => toInteger(value!) },
};

/** The first value is what the method is called on. */
const METHODS: Readonly<Record<string, { arity: number; apply: Function }>> = {
  size: { arity: 0, apply: ([self]) => sizeOf(self!) },
  startsWith: { arity: 1, apply: ([self, other]) => text(self).startsWith(text(other)) },
  endsWith: { arity: 1, apply: ([self, other]) => text(self).endsWith(text(other)) },
  contains: { arity: 1, apply: ([self, other]) => text(self).includes(text(other)) },
  matches: { arity: 1, apply: ([self, pattern]) => new RegExp(text(pattern)).test(text(self)) },
  lowerAscii: { arity: 0, apply: ([self]) => text(self).replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()) },
  upperAscii: { arity: 0, apply: ([self]) => text(self).replaceAll(/[a-z]+/g, (part) => part.toUpperCase()) },
  trim: { arity: 0, apply: ([self]) => text(self).trim() },
  split: { arity: 1, apply: ([self, separator]) => text(self).split(text(separator)) },
};

const programs = new Map<string, CelProgram>();

/**
 * @param source an expression over `self` and `oldSelf`.
 * @throws CelSyntaxError also for functions and names that are not understood here, so that no rule is silently ignored.
 */
export function compileCel(source: string): CelProgram {
  const known = programs.get(source);
  if (known !== undefined) return known;
  const expression = parseCel(source);
  const names = new Set<string>();
  check(expression, ['self', 'oldSelf'], names, source);
  const program: CelProgram = {
    comparesWithOld: names.has('oldSelf'),
    evaluate: (variables) => {
      const result = evaluate(expression, variables);
      if (typeof result === 'symbol') throw new CelEvaluationError(NO_OVERLOAD);
      return result;
    },
  };
  programs.set(source, program);
  return program;
}

/** Refuses what would only fail when it is evaluated; collects the variables that are used. */
function check(expression: CelExpression, scope: readonly string[], names: Set<string>, source: string): void {
  const inside = (...parts: CelExpression[]): void => {
    for (const part of parts) check(part, scope, names, source);
  };
  switch (expression.node) {
    case 'literal':
      return;
    case 'identifier':
      if (!scope.includes(expression.name) && !TYPES.has(expression.name)) {
        throw new CelSyntaxError(`undeclared reference to '${expression.name}' in '${source}'`);
      }
      names.add(expression.name);
      return;
    case 'list': {
      inside(...expression.items);
      return;
    }
    case 'select':
    case 'has':
    case 'not':
    case 'negate': {
      inside(expression.of);
      return;
    }
    case 'index': {
      inside(expression.of, expression.index);
      return;
    }
    case 'comprehension':
      inside(expression.of);
      {
        check(expression.body, [...scope, expression.variable], names, source);
        return;
      }
    case 'call':
      expectFunction(FUNCTIONS, expression.name, expression.arguments, source);
      {
        inside(...expression.arguments);
        return;
      }
    case 'method':
      expectFunction(METHODS, expression.name, expression.arguments, source);
      if (expression.name === 'matches') expectPattern(expression.arguments[0]!, source);
      {
        inside(expression.of, ...expression.arguments);
        return;
      }
    case 'and':
    case 'or':
    case 'binary': {
      inside(expression.left, expression.right);
      return;
    }
    case 'condition': {
      inside(expression.test, expression.yes, expression.no);
      return;
    }
    default:
      return assertNever(expression);
  }
}

function expectFunction(table: typeof FUNCTIONS, name: string, given: readonly CelExpression[], source: string): void {
  const known = Object.hasOwn(table, name) ? table[name] : undefined;
  if (known === undefined) throw new CelSyntaxError(`undeclared reference to '${name}' in '${source}'`);
  if (known.arity !== given.length) throw new CelSyntaxError(`found no matching overload for '${name}' in '${source}'`);
}

function expectPattern(pattern: CelExpression, source: string): void {
  if (pattern.node !== 'literal') return;
  try {
    new RegExp(String(pattern.value));
  } catch (error) {
    if (!Error.isError(error) || error.name !== 'SyntaxError') throw error;
    throw new CelSyntaxError(`invalid matches argument in '${source}'`, { cause: error });
  }
}

function evaluate(expression: CelExpression, variables: CelVariables): CelValue {
  switch (expression.node) {
    case 'literal':
      return expression.value;
    case 'identifier': {
      const value = Object.hasOwn(variables, expression.name) ? variables[expression.name] : TYPES.get(expression.name);
      if (value === undefined) throw new CelEvaluationError(`no such attribute(s): ${expression.name}`);
      return value;
    }
    case 'list':
      return expression.items.map((item) => json(evaluate(item, variables)));
    case 'select':
      return select(evaluate(expression.of, variables), expression.member);
    case 'index':
      return at(evaluate(expression.of, variables), evaluate(expression.index, variables));
    case 'has': {
      const of = evaluate(expression.of, variables);
      if (!isJsonObject(of)) throw new CelEvaluationError(NO_OVERLOAD);
      return Object.hasOwn(of, expression.member);
    }
    case 'comprehension':
      return comprehend(expression, variables);
    case 'call':
      return FUNCTIONS[expression.name]!.apply(expression.arguments.map((given) => evaluate(given, variables)));
    case 'method':
      return METHODS[expression.name]!.apply(
        [expression.of, ...expression.arguments].map((given) => evaluate(given, variables)),
      );
    case 'not':
      return !truth(evaluate(expression.of, variables));
    case 'negate':
      return -number(evaluate(expression.of, variables));
    case 'and':
      return junction(expression.left, expression.right, variables, false);
    case 'or':
      return junction(expression.left, expression.right, variables, true);
    case 'binary':
      return operate(expression.operator, evaluate(expression.left, variables), evaluate(expression.right, variables));
    case 'condition':
      return evaluate(truth(evaluate(expression.test, variables)) ? expression.yes : expression.no, variables);
    default:
      return assertNever(expression);
  }
}

/** `&&` and `||` do not care for a side that fails when the other one decides. */
function junction(left: CelExpression, right: CelExpression, variables: CelVariables, decisive: boolean): boolean {
  let failure: CelEvaluationError | undefined;
  for (const side of [left, right]) {
    try {
      if (truth(evaluate(side, variables)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelEvaluationError)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}

function comprehend(
  { macro, of, variable, body }: { macro: CelMacro; of: CelExpression; variable: string; body: CelExpression },
  variables: CelVariables,
): CelValue {
  const range = evaluate(of, variables);
  if (!Array.isArray(range) && !isJsonObject(range)) throw new CelEvaluationError(NO_OVERLOAD);
  const items = Array.isArray(range) ? range : Object.keys(range);
  const result = (item: Json): CelValue => evaluate(body, { ...variables, [variable]: item });
  const holds = (item: Json): boolean => truth(result(item));
  switch (macro) {
    case 'all':
      return items.every(holds);
    case 'exists':
      return items.some(holds);
    case 'exists_one':
      return items.filter(holds).length === 1;
    case 'filter':
      return items.filter(holds);
    case 'map':
      return items.map((item) => json(result(item)));
    default:
      return assertNever(macro);
  }
}

function operate(operator: CelOperator, left: CelValue, right: CelValue): CelValue {
  switch (operator) {
    case '==':
      return same(left, right);
    case '!=':
      return !same(left, right);
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>':
      return compare(left, right) > 0;
    case '>=':
      return compare(left, right) >= 0;
    case 'in':
      if (Array.isArray(right)) return right.some((item) => same(left, item));
      if (isJsonObject(right)) return Object.hasOwn(right, text(left));
      throw new CelEvaluationError(NO_OVERLOAD);
    case '+':
      if (typeof left === 'string') return left + text(right);
      if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
      return number(left) + number(right);
    case '-':
      return number(left) - number(right);
    case '*':
      return number(left) * number(right);
    default:
      return assertNever(operator);
  }
}

function same(left: CelValue, right: CelValue): boolean {
  if (typeof left === 'symbol' || typeof right === 'symbol') return left === right;
  return sameJson(left, right);
}

function compare(left: CelValue, right: CelValue): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0;
  throw new CelEvaluationError(NO_OVERLOAD);
}

function select(of: CelValue, member: string): Json {
  if (!isJsonObject(of)) throw new CelEvaluationError(NO_OVERLOAD);
  const value = Object.hasOwn(of, member) ? of[member] : undefined;
  if (value === undefined) throw new CelEvaluationError(`no such key: ${member}`);
  return value;
}

function at(of: CelValue, index: CelValue): Json {
  if (!Array.isArray(of)) return select(of, text(index));
  const value = of[number(index)];
  if (value === undefined) throw new CelEvaluationError(`index out of bounds: ${number(index)}`);
  return value;
}

function sizeOf(value: CelValue): number {
  if (typeof value === 'string') return codePoints(value);
  if (Array.isArray(value)) return value.length;
  if (isJsonObject(value)) return Object.keys(value).length;
  throw new CelEvaluationError(NO_OVERLOAD);
}

function typeOf(value: CelValue): CelType {
  return TYPES.get(typeName(value))!;
}

function typeName(value: CelValue): (typeof TYPE_NAMES)[number] {
  if (value === null) return 'null_type';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'double';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'symbol') throw new CelEvaluationError(NO_OVERLOAD);
  return 'map';
}

function toText(value: CelValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new CelEvaluationError(NO_OVERLOAD);
}

function toInteger(value: CelValue): number {
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value === 'string' && /^-?[0-9]+$/.test(value)) return Number(value);
  throw new CelEvaluationError('type conversion error from string to int');
}

function json(value: CelValue): Json {
  if (typeof value === 'symbol') throw new CelEvaluationError(NO_OVERLOAD);
  return value;
}

function text(value: CelValue | undefined): string {
  if (typeof value !== 'string') throw new CelEvaluationError(NO_OVERLOAD);
  return value;
}

function number(value: CelValue): number {
  if (typeof value !== 'number') throw new CelEvaluationError(NO_OVERLOAD);
  return value;
}

function truth(value: CelValue): boolean {
  if (typeof value !== 'boolean') throw new CelEvaluationError(NO_OVERLOAD);
  return value;
}
