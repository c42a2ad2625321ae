import { systemClock } from '#libs/kernel/clock.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { createKube } from '#libs/kube/kube.factory.js';
import type { Kube } from '#libs/kube/kube.js';
import { DEFAULT_KUBE_OPTIONS } from '#libs/kube/kube.options.js';
import { createAksAccess } from '#libs/systems/aks/aks.access.js';
import type { ClusterDirectory } from '#libs/systems/contract/cluster-directory.js';
import type { WatchedCluster } from '#libs/systems/contract/cluster-watcher.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createFleetAccess } from '#libs/systems/fleet/fleet.access.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';
import { createKubernetesSystem } from '#libs/systems/kubernetes/kubernetes.module.js';
import { STREAM_NAMES } from '#libs/systems/kubernetes/kubernetes.options.js';
import { AzureOnSimulator, CLUSTER_1, CLUSTER_2, FLEET, OperationPlayer, SUBSCRIPTION } from './azure-on-simulator.js';

export const NAMESPACE = 'kuard-demo';
/** The members there. */
export const EASTUS: JsonObject = {
  placementType: 'PickAll',
  matchLabels: { 'fleet.azure.com/location': 'eastus' },
};
const MEMBER_NAME_1 = 'demo-aks01-demo-aks01';

/** What scenario A deploys. */
export const KUARD = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: kuard }
spec:
  replicas: 2
  selector: { matchLabels: { app: kuard } }
  template:
    metadata: { labels: { app: kuard } }
    spec:
      containers:
        - name: kuard
          image: gcr.io/kuar-demo/kuard-amd64:blue
          ports: [{ containerPort: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: kuard }
spec:
  selector: { app: kuard }
  ports: [{ port: 8080, targetPort: 8080 }]
`;

export function watchedCluster(id: string, kind: string): WatchedCluster {
  const { name, resourceGroup, uid } = ArmId.parse(id);
  return {
    uid,
    id,
    kind,
    name,
    subscriptionId: SUBSCRIPTION,
    resourceGroup: resourceGroup ?? null,
    location: 'eastus',
  };
}

export const HUB = watchedCluster(FLEET, 'Fleet');
export const AKS_1 = watchedCluster(CLUSTER_1, 'ManagedCluster');
export const AKS_2 = watchedCluster(CLUSTER_2, 'ManagedCluster');

/** The systems with the real transports to a simulator that keeps the time of the wall. */
export class ClustersOnSimulator {
  private constructor(
    readonly world: AzureOnSimulator,
    readonly kube: Kube,
    readonly fleet: System,
    readonly kubernetes: System,
  ) {}

  static async start(): Promise<ClustersOnSimulator> {
    const settings = { lroSeconds: 0, rolePropagationSeconds: 0, indexLagSeconds: 0, throttleScale: 0 };
    const world = await AzureOnSimulator.start({ clock: systemClock, settings });
    const known = [HUB, AKS_1, AKS_2];
    const clusters: ClusterDirectory = { find: async (uid) => known.find((cluster) => cluster.uid === uid) };
    const kube = createKube(DEFAULT_KUBE_OPTIONS, {
      providers: [createAksAccess(world.azure), createFleetAccess(world.azure)],
      tokens: async () => ({ token: new Secret('simulated'), expiresAt: new Date(Date.now() + 3_600_000) }),
      findCluster: (uid) => clusters.find(uid),
    });
    const options = { clusters, streams: STREAM_NAMES, namespaces: [], excludedNamespaces: [] };
    return new ClustersOnSimulator(
      world,
      kube,
      createFleetSystem(world.azure, kube, clusters),
      createKubernetesSystem(kube, options),
    );
  }

  async stop(): Promise<void> {
    await this.kube.close();
    await this.world.stop();
  }

  /** Everything of scenario A, by our own operations. */
  async deployKuard(): Promise<void> {
    const fleet = targetOf(FLEET, 'Fleet');
    const second = { fleet, cluster: targetOf(CLUSTER_2, 'ManagedCluster') };
    await this.play('fleet.member.join', { fleet: FLEET, cluster: CLUSTER_2 }, second);
    const { principalId } = await this.world.control('principal?token=simulated');
    await this.play('fleet.roleAssignment.create', { fleet: FLEET, principalId: principalId ?? null }, { fleet });
    await this.play(
      'fleet.workload.deploy',
      {
        fleet: FLEET,
        namespace: NAMESPACE,
        manifest: KUARD,
        policy: EASTUS,
        exports: ['kuard'],
        multiClusterService: { cluster: MEMBER_NAME_1, service: 'kuard' },
      },
      { fleet },
    );
  }

  /** A strategy, a run that was not started, and an auto-upgrade profile, by our own operations. */
  async prepareUpdates(): Promise<void> {
    const fleet = targetOf(FLEET, 'Fleet');
    const cluster = { fleet, cluster: targetOf(CLUSTER_1, 'ManagedCluster') };
    await this.play('fleet.member.join', { fleet: FLEET, cluster: CLUSTER_1, group: 'canary' }, cluster);
    const stages = [{ name: 'first', groups: [{ name: 'canary' }], afterStageWaitSeconds: 60 }];
    await this.play('fleet.updateStrategy.apply', { fleet: FLEET, name: 'strategy', stages }, { fleet });
    const strategy = `${FLEET}/updateStrategies/strategy`;
    const references = { fleet, strategy: targetOf(strategy, 'FleetUpdateStrategy') };
    const upgrade = { type: 'NodeImageOnly' };
    const run = { fleet: FLEET, name: 'run', strategy, upgrade, start: false };
    await this.play('fleet.updateRun.create', run, references);
    const profile = { fleet: FLEET, name: 'profile', channel: 'Stable', strategy };
    await this.play('fleet.autoUpgradeProfile.apply', profile, references);
  }

  operation(type: string): OperationDefinition {
    const found = [...this.fleet.operations, ...this.kubernetes.operations].find((one) => one.type === type);
    if (found === undefined) throw new Error(`There is no operation ${type}.`);
    return found;
  }

  async play(type: string, input: JsonObject, references: Readonly<Record<string, ResourceTarget>>): Promise<void> {
    const verification = await new OperationPlayer(this.world, this.operation(type), input, references).play();
    if (verification.verdict !== 'reached') throw new Error(`${type}: ${JSON.stringify(verification)}`);
  }
}
