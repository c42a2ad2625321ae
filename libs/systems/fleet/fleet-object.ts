import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId, type KubernetesIdParts } from '#libs/kernel/kubernetes-id.js';
import type { Health } from '../contract/observation.js';
import { rawText, rawTexts } from '../contract/raw-reader.js';

/** The API groups of Fleet. Their versions are the server's business: they are asked for, never assumed. */
export const CLUSTER_GROUP = 'cluster.kubernetes-fleet.io';
export const PLACEMENT_GROUP = 'placement.kubernetes-fleet.io';
export const NETWORKING_GROUP = 'networking.fleet.azure.com';

/** Where the agents of Fleet put what they make on a member. */
export const FLEET_SYSTEM_NAMESPACE = 'fleet-system';

/** The canonical id of another object, from parts that a server gave; undefined where they make no id. */
export function otherObjectId(parts: KubernetesIdParts): string | undefined {
  try {
    return KubernetesId.of(parts).canonical;
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

/** What is said of an object that is on its way out; undefined for any other. */
export function deletionHealth(object: JsonObject): Health | undefined {
  if (rawText(object, 'metadata', 'deletionTimestamp') === null) return undefined;
  const finalizers = rawTexts(object, 'metadata', 'finalizers');
  const waiting = finalizers.length === 0 ? '' : `; it waits for ${finalizers.join(', ')}`;
  return { state: 'Progressing', reason: `It is being deleted${waiting}.` };
}
