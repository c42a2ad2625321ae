import { Module } from '@nestjs/common';
import { systemClock, type Clock } from '#libs/kernel/clock.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { Kube } from '#libs/kube/kube.js';
import { KUBE } from '#libs/kube/kube.module.js';
import type { System } from '../contract/system.js';
import { AppServiceClient, type AppServiceAzure } from './app-service.client.js';
import { AppServiceCollector } from './app-service.collector.js';
import { appServiceKinds } from './app-service.kinds.js';
import { createAppServiceOperations } from './app-service.operations.js';
import { containerAppsKinds } from './container-apps.kinds.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createAppServiceSystem(azure: AppServiceAzure, kube: Kube, clock: Clock = systemClock): System {
  const client = new AppServiceClient(azure);
  return {
    name: 'app-service',
    kinds: [...appServiceKinds, ...containerAppsKinds],
    collectors: [new AppServiceCollector(client, kube)],
    watchers: [],
    operations: createAppServiceOperations({ client, kube, clock }),
  };
}

/** Injects the App Service `System`. */
export const APP_SERVICE_SYSTEM = Symbol('APP_SERVICE_SYSTEM');

@Module({
  providers: [
    {
      provide: APP_SERVICE_SYSTEM,
      inject: [AZURE, KUBE],
      useFactory: (azure: AppServiceAzure, kube: Kube) => createAppServiceSystem(azure, kube),
    },
  ],
  exports: [APP_SERVICE_SYSTEM],
})
export class AppServiceModule {}
