import { Module } from '@nestjs/common';
import type { Azure } from '#libs/azure/azure.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { System } from '../contract/system.js';
import { AzureClient } from './azure.client.js';
import { createAzureOperations } from './azure.operations.js';

/** What concerns Azure itself rather than one of the systems on it. Contacts nothing: what it returns does so when used. */
export function createAzureSystem(azure: Pick<Azure, 'arm'>): System {
  return {
    name: 'azure',
    kinds: [],
    collectors: [],
    watchers: [],
    operations: createAzureOperations(new AzureClient(azure)),
  };
}

/** Injects the Azure `System`. */
export const AZURE_SYSTEM = Symbol('AZURE_SYSTEM');

@Module({
  providers: [{ provide: AZURE_SYSTEM, inject: [AZURE], useFactory: createAzureSystem }],
  exports: [AZURE_SYSTEM],
})
export class AzureSystemModule {}
