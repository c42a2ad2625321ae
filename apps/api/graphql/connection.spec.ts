import { describe, expect, it } from '@jest/globals';
import { MAXIMUM_PAGE_SIZE, type Page } from '#libs/kernel/page.js';
import { loadConnection } from './connection.js';

/** The numbers from 0, in pages whose cursors are the number to go on from. */
function numbersTo(end: number) {
  return (limit: number, cursor: string | undefined): Promise<Page<number>> => {
    const start = cursor === undefined ? 0 : Number(cursor);
    const items = Array.from({ length: Math.min(limit, end - start) }, (_, index) => start + index);
    return Promise.resolve({ items, nextCursor: start + limit < end ? String(start + limit) : null });
  };
}

describe('loadConnection', () => {
  it.each([
    { end: 10, first: 3, reason: 'pages that do not fill up' },
    { end: 9, first: 3, reason: 'pages that do' },
    { end: 1, first: 3, reason: 'less than a page' },
    { end: 3_000, first: MAXIMUM_PAGE_SIZE, reason: 'the largest pages' },
  ])('gives every object once, page by page: $reason', async ({ end, first }) => {
    const seen: number[] = [];
    let after: string | undefined;
    for (;;) {
      const connection = await loadConnection<number, Page<number>>(
        { first, ...(after === undefined ? {} : { after }) },
        numbersTo(end),
      );
      seen.push(...connection.nodes);
      const { hasNextPage, endCursor } = connection.pageInfo();
      if (!hasNextPage) break;
      after = endCursor!;
    }
    expect(seen).toEqual(Array.from({ length: end }, (_, index) => index));
  });

  it('goes on after any edge, also after an edge of such a page', async () => {
    const load = numbersTo(100);
    let after: string | undefined;
    for (const expected of [0, 4, 8, 12]) {
      const connection = await loadConnection({ first: 10, ...(after === undefined ? {} : { after }) }, load);
      expect(connection.nodes[0]).toBe(expected);
      after = connection.edges()[3]!.cursor;
    }
  });

  it('loses nothing where a place lies far inside a large page', async () => {
    const load = numbersTo(2_500);
    const large = await loadConnection({ first: MAXIMUM_PAGE_SIZE }, load);
    const place = large.edges()[700]!.cursor;
    const rest = await loadConnection<number, Page<number>>({ first: MAXIMUM_PAGE_SIZE, after: place }, load);
    expect(rest.nodes[0]).toBe(701);
    const next = await loadConnection({ first: 5, after: rest.pageInfo().endCursor! }, load);
    expect(next.nodes[0]).toBe(rest.nodes.at(-1)! + 1);
  });

  it('has no cursors on an empty page', async () => {
    const connection = await loadConnection({}, numbersTo(0));
    expect(connection.pageInfo()).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: null,
      endCursor: null,
    });
  });
});
