import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawMember, rawObjects, rawText } from '../contract/raw-reader.js';
import { quantityMillis, quantityValue } from '../contract/resource-quantity.js';

/** What the scheduler sets aside. */
export interface ResourceAmounts {
  cpuMillicores: number;
  memoryBytes: number;
}

const NOTHING: ResourceAmounts = { cpuMillicores: 0, memoryBytes: 0 };

/**
 * What a pod requests, as the scheduler counts it: its containers run together with its sidecars (init containers that
 * stay), each other init container runs alone with the sidecars started before it, and the greatest of these moments
 * counts. Requests of the pod as a whole take the place of the sum; the overhead of its runtime comes on top.
 */
export function podRequests(podSpec: Json | undefined): ResourceAmounts {
  let together = rawObjects(podSpec, 'containers').map(containerRequests).reduce(plus, NOTHING);
  let sidecars = NOTHING;
  let starting = NOTHING;
  for (const container of rawObjects(podSpec, 'initContainers')) {
    const requests = containerRequests(container);
    if (isSidecar(container)) {
      sidecars = plus(sidecars, requests);
      together = plus(together, requests);
      starting = greatest(starting, sidecars);
    } else {
      starting = greatest(starting, plus(sidecars, requests));
    }
  }
  const summed = greatest(together, starting);
  const ofPod = rawMember(podSpec, 'resources', 'requests');
  const requested = {
    cpuMillicores: quantityMillis(rawMember(ofPod, 'cpu')) ?? summed.cpuMillicores,
    memoryBytes: quantityValue(rawMember(ofPod, 'memory')) ?? summed.memoryBytes,
  };
  return plus(requested, amountsOf(rawMember(podSpec, 'overhead')));
}

export function plus(left: ResourceAmounts, right: ResourceAmounts): ResourceAmounts {
  return {
    cpuMillicores: left.cpuMillicores + right.cpuMillicores,
    memoryBytes: left.memoryBytes + right.memoryBytes,
  };
}

/** An init container that goes on running beside the others. */
export function isSidecar(initContainer: JsonObject): boolean {
  return rawText(initContainer, 'restartPolicy') === 'Always';
}

function containerRequests(container: JsonObject): ResourceAmounts {
  return amountsOf(rawMember(container, 'resources', 'requests'));
}

function amountsOf(quantities: Json | undefined): ResourceAmounts {
  return {
    cpuMillicores: quantityMillis(rawMember(quantities, 'cpu')) ?? 0,
    memoryBytes: quantityValue(rawMember(quantities, 'memory')) ?? 0,
  };
}

function greatest(left: ResourceAmounts, right: ResourceAmounts): ResourceAmounts {
  return {
    cpuMillicores: Math.max(left.cpuMillicores, right.cpuMillicores),
    memoryBytes: Math.max(left.memoryBytes, right.memoryBytes),
  };
}
