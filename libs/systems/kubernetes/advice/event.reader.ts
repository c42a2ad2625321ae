import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import { rawText } from '../../contract/raw-reader.js';
import type { KubernetesClient } from '../kubernetes.client.js';

/** The latest that is asked for of one object. */
const MOST_EVENTS = 500;

/** The events of an object, the latest last; read when they are needed, kept nowhere. None where they may not be seen. */
export async function eventsOf(client: KubernetesClient, id: KubernetesId, call: KubeCall): Promise<JsonObject[]> {
  const events: JsonObject[] = [];
  const selector = `involvedObject.kind=${id.kind},involvedObject.name=${id.name}`;
  try {
    for await (const event of client.listIn(id.clusterUid, id.namespace ?? '', EVENT, call, {
      fieldSelector: selector,
    })) {
      events.push(event);
      if (events.length >= MOST_EVENTS) break;
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
  }
  return events.sort((left, right) => (timeOf(left) < timeOf(right) ? -1 : 1));
}

const EVENT = { group: '', kind: 'Event' };

function timeOf(event: JsonObject): string {
  return (
    rawText(event, 'series', 'lastObservedTime') ??
    rawText(event, 'lastTimestamp') ??
    rawText(event, 'eventTime') ??
    rawText(event, 'metadata', 'creationTimestamp') ??
    ''
  );
}

export function messagesOf(events: readonly JsonObject[], reason?: string): string[] {
  return events
    .filter((event) => reason === undefined || rawText(event, 'reason') === reason)
    .flatMap((event) => rawText(event, 'message') ?? []);
}

export function warningsOf(events: readonly JsonObject[]): string[] {
  return messagesOf(events.filter((event) => rawText(event, 'type') === 'Warning'));
}
