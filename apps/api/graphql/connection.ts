import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, DEFAULT_PAGE_SIZE, encodeCursor, MAXIMUM_PAGE_SIZE, type Page } from '#libs/kernel/page.js';

/** Marks a cursor that stands for a place inside a page; the pages' own cursors never hold a full stop. */
const PLACE_PREFIX = 'e.';

export interface ConnectionArguments {
  first?: number;
  after?: string;
}

export interface Edge<T> {
  node: T;
  cursor: string;
}

export interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}

/** A page as Relay wants it. Edges are made when they are asked for, which they seldom are. */
export interface Connection<T, P extends Page<T> = Page<T>> {
  page: P;
  nodes: T[];
  edges(): Edge<T>[];
  pageInfo(): PageInfo;
}

/**
 * Loads a page and makes a connection of it. The lists give a cursor for the end of a page only, so an edge inside a page
 * has the cursor "so many after the page's beginning".
 * @throws ControlError INVALID_REQUEST for an absurd `first`, INVALID_CURSOR.
 */
export async function loadConnection<T, P extends Page<T>>(
  { first = DEFAULT_PAGE_SIZE, after }: ConnectionArguments,
  load: (limit: number, cursor: string | undefined) => Promise<P>,
): Promise<Connection<T, P>> {
  requirePageSize(first);
  const { cursor, skip } = placeOf(after);
  const page = await load(Math.min(first + skip, MAXIMUM_PAGE_SIZE), cursor);
  const nodes = skip === 0 ? page.items : page.items.slice(skip);
  const cursorAt = (index: number): string => {
    const atEnd = index === nodes.length - 1 && page.nextCursor !== null;
    return atEnd ? page.nextCursor! : PLACE_PREFIX + encodeCursor('edge', [cursor ?? null, skip + index + 1]);
  };
  return {
    page,
    nodes,
    edges: () => nodes.map((node, index) => ({ node, cursor: cursorAt(index) })),
    pageInfo: () => ({
      hasNextPage: page.nextCursor !== null,
      hasPreviousPage: after !== undefined,
      startCursor: nodes.length === 0 ? null : cursorAt(0),
      endCursor: nodes.length === 0 ? page.nextCursor : cursorAt(nodes.length - 1),
    }),
  };
}

/** @throws ControlError INVALID_REQUEST */
export function requirePageSize(first: number): void {
  if (Number.isInteger(first) && first >= 1 && first <= MAXIMUM_PAGE_SIZE) return;
  throw new ControlError('INVALID_REQUEST', 'The arguments are not valid.', {
    violations: [{ path: 'first', message: `must be a whole number from 1 to ${MAXIMUM_PAGE_SIZE}` }],
  });
}

function placeOf(after: string | undefined): { cursor: string | undefined; skip: number } {
  if (after?.startsWith(PLACE_PREFIX) !== true) return { cursor: after, skip: 0 };
  const [cursor, skip] = decodeCursor('edge', 2, after.slice(PLACE_PREFIX.length));
  const cursorIsSound = cursor === null || typeof cursor === 'string';
  if (cursorIsSound && typeof skip === 'number' && Number.isInteger(skip) && skip >= 1 && skip <= MAXIMUM_PAGE_SIZE) {
    return { cursor: cursor ?? undefined, skip };
  }
  throw new ControlError('INVALID_CURSOR', 'The cursor was not issued by this list.');
}
