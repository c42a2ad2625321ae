import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Observation } from './observation.js';
import { mapPage } from './observation-batch.js';
import {
  collectionOutcome,
  furtherPart,
  lookIntoPage,
  observePages,
  type CollectedPages,
  type ReadPage,
  type Shortfall,
} from './observed-pages.js';

const throttled = new ControlError('AZURE_THROTTLED', 'Too many requests.');
const unreadable = new ControlError('AZURE_UNEXPECTED_ANSWER', 'An item has no id.');
const readings = { observedAt: new Date(0), source: 'ARM' } as const;

async function* pages(ending: CollectedPages, ...read: JsonObject[][]): AsyncGenerator<ReadPage, CollectedPages, void> {
  for (const items of read) yield { items, ...readings };
  return ending;
}

function seenOf(item: JsonObject): Observation[] {
  if (typeof item.id !== 'string') throw unreadable;
  return [{ canonicalId: item.id } as Observation];
}

async function drain(part: AsyncGenerator<Observation[], Shortfall | undefined, void>) {
  const seen: string[][] = [];
  for (;;) {
    const next = await part.next();
    if (next.done === true) return { seen, shortfall: next.value };
    seen.push(next.value.map(({ canonicalId }) => canonicalId));
  }
}

describe('what pages show', () => {
  it.each<{ reason: string; ending: CollectedPages; read: JsonObject[][]; seen: string[][]; problem?: ControlError }>([
    {
      reason: 'every page was read',
      ending: { state: 'complete' },
      read: [[{ id: 'a' }], [{ id: 'b' }]],
      seen: [['a'], ['b']],
    },
    { reason: 'there is nothing', ending: { state: 'complete' }, read: [], seen: [] },
    {
      reason: 'the pages ended early',
      ending: { state: 'partial', problem: throttled },
      read: [[{ id: 'a' }]],
      seen: [['a']],
      problem: throttled,
    },
    {
      reason: 'an item cannot be understood: the others are still seen, on its page and on later ones',
      ending: { state: 'complete' },
      read: [[{ id: 'a' }, {}], [{ id: 'b' }]],
      seen: [['a'], ['b']],
      problem: unreadable,
    },
    {
      reason: 'the end of the pages says more than an item that cannot be understood',
      ending: { state: 'partial', problem: throttled },
      read: [[{}]],
      seen: [],
      problem: throttled,
    },
  ])('$reason', async ({ ending, read, seen, problem }) => {
    const part = observePages(pages(ending, ...read), (items) => mapPage(items, seenOf), 'Some are missing.');
    const shortfall = problem === undefined ? undefined : { problem, missing: 'Some are missing.' };
    expect(await drain(part)).toEqual({ seen, shortfall });
  });
});

describe('a further part', () => {
  // eslint-disable-next-line require-yield -- it fails before it has anything to yield
  async function* failing(error: Error): AsyncGenerator<Observation[], Shortfall | undefined, void> {
    throw error;
  }

  it('is a shortfall when it is refused as a whole', async () => {
    expect(await drain(furtherPart(failing(throttled), 'No roles.'))).toEqual({
      seen: [],
      shortfall: { problem: throttled, missing: 'No roles.' },
    });
  });

  it('does not hide a fault in our code', async () => {
    await expect(drain(furtherPart(failing(new TypeError('undefined')), 'No roles.'))).rejects.toThrow(TypeError);
  });
});

describe('items that are looked into', () => {
  const items = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id }));

  it('are so many at once and no more, and keep their order', async () => {
    let now = 0;
    let most = 0;
    const { batches, problem } = await lookIntoPage(items, 2, async (item) => {
      most = Math.max(most, (now += 1));
      await Promise.resolve();
      now -= 1;
      return seenOf(item);
    });
    expect(most).toBe(2);
    expect(batches.flat().map(({ canonicalId }) => canonicalId)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(problem).toBeUndefined();
  });

  it('are left out alone when there is a problem with one', async () => {
    const { batches, problem } = await lookIntoPage(items, 2, async (item) => {
      if (item.id === 'c') throw throttled;
      return seenOf(item);
    });
    expect(batches.flat().map(({ canonicalId }) => canonicalId)).toEqual(['a', 'b', 'd', 'e']);
    expect(problem).toBe(throttled);
  });

  it('do not hide a fault in our code', async () => {
    await expect(
      lookIntoPage(items, 2, async () => {
        throw new TypeError('undefined');
      }),
    ).rejects.toThrow(TypeError);
  });
});

describe('the outcome of a run', () => {
  it.each<{ reason: string; parts: (Shortfall | undefined)[]; outcome: unknown }>([
    { reason: 'nothing is missing', parts: [undefined, undefined], outcome: { state: 'complete' } },
    {
      reason: 'the first problem stands for all, and all that is missing is told',
      parts: [undefined, { problem: throttled, missing: 'No pools.' }, { problem: unreadable, missing: 'No roles.' }],
      outcome: { state: 'partial', problem: throttled, missing: 'No pools. No roles.' },
    },
  ])('$reason', ({ parts, outcome }) => {
    expect(collectionOutcome(...parts)).toEqual(outcome);
  });
});
