import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy, KnownObject } from '../../contract/advice.js';
import { rawTextRecord } from '../../contract/raw-reader.js';
import { templateRemedy } from '../../contract/template-patch.js';
import { MOST_NODES, byNearness, labelMisses, unschedulableMessage, type LabelMiss } from './scheduling.rules.js';

export const NODE_SELECTOR_CODES = {
  NODE_SELECTOR_MATCHES_NO_NODE: 'The node selector or affinity of the pod asks for labels that no node has.',
} as const satisfies Record<string, string>;

/** Labels by which the nodes of a cluster are told apart: what a pod could ask for instead. */
const MOST_VALUES = 20;

export interface PlacementSituation {
  pod: JsonObject;
  /** The canonical id of the workload that made the pod. */
  workload: string | undefined;
  nodes: readonly KnownObject[];
}

/** Explains which label would match, of a pod that asks for labels that no node has. */
export function nodeSelectorAdvice(situation: PlacementSituation): Advice[] {
  const { pod, nodes } = situation;
  const message = unschedulableMessage(pod);
  if (message === undefined || nodes.length === 0) return [];
  if (nodes.some(({ properties }) => labelMisses(pod, properties).length === 0)) return [];
  const nearest = [...nodes].sort(byNearness(pod)).slice(0, MOST_NODES);
  const looked = nearest.map((node) => ({ node: node.name, misses: labelMisses(pod, node.properties) }));
  const keys = [...new Set(looked.flatMap(({ misses }) => misses.map(({ key }) => key)))];
  const evidence: JsonObject = {
    message,
    nodeCount: nodes.length,
    nodes: looked.map(({ node, misses }) => ({ node, misses: misses.map((miss) => ({ ...miss })) })),
    valuesOfNodes: Object.fromEntries(keys.map((key) => [key, valuesOf(nodes, key)])),
  };
  const code = 'NODE_SELECTOR_MATCHES_NO_NODE';
  return [
    { code, severity: 'error', cause: NODE_SELECTOR_CODES[code], evidence, remedies: remediesFor(situation, looked) },
  ];
}

function remediesFor(
  { workload }: PlacementSituation,
  looked: readonly { node: string; misses: LabelMiss[] }[],
): AdviceRemedy[] {
  const [closest] = looked;
  if (closest === undefined) return [];
  const { node, misses } = closest;
  const selector = Object.fromEntries(
    misses.filter(({ from }) => from === 'nodeSelector').map(({ key, has }) => [key, has]),
  );
  const isAffinity = misses.some(({ from }) => from === 'affinity');
  const podSpec: JsonObject = {
    ...(Object.keys(selector).length === 0 ? {} : { nodeSelector: selector }),
    ...(isAffinity ? { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: null } } } : {}),
  };
  const wanted = misses.map(({ key, operator, values }) => `${key} ${operator} ${values.join(', ')}`.trim()).join('; ');
  return [
    templateRemedy(`Let the pod template ask for what the node ${node} has.`, workload, podSpec),
    { description: `Or give a node the labels that are asked for (${wanted}).`, operations: [] },
  ];
}

function valuesOf(nodes: readonly KnownObject[], key: string): string[] {
  const values = nodes.flatMap(({ properties }) => rawTextRecord(properties, 'metadata', 'labels')[key] ?? []);
  return [...new Set(values)].sort().slice(0, MOST_VALUES);
}
