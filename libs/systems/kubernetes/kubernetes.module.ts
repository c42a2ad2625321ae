import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { systemClock, type Clock } from '#libs/kernel/clock.js';
import type { Kube } from '#libs/kube/kube.js';
import { KUBE } from '#libs/kube/kube.module.js';
import { CLUSTER_DIRECTORY, type ClusterDirectory } from '../contract/cluster-directory.js';
import type { System } from '../contract/system.js';
import { PodAdvisor } from './advice/pod.advisor.js';
import { WorkloadAdvisor } from './advice/workload.advisor.js';
import { KubernetesClient } from './kubernetes.client.js';
import { kubernetesKinds } from './kubernetes.kinds.js';
import { createKubernetesOperations } from './kubernetes.operations.js';
import type { KubernetesOptions, KubernetesSelection } from './kubernetes.options.js';
import { KubernetesWatcher } from './kubernetes.watcher.js';

/** Contacts nothing: what it returns does so when it is used. */
export function createKubernetesSystem(kube: Kube, options: KubernetesOptions, clock: Clock = systemClock): System {
  const client = new KubernetesClient(kube);
  return {
    name: 'kubernetes',
    kinds: kubernetesKinds,
    collectors: [],
    watchers: [new KubernetesWatcher(kube, options, clock)],
    operations: createKubernetesOperations(kube),
    advisors: [new PodAdvisor(client, clock), new WorkloadAdvisor(client)],
  };
}

/** Injects the Kubernetes `System`. */
export const KUBERNETES_SYSTEM = Symbol('KUBERNETES_SYSTEM');

const SELECTION = Symbol('KUBERNETES_SELECTION');

@Module({})
export class KubernetesModule {
  /** @param selection where it is said what is watched: `{ inject: [CONFIG], useFactory: (config) => config.watch }`. */
  static register(selection: Pick<FactoryProvider<KubernetesSelection>, 'inject' | 'useFactory'>): DynamicModule {
    return {
      module: KubernetesModule,
      providers: [
        { provide: SELECTION, inject: selection.inject ?? [], useFactory: selection.useFactory },
        {
          provide: KUBERNETES_SYSTEM,
          inject: [KUBE, CLUSTER_DIRECTORY, SELECTION],
          useFactory: (kube: Kube, clusters: ClusterDirectory, given: KubernetesSelection) =>
            createKubernetesSystem(kube, { clusters, ...given }),
        },
      ],
      exports: [KUBERNETES_SYSTEM],
    };
  }
}
