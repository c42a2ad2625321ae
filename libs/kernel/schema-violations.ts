import type { z } from 'zod';
import type { Violation } from './control-error.js';

/**
 * Checks what came from outside against a schema, and tells of every faulty field in words of its sender, who knows no schema.
 * What the schema itself says about a field is left as it is.
 * @param unknownMember what is said of a member that the schema does not have.
 */
export function checkAgainst<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  unknownMember = 'There is no such field.',
): { state: 'valid'; data: z.output<Schema> } | { state: 'faulty'; violations: Violation[] } {
  const parsed = schema.safeParse(value, { error: faultOf });
  if (parsed.success) return { state: 'valid', data: parsed.data };
  return { state: 'faulty', violations: parsed.error.issues.flatMap((issue) => violationsOf(issue, unknownMember)) };
}

function violationsOf(issue: z.core.$ZodIssue, unknownMember: string): Violation[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.'), message: issue.message }];
  return issue.keys.map((key) => ({ path: [...path, shortened(key)].join('.'), message: unknownMember }));
}

/** Undefined leaves the words to the schema's library. */
function faultOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined) return 'must be given';
  switch (issue.code) {
    case 'invalid_type':
      return EXPECTED.get(issue.expected);
    case 'invalid_union':
      return alternatives(issue.errors);
    default:
      return undefined;
  }
}

const EXPECTED = new Map([
  ['string', 'must be a text'],
  ['number', 'must be a number'],
  ['int', 'must be a whole number'],
  ['boolean', 'must be true or false'],
  ['object', 'must be an object'],
  ['record', 'must be an object'],
  ['array', 'must be a list'],
  ['null', 'must be null'],
]);

/** What each of the possible forms finds fault with. */
function alternatives(errors: readonly (readonly z.core.$ZodIssue[])[]): string | undefined {
  const faults = errors.flat().map(({ path, message }) => [...path.map(String), message].join(': '));
  return faults.length === 0 ? undefined : [...new Set(faults)].join(', or: ');
}

function shortened(key: string): string {
  return key.length > 100 ? `${key.slice(0, 100)}…` : key;
}
