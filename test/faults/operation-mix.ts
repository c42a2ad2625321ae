import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { EstateFile } from '../../apps/simulator/estate.schema.js';
import type { Random } from './random.js';

/** An operation that will be asked for. */
export interface PlannedOperation {
  type: string;
  input: JsonObject;
  /** How long after its acceptance it is to be canceled; null: not at all. Milliseconds. */
  cancelAfterMs: number | null;
}

/** What there is to change. Clusters whose nodes and workloads are changed keep their pools as they are. */
export interface FaultGround {
  subscriptionId: string;
  /** ARM ids. */
  pools: string[];
  fleets: string[];
  /** Clusters that are in no fleet at first, by their ARM ids. */
  loneClusters: string[];
  kubernetesClusters: string[];
  /** Ids of objects in the Kubernetes clusters. */
  workloads: string[];
  nodes: string[];
}

const KUBERNETES_CLUSTERS = 3;
const DEPLOYMENTS_OF_A_CLUSTER = 2;
const FLEET_NAMES = 6;

/** Reads the ground off an estate that the simulator's generator made. */
export function groundOf(estate: EstateFile, nodesOf: ReadonlyMap<string, readonly string[]>): FaultGround {
  const [subscription] = estate.subscriptions;
  if (subscription === undefined) throw new TypeError('The estate has no subscription');
  const { subscriptionId, resourceGroups = [] } = subscription;
  const resources = resourceGroups.flatMap((group) =>
    (group.resources ?? []).map((resource) => ({
      ...resource,
      id: ArmId.resourceGroup(subscriptionId, group.name).resource(resource.type, ...resource.name.split('/')),
    })),
  );
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  const clusters = ofType('Microsoft.ContainerService/managedClusters');
  const joined = new Set(
    ofType('Microsoft.ContainerService/fleets/members').map(({ properties }) =>
      JSON.stringify(properties?.clusterResourceId).slice(1, -1).toLowerCase(),
    ),
  );
  const kubernetes = clusters.slice(0, KUBERNETES_CLUSTERS).map(({ id }) => id);
  const scaled = clusters.slice(KUBERNETES_CLUSTERS);
  return {
    subscriptionId,
    pools: scaled.flatMap(({ id, properties }) => {
      const profiles = (properties?.agentPoolProfiles ?? []) as { name: string }[];
      return profiles.map(({ name }) => `${id.toString()}/agentPools/${name}`);
    }),
    fleets: ofType('Microsoft.ContainerService/fleets').map(({ id }) => id.toString()),
    loneClusters: scaled
      .map(({ id }) => id)
      .filter((id) => !joined.has(id.canonical))
      .map((id) => id.toString()),
    kubernetesClusters: kubernetes.map((id) => id.toString()),
    workloads: kubernetes.flatMap(({ uid }) =>
      Array.from({ length: DEPLOYMENTS_OF_A_CLUSTER }, (_none, index) => {
        const parts = { clusterUid: uid, group: 'apps', kind: 'Deployment', namespace: 'team-001' };
        return KubernetesId.of({ ...parts, name: `web-0000${index + 1}` }).canonical;
      }),
    ),
    nodes: kubernetes.flatMap(({ uid }) =>
      (nodesOf.get(uid) ?? []).map(
        (name) => KubernetesId.of({ clusterUid: uid, group: '', kind: 'Node', namespace: undefined, name }).canonical,
      ),
    ),
  };
}

/** Mixed operations on few enough objects that they meet each other. */
export function planOperations(ground: FaultGround, count: number, random: Random): PlannedOperation[] {
  return Array.from({ length: count }, (_none, index) => ({
    ...planOperation(ground, index, random),
    cancelAfterMs: random.chance(0.15) ? random.integer(0, 3_000) : null,
  }));
}

function planOperation(ground: FaultGround, index: number, random: Random): Omit<PlannedOperation, 'cancelAfterMs'> {
  const draw = random.next();
  if (draw < 0.38) {
    const input = { nodePool: random.pick(ground.pools), count: random.integer(1, 9) };
    return { type: 'aks.nodePool.scale', input };
  }
  if (draw < 0.54) {
    const input = { workload: random.pick(ground.workloads), replicas: random.integer(0, 5), waitForAvailable: false };
    return { type: 'kubernetes.workload.scale', input };
  }
  if (draw < 0.64) {
    const type = random.chance(0.5) ? 'kubernetes.node.cordon' : 'kubernetes.node.uncordon';
    return { type, input: { node: random.pick(ground.nodes) } };
  }
  if (draw < 0.74) {
    const input = { cluster: random.pick(ground.kubernetesClusters), manifest: manifestOf(`fault-${index}`) };
    return { type: 'kubernetes.manifest.apply', input };
  }
  if (draw < 0.88) {
    // Each cluster has one fleet that it may join, so that a member means the same to both operations.
    const at = random.integer(0, ground.loneClusters.length - 1);
    const cluster = ground.loneClusters[at]!;
    const fleet = ground.fleets[at % ground.fleets.length]!;
    const name = `lone-${at}`;
    return random.chance(0.6)
      ? { type: 'fleet.member.join', input: { fleet, cluster, name } }
      : { type: 'fleet.member.leave', input: { member: `${fleet}/members/${name}` } };
  }
  const { subscriptionId } = ground;
  const name = `passing-${random.integer(1, FLEET_NAMES)}`;
  const fleet = ArmId.resourceGroup(subscriptionId, 'fleets').resource('Microsoft.ContainerService/fleets', name);
  return random.chance(0.6)
    ? {
        type: 'fleet.create',
        input: { subscriptionId, resourceGroup: 'fleets', name, location: 'eastus', hub: false },
      }
    : { type: 'fleet.delete', input: { fleet: fleet.toString() } };
}

/** A deployment of nothing: its generation counts its changes. */
function manifestOf(name: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  namespace: default
spec:
  replicas: 0
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
      containers:
        - name: main
          image: mcr.microsoft.com/azuredocs/aks-helloworld:v1
`;
}
