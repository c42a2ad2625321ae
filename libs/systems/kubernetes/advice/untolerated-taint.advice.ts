import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy, KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { virtualNatureOf } from '../../contract/virtual-nature.js';
import { templateRemedy } from '../../contract/template-patch.js';
import type { PlacementSituation } from './node-selector.advice.js';
import {
  MOST_NODES,
  byNearness,
  labelMisses,
  ownTolerations,
  unschedulableMessage,
  untoleratedTaints,
} from './scheduling.rules.js';
import { hasOutdatedToleration } from './virtual-node-taint.advice.js';

export const UNTOLERATED_TAINT_CODES = {
  TAINT_NOT_TOLERATED: 'The nodes that would take the pod have taints that it does not tolerate.',
} as const satisfies Record<string, string>;

/** What Kubernetes puts on nodes that are not well goes when they are; it is nothing to tolerate. */
const OF_CLUSTER = /^node\.(kubernetes|cloudprovider\.kubernetes)\.io\//;

/** Names the taints that are in the way, with the toleration that would match each. */
export function untoleratedTaintAdvice(situation: PlacementSituation): Advice[] {
  const { pod, nodes, workload } = situation;
  const message = unschedulableMessage(pod);
  if (message === undefined) return [];
  const suited = nodes.filter(({ properties }) => labelMisses(pod, properties).length === 0);
  const tainted = suited
    .filter(({ properties }) => untoleratedTaints(pod, properties).some(isTolerable))
    .filter(({ properties }) => !hasOutdatedToleration(pod, properties));
  const [nearest] = tainted.sort(byNearness(pod));
  if (nearest === undefined) return [];
  const taints = untoleratedTaints(pod, nearest.properties).filter(isTolerable);
  const missing = taints.map(tolerationOf);
  const evidence: JsonObject = {
    message,
    nodeCount: nodes.length,
    nodes: tainted.slice(0, MOST_NODES).map(({ name, properties }) => ({
      node: name,
      taints: untoleratedTaints(pod, properties).map((taint) => ({ ...taint, tolerated: nearMissOf(pod, taint) })),
    })),
    missingTolerations: missing,
  };
  const code = 'TAINT_NOT_TOLERATED';
  // Where other nodes are for the pod too, their own trouble is the first to be mended.
  const severity = tainted.length === suited.length ? 'error' : 'info';
  const tolerations = [...ownTolerations(pod), ...missing];
  const remedies = [
    templateRemedy(`Let the pod template tolerate the taints of the node ${nearest.name}.`, workload, { tolerations }),
    ...untaintRemedies(nearest, taints),
  ];
  return [{ code, severity, cause: UNTOLERATED_TAINT_CODES[code], evidence, remedies }];
}

function isTolerable(taint: JsonObject): boolean {
  return !OF_CLUSTER.test(rawText(taint, 'key') ?? '');
}

function tolerationOf(taint: JsonObject): JsonObject {
  const value = rawText(taint, 'value');
  const effect = rawText(taint, 'effect');
  return {
    key: rawText(taint, 'key') ?? '',
    ...(value === null ? { operator: 'Exists' } : { operator: 'Equal', value }),
    ...(effect === null ? {} : { effect }),
  };
}

/** The toleration of the same key that does not match, as it stands in the pod. */
function nearMissOf(pod: JsonObject, taint: JsonObject): JsonObject | null {
  const near = rawObjects(pod, 'spec', 'tolerations').find((one) => rawText(one, 'key') === rawText(taint, 'key'));
  return near === undefined ? null : { ...near };
}

/** A virtual node keeps its taint: without it every pod of the cluster could end there. */
function untaintRemedies(node: KnownObject, taints: readonly JsonObject[]): AdviceRemedy[] {
  if (virtualNatureOf(node.properties).nature !== 'none') return [];
  const operations = taints.map((taint) => {
    const effect = rawText(taint, 'effect');
    const input = { node: node.id, key: rawText(taint, 'key') ?? '', ...(effect === null ? {} : { effect }) };
    return { type: 'kubernetes.node.untaint', input };
  });
  return [{ description: `Or take the taints off the node ${node.name}, for all pods.`, operations }];
}
