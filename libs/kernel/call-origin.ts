import { AsyncLocalStorage } from 'node:async_hooks';

const origins = new AsyncLocalStorage<string>();
/** Work that nobody in particular has asked for. */
const HOUSE = 'house';

/**
 * Runs work on somebody's account: the calls to outside systems that it makes count as theirs (see the throttle budget).
 * @param caller stable and short, `principal:ada` or `sync`.
 */
export function onAccountOf<T>(caller: string, work: () => T): T {
  return origins.run(caller, work);
}

/** On whose account this code runs. */
export function currentAccount(): string {
  return origins.getStore() ?? HOUSE;
}
