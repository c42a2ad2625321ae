import { randomUUID } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { AuditSigner } from '#libs/audit/audit.checkpoint.js';
import { AuditRepository } from '#libs/audit/audit.repository.js';
import { AZURE } from '#libs/azure/azure.module.js';
import type { Azure } from '#libs/azure/azure.js';
import type { Configuration } from '#libs/config/configuration.js';
import { ReadinessControl } from '#libs/control/readiness.control.js';
import { Database } from '#libs/database/database.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import { AttachedKubeconfigs } from '#libs/access/attached-kubeconfigs.js';
import { ChangeRepository } from '#libs/inventory/change.repository.js';
import { ClusterWatchPlanner } from '#libs/inventory/cluster-watch.planner.js';
import { ClusterWatchScheduler } from '#libs/inventory/cluster-watch.scheduler.js';
import { InventoryHousekeeping } from '#libs/inventory/inventory.housekeeping.js';
import { ObservationWriter } from '#libs/inventory/observation.writer.js';
import { ResourceRepository } from '#libs/inventory/resource.repository.js';
import { RetentionRepository } from '#libs/inventory/retention.repository.js';
import { ScopeRepository } from '#libs/inventory/scope.repository.js';
import { SyncRunner } from '#libs/inventory/sync.runner.js';
import { SyncScheduler } from '#libs/inventory/sync.scheduler.js';
import { WatchedClusterRepository } from '#libs/inventory/watched-cluster.repository.js';
import type { Clock } from '#libs/kernel/clock.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { WorkerLease } from '#libs/kernel/worker-lease.js';
import { JobEngine } from '#libs/operations/job-engine.js';
import { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import { OperationAcceptor } from '#libs/operations/operation.acceptor.js';
import { OperationHousekeeping } from '#libs/operations/operation.housekeeping.js';
import { OperationHousekeepingRepository } from '#libs/operations/operation-housekeeping.repository.js';
import { OperationRepository } from '#libs/operations/operation.repository.js';
import { OperationSetEngine } from '#libs/operations/operation-set.engine.js';
import { OperationSetRepository } from '#libs/operations/operation-set.repository.js';
import { ThrottleBucketRepository } from '#libs/operations/throttle-bucket.repository.js';
import { OperationRunner } from '#libs/operations/operation.runner.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import type { Logger } from '../house/logger.js';
import { operationPorts, operationSetPorts } from '../house/operation-ports.js';
import { CLOCK, CONFIGURATION, LOGGER } from '../house/tokens.js';
import { createHealthServer } from './health.server.js';
import { PeriodicTask } from './periodic-task.js';
import { ScopePlanner } from './scope.planner.js';
import { WorkerMetrics } from './worker.metrics.js';

/** How often the list of subscriptions is looked at again. */
const PLAN_INTERVAL_MS = 60_000;
const PLAN_RETRY_MS = 5_000;
const HOUSEKEEPING_INTERVAL_MS = 3_600_000;
const STUCK_INTERVAL_MS = 30_000;
const SCOPE_LEASE_SECONDS = 30;
const SCOPE_POLL_SECONDS = 2;
/** How often the cache is looked at for clusters that are new, stopped or gone. */
const WATCH_PLAN_INTERVAL_MS = 2_000;
const CLUSTER_LEASE_SECONDS = 15;
const CLUSTER_POLL_SECONDS = 1;

/** A worker process: it syncs scopes and carries operations forward. Any number of them share the work. */
export class Worker {
  readonly #configuration: Configuration;
  readonly #logger: Logger;
  readonly #metrics: WorkerMetrics;
  readonly #jobs: JobEngine;
  readonly #syncs: SyncScheduler;
  readonly #watches: ClusterWatchScheduler;
  readonly #tasks: PeriodicTask[];
  readonly #health: FastifyInstance;

  /** @param heart connections for the worker's sign of life alone. */
  constructor(house: INestApplicationContext, heart: Database) {
    this.#configuration = house.get<Configuration>(CONFIGURATION);
    this.#logger = house.get<Logger>(LOGGER);
    const database = house.get(Database);
    const operations = house.get(OperationRepository);
    this.#metrics = new WorkerMetrics({
      database,
      jobs: house.get(JobQueueRepository),
      operations,
      housekeeping: new OperationHousekeepingRepository(database),
      lease: house.get(WorkerLease),
      buckets: house.get(ThrottleBucketRepository),
    });
    this.#jobs = new JobEngine(
      database,
      operations,
      this.#operationRunner(house),
      new OperationSetEngine(
        database,
        house.get(OperationSetRepository),
        house.get(OperationAcceptor),
        house.get(JobQueueRepository),
        house.get(SystemRegistry),
        operationSetPorts(house.get(AuditRepository)),
      ),
      {
        info: (message, fields) => this.#logger.info(fields, message),
        error: (message, fields) => this.#logger.error(fields, message),
      },
      {
        concurrency: this.#configuration.operationConcurrency,
        shutdownGraceMs: this.#configuration.shutdownGraceMs,
      },
      house.get(WorkerLease),
      heart,
    );
    this.#syncs = this.#syncScheduler(house);
    this.#watches = this.#watchScheduler(house);
    this.#tasks = [
      this.#planning(house),
      this.#watchPlanning(house),
      this.#housekeeping(house),
      ...this.#operationHousekeeping(house),
      this.#resealing(house),
      ...this.#checkpoints(house),
    ];
    this.#health = createHealthServer(house.get(ReadinessControl), this.#jobs, this.#metrics.registry);
  }

  async start(): Promise<void> {
    const url = await this.#health.listen({
      host: this.#configuration.workerHost,
      port: this.#configuration.workerPort,
    });
    await this.#jobs.start();
    this.#syncs.start();
    this.#watches.start();
    for (const task of this.#tasks) task.start();
    this.#logger.info({ health: url }, 'The worker works');
  }

  async stop(): Promise<void> {
    await Promise.all([
      ...this.#tasks.map((task) => task.stop()),
      this.#syncs.stop(),
      this.#watches.stop(),
      this.#jobs.stop(),
    ]);
    await this.#health.close();
  }

  #operationRunner(house: INestApplicationContext): OperationRunner {
    const registry = house.get(SystemRegistry);
    return new OperationRunner(
      house.get(Database),
      house.get(OperationRepository),
      house.get(JobQueueRepository),
      registry,
      operationPorts(registry, house.get(ObservationWriter), house.get(ScopeRepository), house.get(AuditRepository)),
      {
        unexpected: (operation, error) =>
          this.#logger.error(
            { err: error, operationId: operation.id, correlationId: operation.correlationId },
            'A step failed unexpectedly',
          ),
        ended: (operation) => {
          this.#metrics.operationEnded(operation);
          const { id, type, status, correlationId, error } = operation;
          this.#logger.info({ operationId: id, type, status, correlationId, code: error?.code }, 'An operation ended');
        },
        notRefreshed: (operation, error) =>
          this.#logger.warn(
            { operationId: operation.id, code: error.code, correlationId: operation.correlationId },
            'The target of an ended operation could not be read; the next sync will',
          ),
      },
      house.get(SecretVault),
      { maximumBackoffSeconds: this.#configuration.operationBackoffSeconds },
    );
  }

  #syncScheduler(house: INestApplicationContext): SyncScheduler {
    const scopes = house.get(ScopeRepository);
    const runner = new SyncRunner(
      house.get(Database),
      house.get(SystemRegistry),
      scopes,
      house.get(ObservationWriter),
      house.get<Clock>(CLOCK),
      { leaseSeconds: SCOPE_LEASE_SECONDS },
    );
    return new SyncScheduler(
      scopes,
      runner,
      house.get(NotificationListener),
      {
        started: (claim) => this.#logger.debug({ scope: claim.scope.key }, 'A sync started'),
        ended: ({ scopeKey, end, counts, removed, durationMs, problem }) => {
          this.#metrics.syncEnded(scopeKey.split(':', 1)[0] ?? scopeKey, end, durationMs / 1000);
          const fields = { scope: scopeKey, end, ...counts, removed, durationMs: Math.round(durationMs) };
          if (problem === null) this.#logger.debug(fields, 'A sync ended');
          else
            this.#logger.warn(
              { ...fields, code: problem.code, problem: problem.message },
              'A sync did not see everything',
            );
        },
        failed: (error, scopeKey) => this.#logger.error({ err: error, scope: scopeKey }, 'A sync failed unexpectedly'),
      },
      {
        owner: `worker-${randomUUID()}`,
        concurrency: this.#configuration.syncConcurrency,
        leaseSeconds: SCOPE_LEASE_SECONDS,
        pollSeconds: SCOPE_POLL_SECONDS,
      },
    );
  }

  #planning(house: INestApplicationContext): PeriodicTask {
    const azure = house.get<Azure>(AZURE);
    const planner = new ScopePlanner(
      house.get(SystemRegistry),
      house.get(ScopeRepository),
      {
        listSubscriptionIds: async (signal) => {
          const subscriptions = await azure.subscriptions.list({ correlationId: randomUUID(), signal });
          return subscriptions.map((subscription) => subscription.subscriptionId);
        },
      },
      this.#configuration,
    );
    return new PeriodicTask({
      intervalMs: PLAN_INTERVAL_MS,
      retryMs: PLAN_RETRY_MS,
      run: (signal) => planner.plan(signal),
      onFailure: (error) => this.#logger.error({ err: error }, 'The subscriptions could not be listed'),
    });
  }

  #watchScheduler(house: INestApplicationContext): ClusterWatchScheduler {
    return new ClusterWatchScheduler(
      {
        database: house.get(Database),
        registry: house.get(SystemRegistry),
        scopes: house.get(ScopeRepository),
        clusters: house.get(WatchedClusterRepository),
        writer: house.get(ObservationWriter),
        listener: house.get(NotificationListener),
        clock: house.get<Clock>(CLOCK),
        observer: {
          applied: (scopeKey, objects, milliseconds) =>
            this.#metrics.watchApplied(scopeKey, objects, milliseconds / 1000),
          failed: (scopeKey, problem) => {
            this.#metrics.watchFailed(scopeKey);
            this.#logger.warn(
              { scope: scopeKey, code: problem.code, problem: problem.message },
              'A watch was interrupted; it will be begun again',
            );
          },
          unexpected: (scopeKey, error) =>
            this.#logger.error({ err: error, scope: scopeKey }, 'A watch failed unexpectedly'),
        },
        failed: (error) => this.#logger.error({ err: error }, 'The watched clusters could not be looked at'),
      },
      {
        owner: `worker-${randomUUID()}`,
        concurrency: this.#configuration.watchConcurrency,
        leaseSeconds: CLUSTER_LEASE_SECONDS,
        pollSeconds: CLUSTER_POLL_SECONDS,
      },
    );
  }

  #watchPlanning(house: INestApplicationContext): PeriodicTask {
    const planner = new ClusterWatchPlanner({
      database: house.get(Database),
      registry: house.get(SystemRegistry),
      resources: house.get(ResourceRepository),
      scopes: house.get(ScopeRepository),
      clusters: house.get(WatchedClusterRepository),
      writer: house.get(ObservationWriter),
      clock: house.get<Clock>(CLOCK),
      findAttached: () => house.get(AttachedKubeconfigs).clusterUids(),
    });
    return new PeriodicTask({
      intervalMs: WATCH_PLAN_INTERVAL_MS,
      run: (signal) => planner.plan(signal),
      onFailure: (error) => this.#logger.error({ err: error }, 'The clusters to be watched could not be listed'),
    });
  }

  /** After a change of keys, what the older ones have sealed. */
  #resealing(house: INestApplicationContext): PeriodicTask {
    const kubeconfigs = house.get(AttachedKubeconfigs);
    return new PeriodicTask({
      intervalMs: HOUSEKEEPING_INTERVAL_MS,
      run: async () => {
        const count = await kubeconfigs.resealAll();
        if (count > 0) this.#logger.info({ count }, 'Attached kubeconfigs were sealed with the present key');
      },
      onFailure: (error) => this.#logger.error({ err: error }, 'Attached kubeconfigs could not be sealed anew'),
    });
  }

  #housekeeping(house: INestApplicationContext): PeriodicTask {
    const housekeeping = new InventoryHousekeeping(
      new RetentionRepository(house.get(Database)),
      house.get(ChangeRepository),
      house.get<Clock>(CLOCK),
      this.#configuration,
    );
    return new PeriodicTask({
      intervalMs: HOUSEKEEPING_INTERVAL_MS,
      run: async () => {
        this.#logger.debug({ ...(await housekeeping.run()) }, 'Housekeeping is done');
      },
      onFailure: (error) => this.#logger.error({ err: error }, 'Housekeeping failed'),
    });
  }

  #operationHousekeeping(house: INestApplicationContext): PeriodicTask[] {
    const housekeeping = new OperationHousekeeping(
      new OperationHousekeepingRepository(house.get(Database)),
      house.get<Clock>(CLOCK),
      this.#configuration,
      house.get(SecretVault),
    );
    return [
      new PeriodicTask({
        intervalMs: HOUSEKEEPING_INTERVAL_MS,
        run: async () => {
          const count = await housekeeping.resealSecrets();
          if (count > 0) this.#logger.info({ count }, 'Secret inputs were sealed with the present key');
        },
        onFailure: (error) => this.#logger.error({ err: error }, 'Secret inputs could not be sealed anew'),
      }),
      new PeriodicTask({
        intervalMs: HOUSEKEEPING_INTERVAL_MS,
        run: async () => {
          const count = await housekeeping.forgetOld();
          if (count > 0) this.#logger.info({ count }, 'Operations that ended long ago were let go of');
        },
        onFailure: (error) => this.#logger.error({ err: error }, 'Old operations could not be let go of'),
      }),
      new PeriodicTask({
        intervalMs: STUCK_INTERVAL_MS,
        run: async () => {
          for (const { id, type, correlationId, message, movedAt } of await housekeeping.findStuck()) {
            const fields = { operationId: id, type, correlationId, says: message, since: movedAt.toISOString() };
            this.#logger.warn(fields, 'An operation does not move');
          }
        },
        onFailure: (error) => this.#logger.error({ err: error }, 'Stuck operations could not be looked for'),
      }),
    ];
  }

  #checkpoints(house: INestApplicationContext): PeriodicTask[] {
    const key = this.#configuration.auditSigningKey;
    if (key === undefined) {
      this.#logger.warn('No AUDIT_SIGNING_KEY: the audit log is chained, but no checkpoints are made');
      return [];
    }
    const signer = new AuditSigner(key);
    const audit = house.get(AuditRepository);
    const clock = house.get<Clock>(CLOCK);
    const task = new PeriodicTask({
      intervalMs: this.#configuration.auditCheckpointSeconds * 1000,
      run: async () => {
        const head = await audit.findUncoveredHead();
        if (head !== undefined) await audit.insertCheckpoint(signer.sign(head, clock.now()));
      },
      onFailure: (error) => this.#logger.error({ err: error }, 'The audit log could not be signed'),
    });
    return [task];
  }
}
