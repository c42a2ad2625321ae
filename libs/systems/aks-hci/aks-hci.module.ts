import { Module } from '@nestjs/common';
import type { Azure } from '#libs/azure/azure.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { System } from '../contract/system.js';
import { AksHciClient } from './aks-hci.client.js';
import { AksHciCollector } from './aks-hci.collector.js';
import { aksHciKinds } from './aks-hci.kinds.js';
import { createAksHciOperations } from './aks-hci.operations.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createAksHciSystem(azure: Pick<Azure, 'arm'>): System {
  const client = new AksHciClient(azure);
  return {
    name: 'aks-hci',
    kinds: aksHciKinds,
    collectors: [new AksHciCollector(client)],
    watchers: [],
    operations: createAksHciOperations(client),
  };
}

/** Injects the `System` of AKS on Azure Stack HCI. */
export const AKS_HCI_SYSTEM = Symbol('AKS_HCI_SYSTEM');

@Module({
  providers: [{ provide: AKS_HCI_SYSTEM, inject: [AZURE], useFactory: createAksHciSystem }],
  exports: [AKS_HCI_SYSTEM],
})
export class AksHciModule {}
