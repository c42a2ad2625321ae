import { Module } from '@nestjs/common';
import type { Azure } from '#libs/azure/azure.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { System } from '../contract/system.js';
import { AksClient } from './aks.client.js';
import { AksCollector } from './aks.collector.js';
import { aksKinds } from './aks.kinds.js';
import { createAksOperations } from './aks.operations.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createAksSystem(azure: Pick<Azure, 'arm' | 'resourceGraph'>): System {
  const client = new AksClient(azure);
  return {
    name: 'aks',
    kinds: aksKinds,
    collectors: [new AksCollector(client)],
    watchers: [],
    operations: createAksOperations(client),
  };
}

/** Injects the AKS `System`. */
export const AKS_SYSTEM = Symbol('AKS_SYSTEM');

@Module({
  providers: [{ provide: AKS_SYSTEM, inject: [AZURE], useFactory: createAksSystem }],
  exports: [AKS_SYSTEM],
})
export class AksModule {}
