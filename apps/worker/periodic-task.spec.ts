import { describe, expect, it } from '@jest/globals';
import { PeriodicTask } from './periodic-task.js';

describe('PeriodicTask', () => {
  it('goes on after a failure, never runs twice at once, and stops for good', async () => {
    let runs = 0;
    let inside = 0;
    let overlaps = 0;
    const failures: unknown[] = [];
    const enough = Promise.withResolvers<void>();
    const task = new PeriodicTask({
      intervalMs: 1,
      run: async () => {
        inside += 1;
        if (inside > 1) overlaps += 1;
        runs += 1;
        await Promise.resolve();
        inside -= 1;
        if (runs === 2) throw new TypeError('the second run fails');
        if (runs === 4) enough.resolve();
      },
      onFailure: (error) => failures.push(error),
    });
    task.start();
    task.start();
    await enough.promise;
    await task.stop();
    const after = runs;
    expect(failures).toHaveLength(1);
    expect(overlaps).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runs).toBe(after);
  });

  it('aborts the run under way when it is stopped, and does not call that a failure', async () => {
    const failures: unknown[] = [];
    const started = Promise.withResolvers<void>();
    const task = new PeriodicTask({
      intervalMs: 60_000,
      run: (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          started.resolve();
        }),
      onFailure: (error) => failures.push(error),
    });
    task.start();
    await started.promise;
    await task.stop();
    expect(failures).toEqual([]);
  });
});
