import type { JsonObject } from '#libs/kernel/json.js';
import { deterministicUuid } from '../../deterministic-id.js';
import type { ObjectWriter } from '../cluster.objects.js';
import type { Controller } from './controller.js';
import type { ConnectedMember, FleetContext } from './fleet.context.js';
import {
  CLUSTER_API,
  FLEET_SYSTEM,
  HUB_AGENT,
  INTERNAL_MEMBER_CLUSTERS,
  MEMBER_CLUSTERS,
  MEMBER_FINALIZER,
  memberNamespace,
  WORK_AGENT,
} from './fleet.names.js';
import type { MemberCluster } from './fleet.types.js';
import type { ClusterView } from './cluster.view.js';
import type { ClusterNode, Condition } from './kubernetes.types.js';
import { isFinished } from './pod.state.js';
import { formatCores, milliCores, quantityValue } from '../schema/quantity.js';
import { demandOf } from './scheduling.filter.js';
import { withCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';

const HEARTBEAT_SECONDS = 60;
const AGENTS = ['MemberAgent', 'ServiceExportImportAgent', 'MultiClusterServiceAgent'] as const;
const SERVICE_LABELS = 'fleet.azure.com/';
/** Remembers which labels came from ARM, so that they go when ARM loses them. */
const ARM_LABELS = 'fleet.azure.com/arm-labels';

/** Registers members at the hub and carries their heartbeats. */
export class MemberClusterController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: FleetContext) {
    const { hub, loop } = context;
    this.#queue = loop.queue(`${hub.cluster.key} members`, (name) => this.#sync(name));
    hub.on(MEMBER_CLUSTERS, ({ type, object }) => {
      // Somebody removed it from the hub: as long as ARM knows the member it comes back.
      if (type === 'DELETED') this.#queue.add(object.metadata.name);
    });
    ensureNamespace(hub, FLEET_SYSTEM, HUB_AGENT);
  }

  /** Something of the member changed. */
  look(name: string): void {
    this.#queue.add(name);
  }

  /** Ends a membership: the hub's namespace of the member goes with everything in it. */
  remove(name: string): void {
    const { hub } = this.context;
    for (const { metadata } of hub.list(INTERNAL_MEMBER_CLUSTERS, memberNamespace(name)))
      hub.delete(INTERNAL_MEMBER_CLUSTERS, metadata.namespace, metadata.name, HUB_AGENT);
    hub.delete('namespaces', undefined, memberNamespace(name), HUB_AGENT);
    hub.delete(MEMBER_CLUSTERS, undefined, name, HUB_AGENT);
    hub.update(MEMBER_CLUSTERS, undefined, name, HUB_AGENT, (object) => ({
      ...object,
      metadata: { ...object.metadata, finalizers: [] },
    }));
  }

  close(): void {
    this.#queue.close();
  }

  #sync(name: string): void {
    const connected = this.context.members.get(name);
    if (connected === undefined) return;
    this.#register(connected);
    if (connected.member.agent === 'unreachable') return;
    ensureNamespace(connected.view, FLEET_SYSTEM, WORK_AGENT);
    this.#beat(connected);
    const period = this.context.hub.get(MEMBER_CLUSTERS, undefined, name)?.spec.heartbeatPeriodSeconds;
    this.#queue.addAfter(name, (period ?? HEARTBEAT_SECONDS) * 1000);
  }

  #register({ member }: ConnectedMember): void {
    const { hub } = this.context;
    const { name } = member;
    ensureNamespace(hub, memberNamespace(name), HUB_AGENT, { 'kubernetes-fleet.io/is-fleet-resource': 'true' });
    const labels = {
      'fleet.azure.com/location': member.location,
      'fleet.azure.com/resource-group': member.resourceGroup,
      'fleet.azure.com/subscription-id': member.subscriptionId,
    };
    const armLabels = JSON.stringify(Object.keys(member.labels).sort());
    const existing = hub.get(MEMBER_CLUSTERS, undefined, name);
    if (existing === undefined) {
      hub.create(
        {
          apiVersion: CLUSTER_API,
          kind: 'MemberCluster',
          metadata: {
            name,
            labels: { ...member.labels, ...labels },
            annotations: {
              'fleet.azure.com/cluster-resource-id': member.cluster.key,
              [ARM_LABELS]: armLabels,
            },
            finalizers: [MEMBER_FINALIZER],
          },
          spec: {
            identity: {
              kind: 'User',
              name: deterministicUuid(`member-agent|${member.cluster.key}`),
              apiGroup: 'rbac.authorization.k8s.io',
            },
            heartbeatPeriodSeconds: HEARTBEAT_SECONDS,
          },
        },
        HUB_AGENT,
      );
    } else {
      hub.update(MEMBER_CLUSTERS, undefined, name, HUB_AGENT, (object) => {
        const former = JSON.parse(object.metadata.annotations?.[ARM_LABELS] ?? '[]') as string[];
        const kept = Object.fromEntries(
          Object.entries(object.metadata.labels ?? {}).filter(
            ([key]) => !former.includes(key) && !key.startsWith(SERVICE_LABELS),
          ),
        );
        return {
          ...object,
          metadata: {
            ...object.metadata,
            labels: { ...kept, ...member.labels, ...labels },
            annotations: { ...object.metadata.annotations, [ARM_LABELS]: armLabels },
          },
        };
      });
    }
    if (hub.get(INTERNAL_MEMBER_CLUSTERS, memberNamespace(name), name) === undefined)
      hub.create(
        {
          apiVersion: CLUSTER_API,
          kind: 'InternalMemberCluster',
          metadata: { name, namespace: memberNamespace(name) },
          spec: { state: 'Join', heartbeatPeriodSeconds: HEARTBEAT_SECONDS },
        },
        HUB_AGENT,
      );
  }

  #beat({ member, view }: ConnectedMember): void {
    const { hub, loop } = this.context;
    const now = kubernetesTime(loop.clock.now());
    const usage = usageOf(view);
    hub.updateStatus(MEMBER_CLUSTERS, undefined, member.name, HUB_AGENT, (object) => {
      const observedGeneration = object.metadata.generation ?? 1;
      const conditions = CONDITIONS.reduce<Condition[]>(
        (all, condition) => withCondition(all, { ...condition, observedGeneration }, now),
        object.status?.conditions ?? [],
      );
      const agentStatus = AGENTS.map((type) => {
        const before = object.status?.agentStatus?.find((status) => status.type === type)?.conditions ?? [];
        return {
          type,
          conditions: agentConditions(type, observedGeneration, before, now),
          lastReceivedHeartbeat: now,
        };
      });
      return { ...object, status: { ...object.status, conditions, agentStatus, ...propertiesOf(usage, now) } };
    });
    hub.updateStatus(INTERNAL_MEMBER_CLUSTERS, memberNamespace(member.name), member.name, WORK_AGENT, (object) => {
      const { status } = hub.get(MEMBER_CLUSTERS, undefined, member.name) ?? {};
      return { ...object, status: { ...status } } as typeof object;
    });
  }
}

