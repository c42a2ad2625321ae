import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { templateRemedy } from '../../contract/template-patch.js';
import type { PlacementSituation } from './node-selector.advice.js';
import { labelMisses, ownTolerations, unschedulableMessage, untoleratedTaints } from './scheduling.rules.js';

export const VIRTUAL_NODE_TAINT_CODES = {
  VIRTUAL_NODE_TAINT_RENAMED:
    'The pod tolerates the taint of another generation of virtual nodes: the early connector had azure.com/aci, later ones have virtual-kubelet.io/provider.',
} as const satisfies Record<string, string>;

const EARLY_TAINT = 'azure.com/aci';
const PROVIDER_TAINT = 'virtual-kubelet.io/provider';
const OTHER: Readonly<Record<string, string>> = { [EARLY_TAINT]: PROVIDER_TAINT, [PROVIDER_TAINT]: EARLY_TAINT };

/** What lets a pod onto virtual nodes of every generation. */
const BOTH: readonly JsonObject[] = [
  { key: PROVIDER_TAINT, operator: 'Exists' },
  { key: EARLY_TAINT, operator: 'Exists', effect: 'NoSchedule' },
];

/** Whether the pod is meant for a virtual node, but tolerates the taint of the other generation. */
export function hasOutdatedToleration(pod: JsonObject, node: JsonObject): boolean {
  return outdatedTaint(pod, node) !== undefined;
}

export function virtualNodeTaintAdvice({ pod, workload, nodes }: PlacementSituation): Advice[] {
  const message = unschedulableMessage(pod);
  if (message === undefined) return [];
  for (const { name, properties } of nodes) {
    const taint = labelMisses(pod, properties).length === 0 ? outdatedTaint(pod, properties) : undefined;
    if (taint === undefined) continue;
    const key = rawText(taint, 'key') ?? '';
    const code = 'VIRTUAL_NODE_TAINT_RENAMED';
    const kept = ownTolerations(pod).filter((each) => OTHER[rawText(each, 'key') ?? ''] === undefined);
    const remedy = 'Let the pod template tolerate the taints of both generations.';
    return [
      {
        code,
        severity: 'error',
        cause: VIRTUAL_NODE_TAINT_CODES[code],
        evidence: { message, node: name, taint: { ...taint }, tolerated: OTHER[key] ?? null },
        remedies: [templateRemedy(remedy, workload, { tolerations: [...kept, ...BOTH] })],
      },
    ];
  }
  return [];
}

function outdatedTaint(pod: JsonObject, node: JsonObject): JsonObject | undefined {
  const tolerated = new Set(rawObjects(pod, 'spec', 'tolerations').map((each) => rawText(each, 'key')));
  return untoleratedTaints(pod, node).find((taint) => {
    const other = OTHER[rawText(taint, 'key') ?? ''];
    return other !== undefined && tolerated.has(other);
  });
}
