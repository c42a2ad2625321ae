import { describe, expect, it } from '@jest/globals';
import { hubDefinitions } from '../../definitions/fleet.definitions.js';
import { type Json, isJsonObject } from '#libs/kernel/json.js';
import { CelEvaluationError, compileCel } from './cel.program.js';
import { CelSyntaxError } from './cel.syntax.js';

describe('compileCel', () => {
  const truths: { rule: string; self: Json; oldSelf?: Json; result: Json; reason: string }[] = [
    {
      rule: 'self == oldSelf',
      self: { a: [1] },
      oldSelf: { a: [1] },
      result: true,
      reason: 'objects are equal by value',
    },
    { rule: 'self == oldSelf', self: [1, 2], oldSelf: [2, 1], result: false, reason: 'lists have an order' },
    { rule: 'size(self.name) < 4', self: { name: 'äöü' }, result: true, reason: 'characters are counted, not bytes' },
    { rule: '!has(self.b) || self.b > 1', self: {}, result: true, reason: 'what decides is enough' },
    { rule: 'self.b > 1 || true', self: {}, result: true, reason: 'an error beside a decisive side does not matter' },
    { rule: 'true || self.b > 1', self: {}, result: true, reason: 'on either side' },
    { rule: 'has(self.a) ? self.a : 7', self: { a: 3 }, result: 3, reason: 'a condition' },
    { rule: 'self.a ? 1 : false ? 2 : 3', self: { a: false }, result: 3, reason: 'conditions nest to the right' },
    {
      rule: "type(self) == string ? self.matches('^(100|[0-9]{1,2})%$') : self >= 0",
      self: '5%',
      result: true,
      reason: 'text',
    },
    {
      rule: "type(self) == string ? self.matches('^(100|[0-9]{1,2})%$') : self >= 0",
      self: -1,
      result: false,
      reason: 'int',
    },
    { rule: 'self == null || type(self) != int || self >= 1', self: null, result: true, reason: 'null' },
    {
      rule: "!self.exists(e, e.type == 'Approval' && has(e.waitTime))",
      self: [{ type: 'Approval' }],
      result: true,
      reason: 'none',
    },
    { rule: 'self.all(x, x in [\'a\', "b"])', self: ['a', 'c'], result: false, reason: 'all, in and both quotes' },
    { rule: 'self.exists_one(x, x == 1)', self: [1, 1], result: false, reason: 'exactly one' },
    {
      rule: "size(self.filter(x, x.kind == 'Namespace')) == 1",
      self: [{ kind: 'Namespace' }, { kind: 'Pod' }],
      result: true,
      reason: 'filter',
    },
    { rule: 'self.map(x, x * 2 + 1)', self: [1, 2], result: [3, 5], reason: 'products bind more than sums' },
    {
      rule: "self.startsWith('a') && self.endsWith('c') && self.contains('b')",
      self: 'abc',
      result: true,
      reason: 'text functions',
    },
    { rule: "'a' in self", self: { a: 1 }, result: true, reason: 'a key of a map' },
    { rule: "self['a'][0] == -1", self: { a: [-1] }, result: true, reason: 'indexes and a negative number' },
    { rule: '!(1 < 2 && 2 <= 1)', self: null, result: true, reason: 'parentheses' },
  ];
  it.each(truths)('$rule of $self: $reason', ({ rule, self, oldSelf, result }) => {
    expect(compileCel(rule).evaluate(oldSelf === undefined ? { self } : { self, oldSelf })).toEqual(result);
  });

  const refused: { rule: string; reason: string }[] = [
    { rule: 'self.foo(', reason: 'it ends too early' },
    { rule: 'self == 1 1', reason: 'something is left over' },
    { rule: 'self # 1', reason: 'a character that is no part of the language' },
    { rule: 'other == 1', reason: 'a name that nothing stands behind' },
    { rule: 'self.exists(e, e == f)', reason: 'also inside of a macro' },
    { rule: 'quantity(self).isLessThan(quantity("1"))', reason: 'a function that is not understood' },
    { rule: 'self.fly()', reason: 'a method that is not understood' },
    { rule: 'size(self, self)', reason: 'too many arguments' },
    { rule: 'has(self)', reason: 'has needs a member' },
    { rule: "self.matches('(')", reason: 'a pattern that is none' },
    { rule: 'self / 2 == 1', reason: 'an operator that is not understood' },
  ];
  it.each(refused)('refuses $rule: $reason', ({ rule }) => {
    expect(() => compileCel(rule)).toThrow(CelSyntaxError);
  });

  const failing: { rule: string; self: Json; message: string; reason: string }[] = [
    { rule: 'self.a == 1', self: {}, message: 'no such key: a', reason: 'a member that is not there' },
    { rule: 'self[3] == 1', self: [1], message: 'index out of bounds: 3', reason: 'an item that is not there' },
    { rule: 'self < 1', self: 'a', message: 'no such overload', reason: 'values that cannot be compared' },
    { rule: 'self && true', self: 1, message: 'no such overload', reason: 'a number is no truth' },
    { rule: 'oldSelf == self', self: 1, message: 'no such attribute(s): oldSelf', reason: 'there was nothing before' },
  ];
  it.each(failing)('fails on $rule: $reason', ({ rule, self, message }) => {
    expect(() => compileCel(rule).evaluate({ self })).toThrow(new CelEvaluationError(message));
  });

  it('knows which rules compare with the old value', () => {
    expect(compileCel('self == oldSelf').comparesWithOld).toBe(true);
    expect(compileCel('self.exists(x, x == 1)').comparesWithOld).toBe(false);
  });

  it('understands every rule of the Fleet definitions', () => {
    const rules = new Set<string>();
    const collect = (value: Json): void => {
      if (Array.isArray(value)) value.forEach(collect);
      else if (isJsonObject(value)) {
        if (typeof value.rule === 'string') rules.add(value.rule);
        Object.values(value).forEach(collect);
      }
    };
    hubDefinitions().forEach(collect);
    expect(rules.size).toBeGreaterThan(20);
    for (const rule of rules) expect(() => compileCel(rule)).not.toThrow();
  });
});
