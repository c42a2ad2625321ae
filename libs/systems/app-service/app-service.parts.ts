import type { Clock } from '#libs/kernel/clock.js';
import type { Kube } from '#libs/kube/kube.js';
import type { AppServiceClient } from './app-service.client.js';

/** What the operations of App Service and Container Apps work with. */
export interface AppServiceParts {
  client: AppServiceClient;
  kube: Kube;
  clock: Clock;
}
