import { Module } from '@nestjs/common';
import type { Azure } from '#libs/azure/azure.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { Kube } from '#libs/kube/kube.js';
import { KUBE } from '#libs/kube/kube.module.js';
import { CLUSTER_DIRECTORY, type ClusterDirectory } from '../contract/cluster-directory.js';
import type { System } from '../contract/system.js';
import { ContainerGroupAdvisor } from './container-group.advisor.js';
import { VirtualNodeAdvisor } from './virtual-node.advisor.js';
import { VirtualNodeWatcher } from './virtual-node.watcher.js';
import { VirtualNodesClient } from './virtual-nodes.client.js';
import { VirtualNodesCollector } from './virtual-nodes.collector.js';
import { virtualNodesKinds } from './virtual-nodes.kinds.js';
import { createVirtualNodesOperations } from './virtual-nodes.operations.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createVirtualNodesSystem(
  azure: Pick<Azure, 'arm' | 'resourceGraph'>,
  kube: Kube,
  clusters: ClusterDirectory,
): System {
  const client = new VirtualNodesClient(azure);
  return {
    name: 'virtual-nodes',
    kinds: virtualNodesKinds,
    collectors: [new VirtualNodesCollector(client, kube)],
    watchers: [new VirtualNodeWatcher({ client, kube, clusters })],
    operations: createVirtualNodesOperations({ client, kube, clusters }),
    advisors: [new ContainerGroupAdvisor(client, kube), new VirtualNodeAdvisor(client, clusters)],
  };
}

/** Injects the `System` of virtual nodes. */
export const VIRTUAL_NODES_SYSTEM = Symbol('VIRTUAL_NODES_SYSTEM');

@Module({
  providers: [
    {
      provide: VIRTUAL_NODES_SYSTEM,
      inject: [AZURE, KUBE, CLUSTER_DIRECTORY],
      useFactory: createVirtualNodesSystem,
    },
  ],
  exports: [VIRTUAL_NODES_SYSTEM],
})
export class VirtualNodesModule {}
