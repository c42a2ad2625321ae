import type { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import { checkAgainst } from '#libs/kernel/schema-violations.js';

/**
 * What the schema makes of a part of a request.
 * @throws ControlError INVALID_REQUEST naming every faulty field.
 */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: 'query' | 'body' | 'argument',
): z.output<Schema> {
  const parsed = checkAgainst(schema, value, UNKNOWN_MEMBER[part]);
  if (parsed.state === 'valid') return parsed.data;
  throw new ControlError('INVALID_REQUEST', SUMMARY[part], { violations: parsed.violations });
}

const SUMMARY = {
  query: 'The query parameters are not valid.',
  body: 'The body is not valid.',
  argument: 'The arguments are not valid.',
} as const;

const UNKNOWN_MEMBER = {
  query: 'There is no such query parameter here.',
  body: 'There is no such field.',
  argument: 'There is no such argument.',
} as const;
