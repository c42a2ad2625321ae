import type { SimulatedCluster } from '../cluster.objects.js';
import { type ClusterControllers, startClusterControllers } from './controller.manager.js';
import type { ClusterControllerOptions } from './controller.options.js';
import { ensureNodes, type NodePool } from './node-pool.js';

/** An ordinary cluster that is alive: its controllers run, and it has the nodes of its pools. */
export class ClusterRuntime {
  readonly #controllers: ClusterControllers;

  /** @param options see `controllerOptions` for what most clusters have */
  constructor(
    readonly cluster: SimulatedCluster,
    private readonly options: ClusterControllerOptions,
  ) {
    this.#controllers = startClusterControllers(cluster, options);
  }

  /** Makes, changes and removes nodes until they are those of the pools. Called again whenever the pools change. */
  setNodePools(pools: readonly NodePool[]): void {
    ensureNodes(this.#controllers.view, pools, this.options);
  }

  /** Stops the controllers. The objects stay as they are; the cluster itself is not closed. */
  close(): void {
    this.#controllers.close();
  }
}
