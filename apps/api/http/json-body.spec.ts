import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { parseJsonBody, requireStorableJson } from './json-body.js';

function refusalOf(work: () => unknown): ControlError {
  try {
    work();
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

describe('parseJsonBody', () => {
  it.each<{ body: string; value: unknown; reason: string }>([
    { body: '', value: undefined, reason: 'an empty body is no value' },
    { body: '{"a":[1,"b",null,true]}', value: { a: [1, 'b', null, true] }, reason: 'an object' },
    { body: '"\\ud83d\\ude80 🚀"', value: '🚀 🚀', reason: 'whole surrogate pairs are characters' },
    {
      body: '{"constructor":{"prototype":1}}',
      value: { constructor: { prototype: 1 } },
      reason: 'a name like another',
    },
  ])('$reason', ({ body, value }) => {
    expect(parseJsonBody(Buffer.from(body))).toEqual(value);
  });

  it('tells where the JSON ends to be JSON, and nothing of what is in it', () => {
    const error = refusalOf(() => parseJsonBody(Buffer.from('{"token":"hunter2",}')));
    expect(error.code).toBe('MALFORMED_JSON');
    expect(error.message).toMatch(/character 19/);
    expect(error.message).not.toContain('hunter2');
  });
});

describe('requireStorableJson', () => {
  it.each([
    { value: { a: { b: ['x', 'y\0'] } }, path: 'input.a.b.1', reason: 'NUL in a text' },
    { value: { a: '\ud800' }, path: 'input.a', reason: 'half of a surrogate pair' },
    { value: { 'a\0': 1 }, path: 'input', reason: 'NUL in a name' },
    {
      value: JSON.parse('{"a":{"__proto__":{}}}') as object,
      path: 'input.a.__proto__',
      reason: 'a way into the prototype',
    },
  ])('names the place of $reason', ({ value, path }) => {
    const error = refusalOf(() => requireStorableJson(value, 'input'));
    expect(error.code).toBe('INVALID_REQUEST');
    expect(error.violations.map((violation) => violation.path)).toEqual([path]);
  });

  it('takes 64 levels and no more, without a deep stack', () => {
    const nested = (levels: number): unknown => {
      let value: unknown = 1;
      for (let level = 0; level < levels; level++) value = [value];
      return value;
    };
    expect(() => requireStorableJson(nested(64), '')).not.toThrow();
    expect(refusalOf(() => requireStorableJson(nested(65), '')).code).toBe('INVALID_REQUEST');
    expect(refusalOf(() => requireStorableJson(nested(200_000), '')).code).toBe('INVALID_REQUEST');
  });
});
