import type { KubernetesCluster } from '../api/kubernetes.cluster.js';
import type { ClusterObjects, ObjectDraft } from '../cluster.objects.js';
import { hubDefinitions, memberDefinitions } from '../definitions/fleet.definitions.js';
import { ClusterHarness, deployment, makeNamespace, pool, TESTER } from './cluster.harness.js';
import { controllerOptions } from './controller.options.js';
import type { FleetMember } from './fleet.member.js';
import { PLACEMENTS } from './fleet.names.js';
import { FleetRuntime } from './fleet.runtime.js';
import type { Placement } from './fleet.types.js';
import type { Condition } from './kubernetes.types.js';

/** A hub and clusters that can join it, with time by hand. */
export class FleetHarness extends ClusterHarness {
  readonly hub = this.cluster('hub');
  readonly fleet = new FleetRuntime(this.hub, {
    hub: controllerOptions({ loop: this.loop, clusterName: 'hub', location: 'eastus' }),
    definitions: { hub: hubDefinitions(), member: memberDefinitions() },
  });
  #networks = 0;

  /** Starts a cluster with one node and lets it join. */
  member(name: string, change: Partial<FleetMember> = {}): KubernetesCluster {
    const range = `10.${224 + this.#networks++}.0.0/16`;
    const { cluster, runtime } = this.start(name, { podAddresses: range, nodeAddresses: range });
    runtime.setNodePools([pool()]);
    this.fleet.join({
      name,
      cluster,
      labels: {},
      location: 'eastus',
      resourceGroup: 'demo_aks01',
      subscriptionId: '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3',
      routable: true,
      agent: 'running',
      ...change,
    });
    this.pass(1);
    return cluster;
  }

  place(name: string, spec: object): void {
    this.hub.objects.create(
      {
        apiVersion: 'placement.kubernetes-fleet.io/v1',
        kind: 'ClusterResourcePlacement',
        metadata: { name },
        spec,
      } as unknown as ObjectDraft,
      TESTER,
    );
    this.pass(2);
  }

  placement(name: string): Placement {
    const found = this.hub.objects.get(PLACEMENTS, undefined, name);
    if (found === undefined) throw new Error(`there is no placement ${name}`);
    return found as unknown as Placement;
  }

  /** `True SchedulingPolicyFulfilled` by type. */
  conditions(name: string): Record<string, string> {
    return summary(this.placement(name).status?.conditions);
  }

  clusterConditions(name: string, cluster: string): Record<string, string> {
    const status = this.placement(name).status?.placementStatuses?.find((one) => one.clusterName === cluster);
    return summary(status?.conditions);
  }
}

export function summary(conditions: readonly Condition[] | undefined): Record<string, string> {
  return Object.fromEntries((conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason ?? ''}`]));
}

/** Selects a namespace with all that is in it. */
export function namespaceSelector(name: string): object {
  return { group: '', version: 'v1', kind: 'Namespace', name };
}

/** The application of the journey: namespace, deployment, service and its export. */
export function makeKuard(objects: ClusterObjects): void {
  makeNamespace(objects, 'kuard-demo');
  objects.create(deployment('kuard-demo', 'kuard', { replicas: 2 }), TESTER);
  objects.create(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kuard', namespace: 'kuard-demo' },
      spec: { selector: { app: 'kuard' }, ports: [{ port: 8080, targetPort: 8080, protocol: 'TCP' }] },
    },
    TESTER,
  );
  objects.create(
    {
      apiVersion: 'networking.fleet.azure.com/v1alpha1',
      kind: 'ServiceExport',
      metadata: { name: 'kuard', namespace: 'kuard-demo' },
    },
    TESTER,
  );
}
