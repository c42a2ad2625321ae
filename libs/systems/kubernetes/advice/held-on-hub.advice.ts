import type { Advice } from '../../contract/advice.js';

export const HELD_ON_HUB_CODES = {
  HELD_ON_HUB: 'The cluster is the hub of a fleet: it keeps this for its members and runs none of it, by design.',
} as const satisfies Record<string, string>;

/** @param held whether the cluster is a hub that holds the object. */
export function heldOnHubAdvice(held: boolean, namespace: string | undefined): Advice[] {
  if (!held) return [];
  const code = 'HELD_ON_HUB';
  const description =
    'Place the namespace on members with a ClusterResourcePlacement (fleet.placement.apply), and look at the pods there.';
  return [
    {
      code,
      severity: 'info',
      cause: HELD_ON_HUB_CODES[code],
      evidence: { namespace: namespace ?? null },
      remedies: [{ description, operations: [] }],
    },
  ];
}
