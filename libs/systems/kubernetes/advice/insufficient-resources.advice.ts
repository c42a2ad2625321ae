import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy, KnownObject } from '../../contract/advice.js';
import { rawFlag, rawInteger, rawText } from '../../contract/raw-reader.js';
import { conditionsOf, findCondition } from '../condition.properties.js';
import { nodeKind } from '../node.kind.js';
import { MOST_NODES, labelMisses, untoleratedTaints } from './scheduling.rules.js';
import { podRequests, type ResourceAmounts } from '../pod-requests.js';

export const INSUFFICIENT_RESOURCES_CODES = {
  NODES_TOO_FULL: 'The pod would fit on an empty node, but what other pods have set aside leaves too little on each.',
  NODES_TOO_SMALL: 'The pod sets aside more than any node has to give, even an empty one.',
} as const satisfies Record<string, string>;

const INSUFFICIENT = /Insufficient (cpu|memory)|Too many pods/i;
/** The operation that makes a pool larger, by the kind of the pool. */
const SCALE_OPERATIONS: Readonly<Record<string, string>> = {
  AgentPool: 'aks.nodePool.scale',
  ProvisionedAgentPool: 'hci.nodePool.scale',
};

/** The kinds of node pools that can be made larger. */
export const POOL_KINDS: readonly string[] = Object.keys(SCALE_OPERATIONS);

export interface ResourceSituation {
  pod: JsonObject;
  nodes: readonly KnownObject[];
  /** The pools of the cluster, as far as Azure has them. */
  pools: readonly KnownObject[];
}

interface NodeFit {
  node: string;
  pool: string | null;
  allocatable: ResourceAmounts;
  /** Null where the pods of the cluster cannot be seen. */
  requested: ResourceAmounts | null;
  short: ResourceAmounts;
  /** What keeps the pod away besides. */
  excludedBy: string | null;
  fitsWhenEmpty: boolean;
}

/** Whether the scheduler says that the nodes have too little to give. */
export function lacksResources(pod: JsonObject): boolean {
  const scheduled = findCondition(conditionsOf(pod), 'PodScheduled');
  return scheduled?.status === 'False' && INSUFFICIENT.test(scheduled.message ?? '');
}

/** Explains with the numbers of each node why a pod has no place. */
export function insufficientResourcesAdvice(situation: ResourceSituation): Advice[] {
  const { pod } = situation;
  if (!lacksResources(pod)) return [];
  const wanted = podRequests(pod.spec);
  const fits = situation.nodes.map((node) => fitOf(node, pod, wanted)).sort(byShortage);
  const candidates = fits.filter(({ excludedBy }) => excludedBy === null);
  const code = candidates.some(({ fitsWhenEmpty }) => fitsWhenEmpty) ? 'NODES_TOO_FULL' : 'NODES_TOO_SMALL';
  const evidence = {
    message: findCondition(conditionsOf(pod), 'PodScheduled')?.message ?? null,
    requests: { ...wanted },
    nodeCount: fits.length,
    nodes: fits.slice(0, MOST_NODES).map((fit) => ({
      ...fit,
      allocatable: { ...fit.allocatable },
      requested: fit.requested === null ? null : { ...fit.requested },
      short: { ...fit.short },
    })),
  };
  const lower: AdviceRemedy = {
    description: 'Lower what the containers set aside (resources.requests) in the pod template, and apply it.',
    operations: [],
  };
  const remedies =
    code === 'NODES_TOO_FULL'
      ? [...scaleRemedies(candidates, situation.pools), lower]
      : [{ description: 'Add a node pool with larger machines.', operations: [] }, lower];
  return [{ code, severity: 'error', cause: INSUFFICIENT_RESOURCES_CODES[code], evidence, remedies }];
}

/** One more node in each pool whose nodes could take the pod if they were empty. */
function scaleRemedies(candidates: readonly NodeFit[], pools: readonly KnownObject[]): AdviceRemedy[] {
  const suitable = new Set(candidates.filter(({ fitsWhenEmpty }) => fitsWhenEmpty).map(({ pool }) => pool));
  return pools
    .filter(({ name, properties }) => suitable.has(name) && rawFlag(properties, 'enableAutoScaling') !== true)
    .flatMap(({ id, kind, name, properties }) => {
      const count = rawInteger(properties, 'count');
      const type = SCALE_OPERATIONS[kind];
      if (count === null || type === undefined) return [];
      return [
        {
          description: `Add a node to the pool ${name}.`,
          operations: [{ type, input: { nodePool: id, count: count + 1 } }],
        },
      ];
    });
}

function fitOf(known: KnownObject, pod: JsonObject, wanted: ResourceAmounts): NodeFit {
  const { allocatable, requested, pool } = nodeKind.describe(known.properties) as {
    allocatable: { cpuMillicores: number | null; memoryBytes: number | null };
    requested: { cpuMillicores: number | null; memoryBytes: number | null } | null;
    pool: string | null;
  };
  const has = amounts(allocatable);
  const taken = requested === null ? null : amounts(requested);
  const short = {
    cpuMillicores: Math.max(0, wanted.cpuMillicores + (taken?.cpuMillicores ?? 0) - has.cpuMillicores),
    memoryBytes: Math.max(0, wanted.memoryBytes + (taken?.memoryBytes ?? 0) - has.memoryBytes),
  };
  return {
    node: known.name,
    pool,
    allocatable: has,
    requested: taken,
    short,
    excludedBy: exclusionOf(known.properties, pod),
    fitsWhenEmpty: wanted.cpuMillicores <= has.cpuMillicores && wanted.memoryBytes <= has.memoryBytes,
  };
}

function amounts(given: { cpuMillicores: number | null; memoryBytes: number | null }): ResourceAmounts {
  return { cpuMillicores: given.cpuMillicores ?? 0, memoryBytes: given.memoryBytes ?? 0 };
}

/** What keeps the pod off the node whatever it has to give, in a word and a name. */
function exclusionOf(node: JsonObject, pod: JsonObject): string | null {
  const [miss] = labelMisses(pod, node);
  if (miss?.from === 'nodeSelector') return `nodeSelector ${miss.key}=${miss.values.join()}`;
  if (miss !== undefined) return `affinity ${miss.key}`;
  const [taint] = untoleratedTaints(pod, node);
  if (taint !== undefined) return `taint ${rawText(taint, 'key')}`;
  return rawFlag(node, 'spec', 'unschedulable') === true ? 'cordon' : null;
}

function byShortage(left: NodeFit, right: NodeFit): number {
  const excluded = Number(left.excludedBy !== null) - Number(right.excludedBy !== null);
  return (
    excluded ||
    left.short.cpuMillicores - right.short.cpuMillicores ||
    left.short.memoryBytes - right.short.memoryBytes ||
    (left.node < right.node ? -1 : 1)
  );
}
