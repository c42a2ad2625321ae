import { ManualClock } from '#libs/kernel/clock.js';
import { KubernetesCluster } from '../api/kubernetes.cluster.js';
import type { ClusterObjects, KubernetesObject, ObjectDraft } from '../cluster.objects.js';
import { type ClusterControllerOptions, controllerOptions } from './controller.options.js';
import { ClusterRuntime } from './cluster.runtime.js';
import type { NodePool } from './node-pool.js';
import { WorkLoop } from './work.loop.js';

/** Somebody with all rights, as a specification writes on behalf of. */
export const TESTER = { manager: 'kubectl', user: 'tester' };

/** What specifications share: time by hand, and no error that passes unseen. */
export class ClusterHarness {
  readonly clock = new ManualClock('2026-11-21T08:00:00Z');
  readonly errors: string[] = [];
  readonly loop = new WorkLoop({
    clock: this.clock,
    onError: (error, where) =>
      this.errors.push(`${where}: ${Error.isError(error) ? (error.stack ?? '') : String(error)}`),
  });

  cluster(key: string): KubernetesCluster {
    const security = { authenticate: () => undefined };
    return new KubernetesCluster({ key, security, clock: this.clock });
  }

  start(
    name: string,
    options: Partial<ClusterControllerOptions> = {},
  ): { cluster: KubernetesCluster; runtime: ClusterRuntime } {
    const cluster = this.cluster(name);
    return { cluster, runtime: this.adopt(cluster, name, options) };
  }

  /** Starts the controllers of a cluster that is there. */
  adopt(cluster: KubernetesCluster, name: string, options: Partial<ClusterControllerOptions> = {}): ClusterRuntime {
    return new ClusterRuntime(
      cluster,
      controllerOptions({
        loop: this.loop,
        clusterName: name,
        location: 'eastus',
        podStartSeconds: 0,
        podStopSeconds: 0,
        loadBalancerSeconds: 0,
        ...options,
      }),
    );
  }

  /** Lets time pass, due work included. */
  pass(seconds: number): void {
    const end = this.clock.now().getTime() + seconds * 1000;
    this.loop.settle();
    for (let due = this.loop.nextDue(); due !== undefined && due <= end; due = this.loop.nextDue()) {
      this.clock.advance(Math.max(0, due - this.clock.now().getTime()));
      this.loop.settle();
    }
    this.clock.advance(end - this.clock.now().getTime());
    this.loop.settle();
  }

  close(): void {
    this.loop.close();
    if (this.errors.length > 0) throw new Error(`controllers failed:\n${this.errors.join('\n')}`);
  }
}

export function pool(change: Partial<NodePool> = {}): NodePool {
  return {
    name: 'nodepool1',
    count: 1,
    vmSize: 'Standard_DS2_v2',
    mode: 'System',
    osType: 'Linux',
    labels: {},
    taints: [],
    zones: [],
    maxPods: 30,
    ...change,
  };
}

export function makeNamespace(objects: ClusterObjects, name: string, labels: Record<string, string> = {}): void {
  objects.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }, TESTER);
}

/** A deployment with one container; `spec` and `pod` are laid over it. */
export function deployment(
  namespace: string,
  name: string,
  spec: Record<string, unknown> = {},
  pod: Record<string, unknown> = {},
): ObjectDraft {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name, image: `${name}:1`, ports: [{ containerPort: 8080, protocol: 'TCP' }] }],
          ...pod,
        },
      },
      ...spec,
    },
  };
}

interface Loose {
  metadata: KubernetesObject['metadata'];
  spec: Record<string, never>;
  status?: Record<string, never>;
}

/** For reading in expectations. */
export function loose(object: KubernetesObject | undefined): Loose {
  if (object === undefined) throw new Error('there is no such object');
  return object as unknown as Loose;
}
