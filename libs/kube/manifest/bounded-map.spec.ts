import { describe, expect, it } from '@jest/globals';
import { boundedMap } from './bounded-map.js';

describe('a bounded map', () => {
  it('keeps the order, and never does more at a time than allowed', async () => {
    let running = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const results = boundedMap([1, 2, 3, 4, 5], 2, async (item) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running -= 1;
      return item * 10;
    });
    // The later one of two is let go first.
    for (let done = 0; done < 5; done++) {
      waiting.pop()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect(results).resolves.toEqual([10, 20, 30, 40, 50]);
    expect(most).toBe(2);
  });

  it('begins nothing more after a failure', async () => {
    const begun: number[] = [];
    const results = boundedMap([1, 2, 3], 1, (item) => {
      begun.push(item);
      return item === 2 ? Promise.reject(new Error('no')) : Promise.resolve(item);
    });
    await expect(results).rejects.toThrow('no');
    expect(begun).toEqual([1, 2]);
  });

  it('has nothing to do with nothing', async () => {
    await expect(boundedMap([], 3, (item) => Promise.resolve(item))).resolves.toEqual([]);
  });
});
