import { Module } from '@nestjs/common';
import { systemClock, type Clock } from '#libs/kernel/clock.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { Kube } from '#libs/kube/kube.js';
import { KUBE } from '#libs/kube/kube.module.js';
import type { System } from '../contract/system.js';
import { ArcClient, type ArcAzure } from './arc.client.js';
import { ArcCollector } from './arc.collector.js';
import { arcKinds } from './arc.kinds.js';
import { createArcOperations } from './arc.operations.js';
import { AttachedClusterAdvisor } from './attached-cluster.advisor.js';
import { ConnectedClusterAdvisor } from './connected-cluster.advisor.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createArcSystem(azure: ArcAzure, kube: Kube, clock: Clock = systemClock): System {
  const client = new ArcClient(azure);
  return {
    name: 'arc',
    kinds: arcKinds,
    collectors: [new ArcCollector(client)],
    watchers: [],
    advisors: [new ConnectedClusterAdvisor(client, kube), new AttachedClusterAdvisor(kube)],
    operations: createArcOperations({ client, kube, clock }),
  };
}

/** Injects the Arc `System`. */
export const ARC_SYSTEM = Symbol('ARC_SYSTEM');

@Module({
  providers: [
    {
      provide: ARC_SYSTEM,
      inject: [AZURE, KUBE],
      useFactory: (azure: ArcAzure, kube: Kube) => createArcSystem(azure, kube),
    },
  ],
  exports: [ARC_SYSTEM],
})
export class ArcModule {}