const CONDITIONS: readonly Condition[] = [
  { type: 'ReadyToJoin', status: 'True', reason: 'MemberClusterReadyToJoin', message: '' },
  { type: 'Joined', status: 'True', reason: 'MemberClusterJoined', message: '' },
  { type: 'Healthy', status: 'True', reason: 'MemberClusterHealthy', message: '' },
  {
    type: 'ClusterPropertyProviderStarted',
    status: 'True',
    reason: 'ClusterPropertyProviderStarted',
    message: 'Property provider has started successfully',
  },
  {
    type: 'ClusterPropertyCollectionSucceeded',
    status: 'True',
    reason: 'PropertiesCollected',
    message: 'All properties have been collected successfully',
  },
];

function agentConditions(
  type: (typeof AGENTS)[number],
  observedGeneration: number,
  before: Condition[],
  now: string,
): Condition[] {
  const joined: Condition = {
    type: 'Joined',
    status: 'True',
    reason: type === 'MemberAgent' ? 'InternalMemberClusterJoined' : 'AgentJoined',
    message: '',
    observedGeneration,
  };
  const healthy: Condition = {
    type: 'Healthy',
    status: 'True',
    reason: 'InternalMemberClusterHealthy',
    message: '',
    observedGeneration,
  };
  const conditions = withCondition(before, joined, now);
  return type === 'MemberAgent' ? withCondition(conditions, healthy, now) : conditions;
}

