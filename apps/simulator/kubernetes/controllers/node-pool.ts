import { deterministicHex, deterministicUuid } from '../../deterministic-id.js';
import { coresOf } from '../../types/vm-size.js';
import type { ClusterView } from './cluster.view.js';
import type { ClusterControllerOptions } from './controller.options.js';
import type { ClusterNode, Taint } from './kubernetes.types.js';
import { nodeAddress, nodeSlot, nodeSlots, podCidr } from './node-address.js';
import { kubernetesTime } from '../timestamp.js';
import { kubeletOf, WRITERS } from './writers.js';

/** A node pool as ARM describes it. */
export interface NodePool {
  name: string;
  count: number;
  vmSize: string;
  mode: 'System' | 'User';
  osType: 'Linux' | 'Windows';
  labels: Readonly<Record<string, string>>;
  /** As ARM writes them: `kind=spot:NoSchedule`. */
  taints: readonly string[];
  /** `['1', '2']`; none is a regional pool. */
  zones: readonly string[];
  maxPods: number;
  /** `1.33.5`; the control plane's when it is not given. */
  kubernetesVersion?: string;
}

const POOL_LABEL = 'kubernetes.azure.com/agentpool';
/** Remembers on the node which labels and taints came from its pool, so that they go when the pool loses them. */
const POOL_SETTINGS = 'simulator.pilothouse/pool-settings';
const GIB = 2 ** 30;

/** Memory per core in GiB by the family letter of the size. */
const MEMORY_PER_CORE = new Map([
  ['A', 2],
  ['B', 4],
  ['D', 4],
  ['E', 8],
  ['F', 2],
  ['L', 8],
  ['M', 28],
  ['N', 18],
]);

/** Makes, changes and removes nodes until they are those of the pools; nodes of no pool (virtual ones) are left alone. */
export function ensureNodes(view: ClusterView, pools: readonly NodePool[], options: ClusterControllerOptions): void {
  const wanted = new Map(
    pools.flatMap((pool) =>
      Array.from({ length: pool.count }, (_, index) => [nodeName(pool, index, options), { pool, index }] as const),
    ),
  );
  const existing = view.list('nodes').filter((node) => node.metadata.labels?.[POOL_LABEL] !== undefined);
  for (const node of existing) {
    if (!wanted.has(node.metadata.name)) view.delete('nodes', undefined, node.metadata.name, WRITERS.cloud);
  }
  const taken = new Set(
    existing.filter((node) => wanted.has(node.metadata.name)).map((node) => nodeSlot(node, options)),
  );
  for (const [name, { pool, index }] of wanted) {
    if (view.get('nodes', undefined, name) !== undefined) {
      updateNode(view, name, pool, index, options);
      continue;
    }
    let slot = 0;
    while (taken.has(slot)) slot++;
    if (slot >= nodeSlots(options)) return;
    taken.add(slot);
    makeNode(view, name, pool, index, slot, options);
  }
}

/** `aks-nodepool1-23705949-vmss000000`, `aksnpwin000000` for Windows. The number is the same for all pools of a cluster. */
export function nodeName(
  pool: NodePool,
  index: number,
  options: { clusterName: string; resourceGroup: string },
): string {
  const seed = `${options.resourceGroup}/${options.clusterName}`.toLowerCase();
  const number = String((Number.parseInt(deterministicHex(seed, 8), 16) % 90_000_000) + 10_000_000);
  const place = index.toString(36).padStart(6, '0');
  return pool.osType === 'Windows' ? `aks${pool.name}${place}` : `aks-${pool.name}-${number}-vmss${place}`;
}

