import type { z } from 'zod';

/** One key of the configuration: an environment variable with its meaning. */
export interface Setting<Schema extends z.ZodType = z.ZodType> {
  variable: string;
  description: string;
  schema: Schema;
  /** As it would be written in the environment; undefined: there is none. */
  default: string | undefined;
  /** Whether the process cannot do without it. */
  required: boolean;
  /** Its value is wrapped in a `Secret` and shown nowhere. */
  secret: boolean;
}

interface Description {
  variable: string;
  description: string;
  default?: string;
  required?: boolean;
  secret?: boolean;
}

/** @param schema parses the text of the variable; an empty variable counts as absent. */
export function setting<Schema extends z.ZodType>(schema: Schema, described: Description): Setting<Schema> {
  return {
    schema,
    variable: described.variable,
    description: described.description,
    default: described.default,
    required: described.required ?? false,
    secret: described.secret ?? false,
  };
}
