import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ComponentSchemas } from './component-schemas.js';

describe('ComponentSchemas', () => {
  const inner = z.object({ x: z.int() }).meta({ id: 'ComponentInner', description: 'Inside.' });

  it('puts every schema with an id under its name, and refers to it', () => {
    const schemas = new ComponentSchemas();
    const reference = schemas.addOutput('Outer', z.object({ inner: inner.describe('There.'), list: z.array(inner) }));
    expect(reference).toEqual({ $ref: '#/components/schemas/Outer' });
    expect(schemas.toObject()).toEqual({
      ComponentInner: {
        type: 'object',
        description: 'Inside.',
        properties: { x: { type: 'integer' } },
        required: ['x'],
      },
      Outer: {
        type: 'object',
        properties: {
          inner: { $ref: '#/components/schemas/ComponentInner', description: 'There.' },
          list: { type: 'array', items: { $ref: '#/components/schemas/ComponentInner' } },
        },
        required: ['inner', 'list'],
      },
    });
    expect(schemas.addOutput('ComponentInner', inner)).toEqual({ $ref: '#/components/schemas/ComponentInner' });
  });

  it('says that an input may have nothing else, and an answer may', () => {
    const schemas = new ComponentSchemas();
    schemas.addInput('Given', z.strictObject({ a: z.string().default('b') }));
    schemas.addOutput('Answered', z.object({ a: z.string() }));
    expect(schemas.toObject()).toEqual({
      Answered: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
      Given: { type: 'object', properties: { a: { type: 'string', default: 'b' } }, additionalProperties: false },
    });
  });

  it('refuses two schemas under one name', () => {
    const schemas = new ComponentSchemas();
    schemas.addOutput('Twice', z.object({ a: z.string() }));
    expect(() => schemas.addOutput('Twice', z.object({ a: z.int() }))).toThrow(TypeError);
  });
});
