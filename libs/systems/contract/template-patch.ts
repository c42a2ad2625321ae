import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AdviceRemedy } from './advice.js';

/** The operation that merges the patch into the `spec` of the pods that a workload makes. */
export function patchOfPods(workload: string, podSpec: JsonObject): RemedyOperation {
  const patch = JSON.stringify({ spec: { template: { spec: podSpec } } });
  return { type: 'kubernetes.workload.patch', input: { workload, patch } };
}

/** The operation that merges the changes into the containers of these names, and leaves all else of them as it is. */
export function patchOfContainers(workload: string, containers: JsonObject[]): RemedyOperation {
  const { type, input } = patchOfPods(workload, { containers });
  return { type, input: { ...input, mergeContainers: true } };
}

/** A remedy that changes the template; a pod that belongs to no workload has to be made anew by people. */
export function templateRemedy(description: string, workload: string | undefined, podSpec: JsonObject): AdviceRemedy {
  const operations = workload === undefined ? [] : [patchOfPods(workload, podSpec)];
  const made = workload === undefined ? `${description} The pod has no workload: make it anew so.` : description;
  return { description: made, operations };
}
