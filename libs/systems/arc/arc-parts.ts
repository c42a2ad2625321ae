import type { Clock } from '#libs/kernel/clock.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ArcClient } from './arc.client.js';

/** What the operations of Arc work with. */
export interface ArcParts {
  client: ArcClient;
  kube: Kube;
  clock: Clock;
}
