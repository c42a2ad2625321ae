import { Module } from '@nestjs/common';
import type { Azure } from '#libs/azure/azure.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { System } from '../contract/system.js';
import { FleetClient } from './fleet.client.js';
import { FleetCollector } from './fleet.collector.js';
import { fleetKinds } from './fleet.kinds.js';
import { createFleetOperations } from './fleet.operations.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createFleetSystem(azure: Pick<Azure, 'arm' | 'resourceGraph' | 'subscriptions'>): System {
  const client = new FleetClient(azure);
  return {
    name: 'fleet',
    kinds: fleetKinds,
    collectors: [new FleetCollector(client)],
    watchers: [],
    operations: createFleetOperations(client),
  };
}

/** Injects the Fleet `System`. */
export const FLEET_SYSTEM = Symbol('FLEET_SYSTEM');

@Module({
  providers: [{ provide: FLEET_SYSTEM, inject: [AZURE], useFactory: createFleetSystem }],
  exports: [FLEET_SYSTEM],
})
export class FleetModule {}
