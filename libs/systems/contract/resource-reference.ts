import { z } from 'zod';

/** An input field that names a resource: its uid or its id (an ARM id, or `kubernetes://…`). What it may be is said in the definition's `references`. */
export function resourceReference(description: string) {
  return z.string().trim().min(1).max(2048).describe(`${description} (uid or id)`);
}
