import { delay } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Stack } from '../e2e/stack.js';
import type { Random } from './random.js';

const WORKERS = ['worker', 'second-worker'] as const;
/** Others take over after five. Milliseconds. */
const SHORTEST_STALL_MS = 6_500;
const LONGEST_STALL_MS = 9_000;

export type Disaster = 'kill-worker' | 'stall-worker' | 'drain-worker' | 'kill-database' | 'kill-api';

/** Every disaster once, in some order. */
export function disastersInTurn(random: Random): Disaster[] {
  const left: Disaster[] = ['kill-worker', 'stall-worker', 'drain-worker', 'kill-database', 'kill-api'];
  const order: Disaster[] = [];
  while (left.length > 0) order.push(...left.splice(random.integer(0, left.length - 1), 1));
  return order;
}

/** Lets one disaster happen, and resolves when what it struck is up again. */
export async function strike(disaster: Disaster, stack: Stack, random: Random): Promise<void> {
  const worker = random.pick(WORKERS);
  switch (disaster) {
    case 'kill-worker':
      await stack.kill(worker, 'SIGKILL');
      await delay(random.integer(0, 1_500));
      await stack.run(worker);
      return;
    case 'stall-worker':
      stack.freeze(worker, 'SIGSTOP');
      await delay(random.integer(SHORTEST_STALL_MS, LONGEST_STALL_MS));
      stack.freeze(worker, 'SIGCONT');
      return;
    case 'drain-worker':
      await stack.kill(worker, 'SIGTERM');
      await stack.run(worker);
      return;
    case 'kill-database':
      process.kill(stack.postgres.processId!, 'SIGKILL');
      await stack.postgres.exited();
      await delay(random.integer(0, 1_000));
      await stack.postgres.start();
      return;
    case 'kill-api':
      await stack.kill('api', 'SIGKILL');
      await delay(random.integer(0, 500));
      await stack.run('api');
  }
}

/** A fault of the outside world, as the simulator takes it. */
export function planFault(random: Random): JsonObject {
  const arm = { path: '/providers/microsoft\\.containerservice/' };
  const write = random.pick(['PUT', 'DELETE']);
  const kubernetes = { kind: 'kubernetes' };
  const times = random.integer(1, 4);
  return random.pick<() => JsonObject>([
    () => ({ match: arm, times, fault: { type: 'throttle', retryAfterSeconds: 1 } }),
    () => ({ match: arm, times, fault: { type: 'throttle', retryAfterSeconds: null } }),
    () => ({ match: { ...arm, method: 'GET' }, times, fault: { type: 'error', status: 503 } }),
    () => ({ match: { ...arm, method: write }, times, fault: { type: 'error', status: 500 } }),
    () => ({ match: arm, times, fault: { type: 'error', status: 502, body: 'Bad gateway' } }),
    () => ({ match: arm, times: 1, fault: { type: 'hang', seconds: 4 } }),
    () => ({ match: { ...arm, method: write }, times: 1, fault: { type: 'hang', seconds: 4 } }),
    () => ({ match: arm, times, fault: { type: 'drop' } }),
    () => ({ match: { ...arm, method: write }, times, fault: { type: 'drop' } }),
    () => ({ match: { ...arm, method: write }, times, fault: { type: 'drop-after-effect' } }),
    () => ({ match: { ...arm, method: 'PUT' }, times, fault: { type: 'drop-after-effect' } }),
    () => ({ match: arm, times, fault: { type: 'slow', milliseconds: 1_500 } }),
    () => ({ match: { path: '/operations/' }, times, fault: { type: 'expire-poll-urls' } }),
    () => ({ match: kubernetes, times, fault: { type: 'throttle', retryAfterSeconds: 1 } }),
    () => ({ match: kubernetes, times, fault: { type: 'throttle', retryAfterSeconds: null } }),
    () => ({ match: kubernetes, times, fault: { type: 'error', status: 503 } }),
    () => ({ match: { ...kubernetes, method: 'PATCH' }, times, fault: { type: 'error', status: 500 } }),
    () => ({ match: { ...kubernetes, method: 'PATCH' }, times: 1, fault: { type: 'hang', seconds: 4 } }),
    () => ({ match: { ...kubernetes, method: 'PATCH' }, times, fault: { type: 'slow', milliseconds: 1_500 } }),
    () => ({ match: kubernetes, times, fault: { type: 'drop' } }),
  ])();
}
