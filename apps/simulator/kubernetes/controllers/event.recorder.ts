import type { ObjectWriter } from '../cluster.objects.js';
import type { ClusterView } from './cluster.view.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { TypedObject } from './kubernetes.types.js';
import { kubernetesMicroTime, kubernetesTime } from '../timestamp.js';
import type { WorkLoop, WorkQueue } from './work.loop.js';

/** An API server keeps events for an hour. */
const LIFETIME_MS = 3_600_000;

export interface EventNote {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  /** Given by the scheduler, whose events have the newer shape (`eventTime`, no timestamps). */
  action?: string;
}

/**
 * Writes events as the components of a cluster do, and removes them after an hour.
 */
export class EventRecorder {
  readonly #expiry: WorkQueue;
  #sequence = 0n;

  constructor(
    private readonly view: ClusterView,
    private readonly loop: WorkLoop,
    private readonly volume: 'all' | 'warnings',
  ) {
    this.#expiry = loop.queue('events', (key) => {
      const { namespace, name } = splitKey(key);
      this.view.delete('events', namespace, name, { manager: 'kube-apiserver', user: 'system:apiserver' });
    });
    for (const event of view.list('events')) {
      const time = event.eventTime ?? event.lastTimestamp ?? event.metadata.creationTimestamp;
      this.#expiry.addAt(objectKey(event.metadata), Date.parse(time) + LIFETIME_MS);
    }
  }

  record(about: TypedObject, component: string, writer: ObjectWriter, note: EventNote, host?: string): void {
    if (this.volume === 'warnings' && note.type === 'Normal') return;
    const now = this.loop.clock.now();
    // Real names end in the nanosecond; the sequence stands for what is below a millisecond.
    const stamp = (BigInt(now.getTime()) * 1_000_000n + this.#sequence++).toString(16);
    const namespace = about.metadata.namespace ?? 'default';
    const name = `${about.metadata.name}.${stamp}`;
    const newStyle = note.action !== undefined;
    this.view.create(
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          kind: about.kind,
          ...(about.metadata.namespace === undefined ? {} : { namespace: about.metadata.namespace }),
          name: about.metadata.name,
          uid: about.metadata.uid,
          apiVersion: about.apiVersion,
          resourceVersion: about.metadata.resourceVersion,
        },
        reason: note.reason,
        message: note.message,
        type: note.type,
        ...(newStyle
          ? {
              source: {},
              firstTimestamp: null,
              lastTimestamp: null,
              eventTime: kubernetesMicroTime(now),
              action: note.action,
              reportingComponent: component,
              reportingInstance: `${component}-${host ?? 'control-plane'}`,
            }
          : {
              source: { component, ...(host === undefined ? {} : { host }) },
              firstTimestamp: kubernetesTime(now),
              lastTimestamp: kubernetesTime(now),
              count: 1,
              eventTime: null,
              reportingComponent: component,
              reportingInstance: host ?? '',
            }),
      },
      writer,
    );
    this.#expiry.addAt(objectKey({ namespace, name }), now.getTime() + LIFETIME_MS);
  }

  close(): void {
    this.#expiry.close();
  }
}
