import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { Condition, Job } from './kubernetes.types.js';
import { podFrom } from './pod-template.js';
import { controllerOf, isActive, isReady } from './pod.state.js';
import { withCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

/** Runs pods until enough of them have ended well, or too many have not. */
export class JobController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} jobs`, (key) => this.#sync(key));
    view.on('jobs.batch', ({ object }) => this.#queue.add(objectKey(object.metadata)));
    view.on('pods', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'Job') this.#queue.add(objectKey({ namespace: object.metadata.namespace, name: owner.name }));
    });
    for (const { metadata } of view.list('jobs.batch')) this.#queue.add(objectKey(metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #sync(key: string): void {
    const { view, loop, events } = this.context;
    const { namespace, name } = splitKey(key);
    const job = view.get('jobs.batch', namespace, name);
    if (job === undefined || job.metadata.deletionTimestamp !== undefined) return;
    if (job.status?.conditions?.some((condition) => isEnd(condition)) === true) return;
    const pods = view.owned(job.metadata.uid, 'pods');
    const succeeded = pods.filter((pod) => pod.status?.phase === 'Succeeded').length;
    const failed = pods.filter((pod) => pod.status?.phase === 'Failed').length;
    const completions = job.spec.completions ?? 1;
    const now = kubernetesTime(loop.clock.now());
    let end: Condition | undefined;
    if (failed > (job.spec.backoffLimit ?? 6))
      end = {
        type: 'Failed',
        status: 'True',
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the specified backoff limit',
      };
    else if (succeeded >= completions)
      end = {
        type: 'Complete',
        status: 'True',
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      };
    else if (job.spec.suspend !== true) this.#start(job, succeeded, pods.filter(isActive).length, completions);
    const active = view.owned(job.metadata.uid, 'pods').filter(isActive);
    if (end !== undefined) {
      const reason = end.type === 'Complete' ? 'Completed' : (end.reason ?? '');
      const message = end.type === 'Complete' ? 'Job completed' : (end.message ?? '');
      const type = end.type === 'Complete' ? 'Normal' : 'Warning';
      events.record(job, 'job-controller', WRITERS.job, { type, reason, message });
    }
    view.updateStatus('jobs.batch', namespace, name, WRITERS.job, (object) => {
      const counts = { active: active.length, succeeded, failed };
      return {
        ...object,
        status: {
          ...(end === undefined
            ? object.status?.conditions && { conditions: object.status.conditions }
            : { conditions: withCondition(object.status?.conditions, { ...end, lastProbeTime: now }, now) }),
          startTime: object.status?.startTime ?? now,
          ...(end?.type === 'Complete' ? { completionTime: now } : {}),
          ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
          ready: active.filter(isReady).length,
        },
      };
    });
  }

  #start(job: Job, succeeded: number, active: number, completions: number): void {
    const { view, events } = this.context;
    const wanted = Math.min(job.spec.parallelism ?? 1, completions - succeeded) - active;
    for (let made = 0; made < wanted; made++) {
      try {
        const pod = view.create(podFrom(view, job, job.spec.template, {}), WRITERS.job);
        events.record(job, 'job-controller', WRITERS.job, {
          type: 'Normal',
          reason: 'SuccessfulCreate',
          message: `Created pod: ${pod.metadata.name}`,
        });
      } catch (error) {
        if (!(error instanceof KubernetesStatusError)) throw error;
        const message = `Error creating: ${error.message}`;
        events.record(job, 'job-controller', WRITERS.job, { type: 'Warning', reason: 'FailedCreate', message });
        this.#queue.addAfter(objectKey(job.metadata), 15_000);
        return;
      }
    }
  }
}

function isEnd(condition: Condition): boolean {
  return condition.status === 'True' && (condition.type === 'Complete' || condition.type === 'Failed');
}
