import { describe, expect, it } from '@jest/globals';
import { RequestGate } from './request-gate.js';

const never = new AbortController().signal;

describe('RequestGate', () => {
  it('lets in as many as it is wide, and the others in the order of their coming', async () => {
    const gate = new RequestGate(2, 10);
    const seen: string[] = [];
    const [leaveA, leaveB] = await Promise.all([gate.enter(never), gate.enter(never)]);
    const third = gate.enter(never).then((leave) => (seen.push('third'), leave));
    const fourth = gate.enter(never).then((leave) => (seen.push('fourth'), leave));
    leaveA();
    await third;
    expect(seen).toEqual(['third']);
    leaveB();
    await fourth;
    expect(seen).toEqual(['third', 'fourth']);
  });

  it('has room again when everybody has left', async () => {
    const gate = new RequestGate(1, 10);
    for (let round = 0; round < 3; round++) (await gate.enter(never))();
    const leave = await gate.enter(never);
    const waiting = gate.enter(never);
    leave();
    (await waiting)();
    await expect(gate.enter(never)).resolves.toBeDefined();
  });

  it('refuses when too many wait already', async () => {
    const gate = new RequestGate(1, 1);
    await gate.enter(never);
    void gate.enter(never);
    await expect(gate.enter(never)).rejects.toMatchObject({
      code: 'KUBERNETES_THROTTLED',
      retry: { kind: 'backoff' },
    });
  });

  it('forgets who gives up, and gives the place to the next', async () => {
    const gate = new RequestGate(1, 10);
    const leave = await gate.enter(never);
    const impatient = new AbortController();
    const gone = gate.enter(impatient.signal);
    const patient = gate.enter(never);
    impatient.abort(new Error('no more'));
    await expect(gone).rejects.toThrow('no more');
    leave();
    await expect(patient).resolves.toBeDefined();
    await expect(gate.enter(AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});
