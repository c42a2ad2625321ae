import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { checkAgainst } from './schema-violations.js';

const address = z.union([z.ipv4(), z.ipv6()]);

describe('what does not fit a schema', () => {
  it.each<{ reason: string; schema: z.ZodType; value: unknown; violations: unknown }>([
    {
      reason: 'every field that is missing, whatever its type',
      schema: z.strictObject({ name: z.string(), count: z.int(), mode: z.enum(['a', 'b']), address }),
      value: {},
      violations: ['name', 'count', 'mode', 'address'].map((path) => ({ path, message: 'must be given' })),
    },
    {
      reason: 'a value of another type',
      schema: z.strictObject({ name: z.string(), list: z.array(z.string()), flag: z.boolean() }),
      value: { name: 3, list: 'a', flag: 'yes' },
      violations: [
        { path: 'name', message: 'must be a text' },
        { path: 'list', message: 'must be a list' },
        { path: 'flag', message: 'must be true or false' },
      ],
    },
    {
      reason: 'none of several forms, by what each finds fault with',
      schema: z.strictObject({ address }),
      value: { address: '999.1.1.1' },
      violations: [{ path: 'address', message: 'Invalid IPv4 address, or: Invalid IPv6 address' }],
    },
    {
      reason: 'the same fault of several forms, once',
      schema: z.strictObject({ address }),
      value: { address: 3 },
      violations: [{ path: 'address', message: 'must be a text' }],
    },
    {
      reason: 'what the schema itself says stands',
      schema: z.strictObject({ name: z.string('must be given once') }),
      value: {},
      violations: [{ path: 'name', message: 'must be given once' }],
    },
    {
      reason: 'members that there are not, each, with long names cut',
      schema: z.strictObject({ inner: z.strictObject({}) }),
      value: { inner: { ['x'.repeat(200)]: 1 }, other: 2 },
      violations: [
        { path: `inner.${'x'.repeat(100)}…`, message: 'There is no such field.' },
        { path: 'other', message: 'There is no such field.' },
      ],
    },
  ])('is told: $reason', ({ schema, value, violations }) => {
    expect(checkAgainst(schema, value)).toEqual({ state: 'faulty', violations });
  });

  it('is not told of what fits', () => {
    expect(checkAgainst(z.strictObject({ count: z.coerce.number() }), { count: '3' })).toEqual({
      state: 'valid',
      data: { count: 3 },
    });
  });
});
