import { Module } from '@nestjs/common';
import { systemClock, type Clock } from '#libs/kernel/clock.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { Kube } from '#libs/kube/kube.js';
import { KUBE } from '#libs/kube/kube.module.js';
import { CLUSTER_DIRECTORY, type ClusterDirectory } from '../contract/cluster-directory.js';
import type { System } from '../contract/system.js';
import { fleetAutoUpgradeProfileKind } from './auto-upgrade-profile.kind.js';
import { FleetClient, type FleetAzure } from './fleet.client.js';
import { FleetCollector } from './fleet.collector.js';
import { fleetKind, fleetMemberKind } from './fleet.kinds.js';
import { FleetMembershipDirectory } from './fleet-membership.js';
import { createFleetOperations } from './fleet.operations.js';
import { FleetHubWatcher, fleetObjectKinds } from './fleet-hub.watcher.js';
import { fleetUpdateRunKind } from './update-run.kind.js';
import { fleetUpdateStrategyKind } from './update-strategy.kind.js';

/**
 * Contacts nothing: what it returns does so when it is used.
 * @param clusters what is known of the clusters that objects of Fleet lie in.
 */
export function createFleetSystem(
  azure: FleetAzure,
  kube: Kube,
  clusters: ClusterDirectory,
  clock: Clock = systemClock,
): System {
  const client = new FleetClient(azure);
  const memberships = new FleetMembershipDirectory(client, clock);
  return {
    name: 'fleet',
    kinds: [
      fleetKind,
      fleetMemberKind,
      fleetUpdateRunKind,
      fleetUpdateStrategyKind,
      fleetAutoUpgradeProfileKind,
      ...fleetObjectKinds,
    ],
    collectors: [new FleetCollector(client)],
    watchers: [new FleetHubWatcher({ kube, clusters, memberships })],
    operations: createFleetOperations({ client, kube, clusters, clock }),
  };
}

/** Injects the Fleet `System`. */
export const FLEET_SYSTEM = Symbol('FLEET_SYSTEM');

@Module({
  providers: [
    {
      provide: FLEET_SYSTEM,
      inject: [AZURE, KUBE, CLUSTER_DIRECTORY],
      useFactory: (azure: FleetAzure, kube: Kube, clusters: ClusterDirectory) =>
        createFleetSystem(azure, kube, clusters),
    },
  ],
  exports: [FLEET_SYSTEM],
})
export class FleetModule {}
