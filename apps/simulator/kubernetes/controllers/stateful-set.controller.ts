import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { Pod, StatefulSet } from './kubernetes.types.js';
import { podFrom, templateHash } from './pod-template.js';
import { availableAt, controllerOf, isFinished, isReady } from './pod.state.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const REVISION_LABEL = 'controller-revision-hash';

/** Pods with names and volumes of their own, made and renewed one after the other. */
export class StatefulSetController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} stateful sets`, (key) => this.#sync(key));
    view.on('statefulsets.apps', ({ object }) => this.#queue.add(objectKey(object.metadata)));
    view.on('pods', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'StatefulSet')
        this.#queue.add(objectKey({ namespace: object.metadata.namespace, name: owner.name }));
    });
    for (const { metadata } of view.list('statefulsets.apps')) this.#queue.add(objectKey(metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #sync(key: string): void {
    const { namespace, name } = splitKey(key);
    const set = this.context.view.get('statefulsets.apps', namespace, name);
    if (set === undefined) return;
    if (set.metadata.deletionTimestamp === undefined) this.#manage(set);
    this.#report(set);
  }

  #pods(set: StatefulSet): Map<number, Pod> {
    const pods = this.context.view.owned(set.metadata.uid, 'pods');
    return new Map(pods.map((pod) => [ordinalOf(pod), pod]));
  }

  /** One step: every change of a pod brings the set back here. */
  #manage(set: StatefulSet): void {
    const replicas = set.spec.replicas ?? 1;
    const parallel = set.spec.podManagementPolicy === 'Parallel';
    const pods = this.#pods(set);
    for (let ordinal = 0; ordinal < replicas; ordinal++) {
      const pod = pods.get(ordinal);
      if (pod === undefined) {
        if (!this.#make(set, ordinal)) return;
        if (!parallel) return;
      } else if (isFinished(pod) && pod.metadata.deletionTimestamp === undefined) {
        this.#remove(set, pod);
        return;
      } else if (!parallel && (!this.#isAvailable(set, pod) || pod.metadata.deletionTimestamp !== undefined)) return;
    }
    const excess = [...pods.keys()].filter((ordinal) => ordinal >= replicas).sort((one, other) => other - one);
    for (const ordinal of excess) {
      const pod = pods.get(ordinal)!;
      if (pod.metadata.deletionTimestamp === undefined) this.#remove(set, pod);
      if (!parallel) return;
    }
    if (set.spec.updateStrategy?.type === 'OnDelete') return;
    const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    const revision = revisionOf(set);
    for (let ordinal = replicas - 1; ordinal >= partition; ordinal--) {
      const pod = pods.get(ordinal);
      if (pod?.metadata.deletionTimestamp !== undefined) return;
      if (pod !== undefined && pod.metadata.labels?.[REVISION_LABEL] !== revision) {
        this.#remove(set, pod);
        return;
      }
      if (pod === undefined || !this.#isAvailable(set, pod)) return;
    }
  }

  #isAvailable(set: StatefulSet, pod: Pod): boolean {
    const since = availableAt(pod, set.spec.minReadySeconds ?? 0);
    if (since === undefined) return false;
    if (since <= this.context.loop.clock.now().getTime()) return true;
    this.#queue.addAt(objectKey(set.metadata), since);
    return false;
  }

  #make(set: StatefulSet, ordinal: number): boolean {
    const { view } = this.context;
    const { namespace } = set.metadata;
    const name = `${set.metadata.name}-${ordinal}`;
    try {
      const claims = (set.spec.volumeClaimTemplates ?? []).map((template) => {
        const claim = `${template.metadata.name}-${name}`;
        if (view.get('persistentvolumeclaims', namespace, claim) === undefined) {
          const { name: _, ...metadata } = template.metadata;
          view.create(
            {
              apiVersion: 'v1',
              kind: 'PersistentVolumeClaim',
              metadata: {
                ...metadata,
                name: claim,
                namespace,
                labels: { ...set.spec.selector.matchLabels, ...metadata.labels },
              },
              spec: template.spec,
            },
            WRITERS.statefulSet,
          );
        }
        return { name: template.metadata.name, persistentVolumeClaim: { claimName: claim } };
      });
      const own = new Set(claims.map((claim) => claim.name));
      const volumes = [...(set.spec.template.spec.volumes ?? []).filter((volume) => !own.has(volume.name)), ...claims];
      view.create(
        podFrom(view, set, set.spec.template, {
          name,
          labels: {
            'apps.kubernetes.io/pod-index': String(ordinal),
            [REVISION_LABEL]: revisionOf(set),
            'statefulset.kubernetes.io/pod-name': name,
          },
          spec: {
            hostname: name,
            ...(set.spec.serviceName === undefined ? {} : { subdomain: set.spec.serviceName }),
            ...(volumes.length === 0 ? {} : { volumes }),
          },
        }),
        WRITERS.statefulSet,
      );
      this.#tell(
        set,
        'Normal',
        'SuccessfulCreate',
        `create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
      );
      return true;
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
      this.#tell(
        set,
        'Warning',
        'FailedCreate',
        `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${error.message}`,
      );
      this.#queue.addAfter(objectKey(set.metadata), 15_000);
      return false;
    }
  }

  #remove(set: StatefulSet, pod: Pod): void {
    const { namespace, name } = pod.metadata;
    this.context.view.delete('pods', namespace, name, WRITERS.statefulSet);
    const message = `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`;
    this.#tell(set, 'Normal', 'SuccessfulDelete', message);
  }

  #report(set: StatefulSet): void {
    const { namespace, name } = set.metadata;
    const pods = [...this.#pods(set).values()];
    const updateRevision = revisionOf(set);
    const onRevision = (revision: string): number =>
      pods.filter((pod) => pod.metadata.labels?.[REVISION_LABEL] === revision).length;
    const updated = onRevision(updateRevision);
    const replicas = set.spec.replicas ?? 1;
    this.context.view.updateStatus('statefulsets.apps', namespace, name, WRITERS.statefulSet, (object) => {
      const finished = updated === replicas && pods.length === replicas && pods.every(isReady);
      const currentRevision = finished ? updateRevision : (object.status?.currentRevision ?? updateRevision);
      const counts = {
        readyReplicas: pods.filter(isReady).length,
        currentReplicas: onRevision(currentRevision),
        updatedReplicas: updated,
      };
      return {
        ...object,
        status: {
          observedGeneration: set.metadata.generation ?? 0,
          replicas: pods.length,
          ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
          currentRevision,
          updateRevision,
          collisionCount: 0,
          availableReplicas: pods.filter((pod) => this.#isAvailable(set, pod)).length,
        },
      };
    });
  }

  #tell(set: StatefulSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.context.events.record(set, 'statefulset-controller', WRITERS.statefulSet, { type, reason, message });
  }
}

function revisionOf(set: StatefulSet): string {
  return `${set.metadata.name}-${templateHash(set.spec.template)}`;
}

function ordinalOf(pod: Pod): number {
  return Number(pod.metadata.name.slice(pod.metadata.name.lastIndexOf('-') + 1));
}
