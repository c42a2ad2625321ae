import type { z } from 'zod';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';

/**
 * What the schema makes of a part of a request.
 * @throws ControlError INVALID_REQUEST naming every faulty field.
 */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: 'query' | 'body' | 'argument',
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ControlError('INVALID_REQUEST', SUMMARY[part], { violations: violationsOf(parsed.error, part) });
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

function violationsOf(error: z.ZodError, part: keyof typeof UNKNOWN_MEMBER): Violation[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, shortened(key)].join('.'), message: UNKNOWN_MEMBER[part] }));
    }
    return [{ path: path.join('.'), message: issue.message }];
  });
}

function shortened(key: string): string {
  return key.length > 100 ? `${key.slice(0, 100)}…` : key;
}