/** What AKS leaves of a machine: it reserves CPU in steps by the number of cores, and memory by the number of pods. */
export function nodeResources(
  vmSize: string,
  maxPods: number,
): { capacity: Record<string, string>; allocatable: Record<string, string> } {
  const cores = coresOf(vmSize);
  const bytes = memoryOf(vmSize, cores);
  const reservedMilli = cores <= 1 ? 60 : cores === 2 ? 100 : cores <= 4 ? 140 : cores <= 8 ? 180 : 260;
  const reservedBytes = Math.min(0.25 * bytes, (20 * maxPods + 50) * 2 ** 20) + 100 * 2 ** 20;
  const kibibytes = (value: number): string => `${Math.floor(value / 1024)}Ki`;
  const common = { 'ephemeral-storage': '129886128Ki', 'hugepages-1Gi': '0', 'hugepages-2Mi': '0' };
  return {
    capacity: { cpu: String(cores), memory: kibibytes(bytes), pods: String(maxPods), ...common },
    allocatable: {
      cpu: `${cores * 1000 - reservedMilli}m`,
      memory: kibibytes(bytes - reservedBytes),
      pods: String(maxPods),
      ...common,
      'ephemeral-storage': '119703055367',
    },
  };
}

function memoryOf(vmSize: string, cores: number): number {
  const older = /^Standard_DS?1?[1-5]_v2$/i.test(vmSize);
  const perCore = older
    ? /^Standard_DS?1[1-5]_v2$/i.test(vmSize)
      ? 7
      : 3.5
    : (MEMORY_PER_CORE.get(/^Standard_([A-Z])/i.exec(vmSize)?.[1]?.toUpperCase() ?? '') ?? 4);
  // Firmware and kernel keep some of it.
  return Math.floor(cores * perCore * GIB * 0.97);
}

function labelsOf(
  name: string,
  pool: NodePool,
  index: number,
  options: ClusterControllerOptions,
): Record<string, string> {
  const os = pool.osType.toLowerCase();
  const zone = pool.zones.length === 0 ? undefined : pool.zones[index % pool.zones.length]!;
  const place = zone === undefined ? '0' : `${options.location}-${zone}`;
  return {
    agentpool: pool.name,
    'beta.kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/instance-type': pool.vmSize,
    'beta.kubernetes.io/os': os,
    'failure-domain.beta.kubernetes.io/region': options.location,
    'failure-domain.beta.kubernetes.io/zone': place,
    [POOL_LABEL]: pool.name,
    'kubernetes.azure.com/cluster': options.nodeResourceGroup,
    'kubernetes.azure.com/mode': pool.mode.toLowerCase(),
    'kubernetes.azure.com/role': 'agent',
    'kubernetes.azure.com/os-sku': pool.osType === 'Windows' ? 'Windows2022' : 'Ubuntu',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': os,
    'kubernetes.io/role': 'agent',
    'node-role.kubernetes.io/agent': '',
    'node.kubernetes.io/instance-type': pool.vmSize,
    'topology.kubernetes.io/region': options.location,
    'topology.kubernetes.io/zone': place,
    ...pool.labels,
  };
}

function taintsOf(pool: NodePool): Taint[] {
  return pool.taints.map((text) => {
    const [pair, effect] = text.split(':');
    const [key, value] = (pair ?? '').split('=');
    return {
      key: key ?? '',
      ...(value === undefined ? {} : { value }),
      effect: (effect ?? 'NoSchedule') as Taint['effect'],
    };
  });
}

