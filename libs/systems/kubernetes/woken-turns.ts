import { WakeSignal } from '#libs/kernel/wake-signal.js';

type Arrival<Turn> = { arrival: 'turn'; result: IteratorResult<Turn, void> } | { arrival: 'failure'; error: unknown };

/**
 * Turns, and between them `woken` each time that a wake resolves. It ends with the turns, and with the signal.
 * @param startTurns made with a signal that ends them when the consumer goes.
 * @param nextWake asked again after each `woken`; may reject once its signal is aborted.
 */
export async function* wokenTurns<Turn>(
  startTurns: (signal: AbortSignal) => AsyncGenerator<Turn, void, void>,
  nextWake: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Turn | 'woken', void, void> {
  const gone = new AbortController();
  const ended = AbortSignal.any([signal, gone.signal]);
  const turns = startTurns(ended);
  // Not a race of promises: each would keep what was raced against it for as long as it is pending itself.
  const arrived = new WakeSignal();
  let next: Arrival<Turn> | undefined;
  let isWoken = false;
  const fail = (error: unknown): void => {
    next = { arrival: 'failure', error };
    arrived.wake();
  };
  const awaitTurn = (): void => {
    void turns.next().then((result) => {
      next = { arrival: 'turn', result };
      arrived.wake();
    }, fail);
  };
  const awaitWake = (): void => {
    void nextWake(ended).then(
      () => {
        isWoken = true;
        arrived.wake();
      },
      (error: unknown) => {
        if (!ended.aborted) fail(error);
      },
    );
  };
  const takeTurn = (): Arrival<Turn> | undefined => {
    const taken = next;
    next = undefined;
    return taken;
  };
  const takeWake = (): boolean => {
    const taken = isWoken;
    isWoken = false;
    return taken;
  };
  try {
    awaitTurn();
    awaitWake();
    while (!ended.aborted) {
      const turn = takeTurn();
      if (turn?.arrival === 'failure') throw turn.error;
      if (turn !== undefined) {
        if (turn.result.done === true) return;
        yield turn.result.value;
        awaitTurn();
      } else if (takeWake()) {
        yield 'woken';
        awaitWake();
      } else {
        await arrived.sleep(ended);
      }
    }
  } finally {
    gone.abort();
    await turns.return();
  }
}
