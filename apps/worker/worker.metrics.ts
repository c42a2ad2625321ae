import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '#libs/database/database.js';
import type { WorkerLease } from '#libs/kernel/worker-lease.js';
import type { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import type { OperationRecord } from '#libs/operations/operation.record.js';
import type { OperationHousekeepingRepository } from '#libs/operations/operation-housekeeping.repository.js';
import type { ThrottleBucketRepository } from '#libs/operations/throttle-bucket.repository.js';
import type { OperationRepository } from '#libs/operations/operation.repository.js';

export interface WorkerMetricsParts {
  database: Database;
  jobs: JobQueueRepository;
  operations: OperationRepository;
  housekeeping: OperationHousekeepingRepository;
  lease: Pick<WorkerLease, 'lapses'>;
  buckets: Pick<ThrottleBucketRepository, 'findAll'>;
}

/** What the worker measures: the queue, the operations and the syncs. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly #ended: Counter<'type' | 'status'>;
  readonly #duration: Histogram<'type' | 'status'>;
  readonly #syncs: Counter<'collector' | 'outcome'>;
  readonly #syncDuration: Histogram<'collector'>;
  readonly #watchedObjects: Counter<'stream'>;
  readonly #watchDelay: Histogram<'stream'>;
  readonly #watchFailures: Counter<'stream'>;

  constructor({ database, jobs, operations, housekeeping, lease, buckets }: WorkerMetricsParts) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#ended = new Counter({
      name: 'pilothouse_operations_ended_total',
      help: 'Operations that this worker brought to their end, by type and status.',
      labelNames: ['type', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'pilothouse_operation_duration_seconds',
      help: 'From the acceptance of an operation to its end, by type and status.',
      labelNames: ['type', 'status'],
      buckets: [1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 3600, 7200],
      registers,
    });
    this.#syncs = new Counter({
      name: 'pilothouse_syncs_total',
      help: 'Runs of a scope by this worker, by collector and outcome.',
      labelNames: ['collector', 'outcome'],
      registers,
    });
    this.#syncDuration = new Histogram({
      name: 'pilothouse_sync_duration_seconds',
      help: 'From the claim of a scope to the end of its run.',
      labelNames: ['collector'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    });
    this.#watchedObjects = new Counter({
      name: 'pilothouse_watched_objects_total',
      help: 'Objects of clusters that this worker brought into the cache after a change, by stream.',
      labelNames: ['stream'],
      registers,
    });
    this.#watchDelay = new Histogram({
      name: 'pilothouse_watch_delay_seconds',
      help: 'From the arrival of a change in a cluster to its commit in the cache.',
      labelNames: ['stream'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#watchFailures = new Counter({
      name: 'pilothouse_watch_failures_total',
      help: 'Interruptions of watches that lasted, by stream.',
      labelNames: ['stream'],
      registers,
    });
    new Gauge({
      name: 'pilothouse_operations_open',
      help: 'Operations that have not ended, by status, in the whole house.',
      labelNames: ['status'],
      registers,
      async collect() {
        this.reset();
        for (const { status, count } of await operations.countOpen()) this.set({ status }, count);
      },
    });
    new Gauge({
      name: 'pilothouse_operations_oldest_seconds',
      help: 'The age of the oldest operation that has not ended, by status, in the whole house.',
      labelNames: ['status'],
      registers,
      async collect() {
        this.reset();
        for (const { status, oldestSeconds } of await housekeeping.measureOpenAges()) {
          this.set({ status }, oldestSeconds);
        }
      },
    });
    new Gauge({
      name: 'pilothouse_operations_stuck',
      help: 'Operations under way that have said nothing new for too long, in the whole house.',
      registers,
      async collect() {
        this.set(await housekeeping.countStuck());
      },
    });
    new Counter({
      name: 'pilothouse_worker_lease_lapses_total',
      help: 'How often this worker was not heard of for so long that what it did was fenced.',
      registers,
      collect() {
        this.reset();
        this.inc(lease.lapses);
      },
    });
    const closed = new Gauge({
      name: 'pilothouse_azure_budget_closed_seconds',
      help: 'For how long Azure has asked for patience, by subscription and class of calls, in the whole house.',
      labelNames: ['scope', 'class'],
      registers,
    });
    new Gauge({
      name: 'pilothouse_azure_budget_remaining',
      help: 'Calls to Azure that are left, by subscription and class of calls, in the whole house.',
      labelNames: ['scope', 'class'],
      registers,
      async collect() {
        this.reset();
        closed.reset();
        for (const { key, bucket, now } of await buckets.findAll()) {
          const labels = { scope: key.scope, class: key.callClass };
          this.set(labels, bucket.tokens);
          closed.set(labels, Math.max(0, bucket.closedUntil - now) / 1000);
        }
      },
    });
    const scheduled = new Gauge({
      name: 'pilothouse_jobs_scheduled',
      help: 'Jobs that are for later.',
      registers,
    });
    const running = new Gauge({ name: 'pilothouse_jobs_running', help: 'Jobs that a worker has taken.', registers });
    const due = new Gauge({ name: 'pilothouse_jobs_due', help: 'Jobs that wait for a worker.', registers });
    new Gauge({
      name: 'pilothouse_jobs_oldest_seconds',
      help: 'How long the oldest of them has waited.',
      registers,
      async collect() {
        const backlog = await jobs.measureBacklog(database);
        due.set(backlog.due);
        scheduled.set(backlog.scheduled);
        running.set(backlog.running);
        this.set(backlog.oldestSeconds);
      },
    });
  }

  operationEnded(operation: OperationRecord): void {
    this.#ended.inc({ type: operation.type, status: operation.status });
    const seconds = ((operation.endedAt ?? operation.createdAt).getTime() - operation.createdAt.getTime()) / 1000;
    this.#duration.observe({ type: operation.type, status: operation.status }, seconds);
  }

  syncEnded(collector: string, outcome: string, seconds: number): void {
    this.#syncs.inc({ collector, outcome });
    this.#syncDuration.observe({ collector }, seconds);
  }

  watchApplied(scopeKey: string, objects: number, seconds: number): void {
    const stream = streamOf(scopeKey);
    this.#watchedObjects.inc({ stream }, objects);
    this.#watchDelay.observe({ stream }, Math.max(0, seconds));
  }

  watchFailed(scopeKey: string): void {
    this.#watchFailures.inc({ stream: streamOf(scopeKey) });
  }
}

/** `kubernetes/pods:{cluster uid}`: without the cluster, of which there may be thousands. */
function streamOf(scopeKey: string): string {
  return scopeKey.slice(0, scopeKey.lastIndexOf(':'));
}
