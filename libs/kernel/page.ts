import { ControlError } from './control-error.js';

export const DEFAULT_PAGE_SIZE = 100;
export const MAXIMUM_PAGE_SIZE = 1000;

/** A part of a list. `nextCursor` is null at the end. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** Turns "one row more than asked for" into a page. */
export function pageOf<T>(rows: T[], limit: number, cursorOf: (last: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}

/** An opaque cursor: the list it belongs to and the key of the last row, as base64url JSON. It holds no secret. */
export function encodeCursor(list: string, key: readonly (string | number | null)[]): string {
  return Buffer.from(JSON.stringify([list, ...key]), 'utf8').toString('base64url');
}

/**
 * The key that `encodeCursor` was given.
 * @throws ControlError INVALID_CURSOR when the text is no cursor, belongs to another list, or has another shape.
 */
export function decodeCursor(list: string, length: number, cursor: string): (string | number | null)[] {
  const refuse = (cause?: unknown): never => {
    throw new ControlError(
      'INVALID_CURSOR',
      'The cursor was not issued by this list with these filters and this order.',
      {
        remedy: 'Start again without a cursor.',
        cause,
      },
    );
  };
  if (cursor.length > 4096 || !/^[A-Za-z0-9_-]+$/.test(cursor)) return refuse();
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(error);
    throw error;
  }
  if (!Array.isArray(parsed) || parsed.length !== length + 1 || parsed[0] !== list) return refuse();
  const key: unknown[] = parsed.slice(1);
  if (!key.every((part) => part === null || typeof part === 'string' || typeof part === 'number')) return refuse();
  return key;
}
