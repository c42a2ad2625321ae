import type { Controller, ControllerContext } from './controller.js';
import type { SimulatedCluster } from '../cluster.objects.js';
import { ClusterView } from './cluster.view.js';
import type { ClusterControllerOptions } from './controller.options.js';
import { DaemonSetController } from './daemon-set.controller.js';
import { DeploymentController } from './deployment.controller.js';
import { EndpointController } from './endpoint.controller.js';
import { EventRecorder } from './event.recorder.js';
import { JobController } from './job.controller.js';
import { Kubelet } from './kubelet.js';
import { NamespaceController } from './namespace.controller.js';
import { NodeController } from './node.controller.js';
import { ReplicaSetController } from './replica-set.controller.js';
import { Scheduler } from './scheduler.js';
import { ServiceController } from './service.controller.js';
import { StatefulSetController } from './stateful-set.controller.js';
import { VirtualKubelet } from './virtual-kubelet.js';
import { VolumeController } from './volume.controller.js';

/** The running controllers of one cluster. */
export class ClusterControllers {
  constructor(
    readonly view: ClusterView,
    readonly events: EventRecorder,
    private readonly controllers: readonly Controller[],
  ) {}

  close(): void {
    for (const controller of this.controllers) controller.close();
    this.events.close();
    this.view.close();
  }
}

/**
 * Starts what an ordinary cluster runs: the controller manager, the scheduler, its kubelets and Azure's load balancer. Owner
 * references and the end of namespaces are looked after by the API server itself. Objects that the cluster got otherwise than
 * by events (a restored snapshot) must be there before.
 */
export function startClusterControllers(
  cluster: SimulatedCluster,
  options: ClusterControllerOptions,
): ClusterControllers {
  const context = contextOf(cluster, options);
  return new ClusterControllers(context.view, context.events, [
    new NamespaceController(context),
    new NodeController(context),
    new DeploymentController(context),
    new ReplicaSetController(context),
    new StatefulSetController(context),
    new DaemonSetController(context),
    new JobController(context),
    new VolumeController(context),
    new ServiceController(context),
    new EndpointController(context),
    new Scheduler(context),
    new Kubelet(context),
    ...(options.containerGroups === undefined ? [] : [new VirtualKubelet(context, options.containerGroups)]),
  ]);
}

/**
 * Starts what a fleet's hub runs: the same controllers of workloads, whose replica sets and pods its admission refuses, but
 * no scheduler and no nodes. The fleet's own controllers are those of `FleetRuntime`.
 */
export function startHubControllers(hub: SimulatedCluster, options: ClusterControllerOptions): ClusterControllers {
  const context = contextOf(hub, options);
  return new ClusterControllers(context.view, context.events, [
    new NamespaceController(context),
    new DeploymentController(context),
    new ServiceController(context),
  ]);
}

function contextOf(cluster: SimulatedCluster, options: ClusterControllerOptions): ControllerContext {
  const view = new ClusterView(cluster);
  return { view, loop: options.loop, options, events: new EventRecorder(view, options.loop, options.events) };
}
