import type { Clock } from '#libs/kernel/clock.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ArcClient } from './arc.client.js';

/** Seconds. */
const LONGEST_PAUSE = 60;

/** What the operations of Arc work with. */
export interface ArcParts {
  client: ArcClient;
  kube: Kube;
  clock: Clock;
}

/** When to look again for what people do: ever more rarely, since it can take them a day. */
export function pauseForPeople({ client }: ArcParts, { attempt }: { attempt: number }): number {
  return Math.min(LONGEST_PAUSE, client.arm.pollIntervalSeconds * attempt);
}
