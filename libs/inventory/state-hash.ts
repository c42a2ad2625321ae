import { hash } from 'node:crypto';
import { canonicalJson } from '#libs/kernel/canonical-json.js';
import type { Observation } from '#libs/systems/contract/observation.js';

/**
 * What makes a state: two observations of one object with the same hash are the same state, and the second one writes
 * no version and no change.
 *
 * Part of it: kind, location, provisioning state, health with its reason, tags, properties and the claimed relations.
 * Not part of it:
 * - what the canonical id decides (id, name, subscription, resource group, cluster, namespace): sources differ in how they
 *   spell these, and an object would seem to change with each source that is asked;
 * - the etag: it moves without anything to be seen having changed, and Resource Graph does not tell it;
 * - when and from where it was observed.
 */
export function stateHash(observation: Observation): Buffer {
  const relations = observation.relations.map((claim) => `${claim.type} ${claim.from} ${claim.to}`).sort();
  const state = [
    observation.kind,
    observation.location,
    observation.provisioningState,
    observation.health.state,
    observation.health.reason,
    observation.tags,
    observation.properties,
    relations,
  ];
  return hash('sha256', canonicalJson(state), 'buffer');
}