function makeNode(
  view: ClusterView,
  name: string,
  pool: NodePool,
  index: number,
  slot: number,
  options: ClusterControllerOptions,
): void {
  const now = kubernetesTime(options.loop.clock.now());
  const scaleSet = name.slice(0, -6);
  const taints = taintsOf(pool);
  const overlay = options.nodeAddresses !== options.podAddresses;
  const cidr = podCidr(slot, options);
  view.create(
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        labels: labelsOf(name, pool, index, options),
        annotations: {
          'node.alpha.kubernetes.io/ttl': '0',
          [POOL_SETTINGS]: settingsOf(pool),
          'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
        },
      },
      spec: {
        providerID:
          options.machines === 'host'
            ? `moc://${name}`
            : `azure:///subscriptions/${options.subscriptionId}/resourceGroups/${options.nodeResourceGroup.toLowerCase()}/providers/Microsoft.Compute/virtualMachineScaleSets/${scaleSet}/virtualMachines/${index}`,
        ...(taints.length === 0 ? {} : { taints }),
        ...(overlay ? { podCIDR: cidr, podCIDRs: [cidr] } : {}),
      },
    },
    kubeletOf(name),
  );
  const condition = (type: string, status: 'True' | 'False', reason: string, message: string) => ({
    type,
    status,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
    reason,
    message,
  });
  const { capacity, allocatable } = nodeResources(pool.vmSize, pool.maxPods);
  view.updateStatus('nodes', undefined, name, kubeletOf(name), (node) => ({
    ...node,
    status: {
      ...node.status,
      capacity,
      allocatable,
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
      ],
      addresses: [
        { type: 'InternalIP', address: nodeAddress(slot, options) },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: nodeInfo(name, pool, options),
    },
  }));
}

function nodeInfo(
  name: string,
  pool: NodePool,
  options: ClusterControllerOptions,
): NonNullable<ClusterNode['status']>['nodeInfo'] & object {
  const windows = pool.osType === 'Windows';
  return {
    machineID: deterministicHex(`machine|${name}`, 32),
    systemUUID: deterministicUuid(`system|${name}`),
    bootID: deterministicUuid(`boot|${name}`),
    kernelVersion: windows ? '10.0.20348.3091' : '5.15.0-1079-azure',
    osImage: windows ? 'Windows Server 2022 Datacenter' : 'Ubuntu 22.04.5 LTS',
    containerRuntimeVersion: 'containerd://1.7.25-1',
    kubeletVersion: `v${pool.kubernetesVersion ?? options.kubernetesVersion}`,
    kubeProxyVersion: '',
    operatingSystem: pool.osType.toLowerCase(),
    architecture: 'amd64',
  };
}

/** Labels, taints and version follow the pool; what users set on the node besides stays. */
function updateNode(
  view: ClusterView,
  name: string,
  pool: NodePool,
  index: number,
  options: ClusterControllerOptions,
): void {
  view.update('nodes', undefined, name, WRITERS.cloud, (node) => {
    const before = parseSettings(node.metadata.annotations?.[POOL_SETTINGS]);
    const labels = { ...node.metadata.labels };
    for (const key of before.labels) if (!(key in pool.labels)) Reflect.deleteProperty(labels, key);
    Object.assign(labels, labelsOf(name, pool, index, options));
    const poolTaints = taintsOf(pool);
    const others = (node.spec.taints ?? []).filter(
      (taint) =>
        !before.taints.includes(`${taint.key}:${taint.effect}`) &&
        !poolTaints.some((own) => own.key === taint.key && own.effect === taint.effect),
    );
    const taints = [...poolTaints, ...others];
    const { taints: _, ...spec } = node.spec;
    return {
      ...node,
      metadata: {
        ...node.metadata,
        labels,
        annotations: { ...node.metadata.annotations, [POOL_SETTINGS]: settingsOf(pool) },
      },
      spec: taints.length === 0 ? spec : { ...spec, taints },
    };
  });
  view.updateStatus('nodes', undefined, name, kubeletOf(name), (node) => ({
    ...node,
    status: { ...node.status, nodeInfo: nodeInfo(name, pool, options) },
  }));
}

function settingsOf(pool: NodePool): string {
  return JSON.stringify({
    labels: Object.keys(pool.labels),
    taints: taintsOf(pool).map((taint) => `${taint.key}:${taint.effect}`),
  });
}

function parseSettings(text: string | undefined): { labels: string[]; taints: string[] } {
  return text === undefined ? { labels: [], taints: [] } : (JSON.parse(text) as { labels: string[]; taints: string[] });
}
