import { describe, expect, it } from '@jest/globals';
import { WakeSignal } from './wake-signal.js';

describe('WakeSignal', () => {
  const never = new AbortController().signal;

  it.each([
    { reason: 'a wake before the sleep', arrange: (wakeSignal: WakeSignal) => wakeSignal.wake() },
    { reason: 'a wake during the sleep', arrange: (wakeSignal: WakeSignal) => void setImmediate(wakeSignal.wake) },
  ])('ends a sleep by $reason', async ({ arrange }) => {
    const wakeSignal = new WakeSignal();
    arrange(wakeSignal);
    await expect(wakeSignal.sleep(never)).resolves.toBeUndefined();
  });

  it('ends a sleep by an abort, and by time', async () => {
    const wakeSignal = new WakeSignal();
    const abort = new AbortController();
    setImmediate(() => abort.abort());
    await wakeSignal.sleep(abort.signal);
    await wakeSignal.sleep(abort.signal);
    await wakeSignal.sleep(never, 1);
  });

  it('is used up by the sleep that it ends', async () => {
    const wakeSignal = new WakeSignal();
    wakeSignal.wake();
    wakeSignal.wake();
    await wakeSignal.sleep(never);
    let awake = false;
    const second = wakeSignal.sleep(never).then(() => {
      awake = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(awake).toBe(false);
    wakeSignal.wake();
    await second;
  });
});