interface ClusterUsage {
  nodes: readonly ClusterNode[];
  cpu: { capacity: number; allocatable: number; available: number };
  memory: { capacity: number; allocatable: number; available: number };
}

function usageOf(view: ClusterView): ClusterUsage {
  // Virtual nodes have no end and no size: they are no capacity of the cluster.
  const nodes = view.list('nodes').filter((node) => node.metadata.labels?.type !== 'virtual-kubelet');
  const sum = (
    list: 'capacity' | 'allocatable',
    value: (quantities: Record<string, string | number>) => number,
  ): number => nodes.reduce((total, node) => total + value(node.status?.[list] ?? {}), 0);
  const demands = nodes
    .flatMap((node) => view.podsOnNode(node.metadata.name))
    .filter((pod) => !isFinished(pod))
    .map(demandOf);
  const cpu = (quantities: Record<string, string | number>): number => milliCores(quantities.cpu);
  const memory = (quantities: Record<string, string | number>): number => quantityValue(quantities.memory);
  const allocatable = { cpu: sum('allocatable', cpu), memory: sum('allocatable', memory) };
  return {
    nodes,
    cpu: {
      capacity: sum('capacity', cpu),
      allocatable: allocatable.cpu,
      available: Math.max(0, allocatable.cpu - demands.reduce((total, demand) => total + demand.milliCores, 0)),
    },
    memory: {
      capacity: sum('capacity', memory),
      allocatable: allocatable.memory,
      available: Math.max(0, allocatable.memory - demands.reduce((total, demand) => total + demand.bytes, 0)),
    },
  };
}

function propertiesOf(
  { nodes, cpu, memory }: ClusterUsage,
  observationTime: string,
): Pick<NonNullable<MemberCluster['status']>, 'properties' | 'resourceUsage'> {
  const kibibytes = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
  const values: Record<string, string> = {
    'kubernetes-fleet.io/node-count': String(nodes.length),
    'resources.kubernetes-fleet.io/total-cpu': formatCores(cpu.capacity),
    'resources.kubernetes-fleet.io/total-memory': kibibytes(memory.capacity),
    'resources.kubernetes-fleet.io/allocatable-cpu': formatCores(cpu.allocatable),
    'resources.kubernetes-fleet.io/allocatable-memory': kibibytes(memory.allocatable),
    'resources.kubernetes-fleet.io/available-cpu': formatCores(cpu.available),
    'resources.kubernetes-fleet.io/available-memory': kibibytes(memory.available),
  };
  for (const node of nodes) {
    const size = node.metadata.labels?.['node.kubernetes.io/instance-type'];
    if (size === undefined) continue;
    const key = `kubernetes.azure.com/vm-sizes/${size}/count`;
    values[key] = String(Number(values[key] ?? 0) + 1);
  }
  const resources = (part: 'capacity' | 'allocatable' | 'available'): JsonObject => ({
    cpu: formatCores(cpu[part]),
    memory: kibibytes(memory[part]),
  });
  return {
    properties: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, { value, observationTime }] as const),
    ),
    resourceUsage: {
      capacity: resources('capacity'),
      allocatable: resources('allocatable'),
      available: resources('available'),
      observationTime,
    },
  };
}

/** Makes a namespace of the fleet's own when it is not there. */
export function ensureNamespace(
  view: ClusterView,
  name: string,
  writer: ObjectWriter,
  labels: Record<string, string> = {},
): void {
  if (view.get('namespaces', undefined, name) !== undefined) return;
  view.create(
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.azure.com/managed-by': 'fleet', ...labels } },
    },
    writer,
  );
}
