import { type Clock } from '#libs/kernel/clock.js';
import { onAccountOf } from '#libs/kernel/call-origin.js';
import { ControlError, storedProblem } from '#libs/kernel/control-error.js';
import type { Database } from '#libs/database/database.js';
import type { Transaction } from '#libs/database/sql.js';
import type { CollectionOutcome } from '#libs/systems/contract/collector.js';
import type { Observation, ObservationSource } from '#libs/systems/contract/observation.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { leastTrusted } from './freshness.rule.js';
import type { ApplyCounts, ObservationWriter } from './observation.writer.js';
import type { RunEnd, ScopeClaim, ScopeRepository } from './scope.repository.js';

/** While the server takes in one batch, the next one is prepared here. */
const BATCHES_IN_FLIGHT = 2;
const FIRST_RETRY_SECONDS = 5;

export interface SyncRunnerSettings {
  /** How long a scope stays claimed without a sign of life; renewed at a third of it. */
  leaseSeconds: number;
}

/**
 * How a run ended. `lost`: another worker has taken the scope over, and this one has written nothing since. `stopped`: it
 * was told to stop, and the scope is due again.
 */
export type SyncEnd = RunEnd['state'] | 'lost' | 'stopped';

export interface SyncReport {
  scopeKey: string;
  end: SyncEnd;
  counts: ApplyCounts;
  /** Objects that a complete run has found to be gone. */
  removed: number;
  durationMs: number;
  /** What kept the run from being complete. */
  problem: ControlError | null;
}

/** Runs one claimed scope: what its collector sees goes into the cache, and after a complete run what it did not see goes. */
export class SyncRunner {
  constructor(
    private readonly database: Database,
    private readonly registry: SystemRegistry,
    private readonly scopes: ScopeRepository,
    private readonly writer: ObservationWriter,
    private readonly clock: Clock,
    private readonly settings: SyncRunnerSettings,
  ) {}

  /** Does not throw for what the collector does; a database that fails is thrown, and the lease is left to run out. */
  async run(claim: ScopeClaim, stop: AbortSignal): Promise<SyncReport> {
    const run = new Run(claim, this.clock.now());
    const lost = new AbortController();
    const heartbeat = setInterval(
      () => {
        // A renewal that fails is tried again; the fence guards every write in any case.
        this.scopes.renew(claim, this.settings.leaseSeconds).then(
          (holds) => {
            if (!holds) lost.abort(fenced());
          },
          () => undefined,
        );
      },
      (this.settings.leaseSeconds * 1000) / 3,
    );
    try {
      const outcome = await onAccountOf('sync', () => this.#collect(run, AbortSignal.any([stop, lost.signal])));
      if (outcome.state === 'complete') return run.report('complete', null, await this.#complete(run));
      await this.#incomplete(run, 'partial', outcome.problem, outcome.missing);
      return run.report('partial', outcome.problem);
    } catch (error) {
      if (isFenced(error) || lost.signal.aborted) return run.report('lost', null);
      if (stop.aborted) {
        await this.scopes.release(claim);
        return run.report('stopped', null);
      }
      const problem = error instanceof ControlError ? error : unexpected(error);
      const state = run.seen.size > 0 ? 'partial' : 'failed';
      const missing = state === 'partial' ? `What comes after the first ${run.seen.size} objects.` : null;
      if (!(await this.#tryIncomplete(run, state, problem, missing))) return run.report('lost', problem);
      return run.report(state, problem);
    } finally {
      clearInterval(heartbeat);
    }
  }

  async #collect(run: Run, signal: AbortSignal): Promise<CollectionOutcome> {
    const { scope } = run.claim;
    const collector = this.registry.findCollector(scope.collector);
    if (collector === undefined) {
      throw new ControlError('INTERNAL', `There is no collector "${scope.collector}" in this build.`);
    }
    const batches = collector.collect(scope, { signal, correlationId: run.correlationId });
    const inFlight = new Set<Promise<unknown>>();
    try {
      for (;;) {
        const step = await batches.next();
        signal.throwIfAborted();
        if (step.done === true) {
          await Promise.all(inFlight);
          return step.value;
        }
        if (inFlight.size >= BATCHES_IN_FLIGHT) await Promise.race(inFlight);
        // A failed batch stays in the set, where the next look at it finds it.
        const applied: Promise<unknown> = this.#apply(run, step.value).then(() => inFlight.delete(applied));
        applied.catch(() => undefined);
        inFlight.add(applied);
      }
    } catch (error) {
      // What is under way ends before the caller hears of the failure: nothing is written behind its back.
      await Promise.allSettled(inFlight);
      throw error;
    } finally {
      await batches.return({ state: 'complete' });
    }
  }

  async #apply(run: Run, observations: readonly Observation[]): Promise<void> {
    for (const { source } of observations) run.sources.add(source);
    const { key } = run.claim.scope;
    const counts = await this.database.transaction((transaction) =>
      this.writer.apply(transaction, observations, {
        scopeKey: key,
        seen: run.seen,
        beforeWrite: (guarded) => this.#fence(guarded, run.claim),
      }),
    );
    run.add(counts);
  }

  async #fence(transaction: Transaction, claim: ScopeClaim): Promise<void> {
    if (!(await this.scopes.holds(transaction, claim))) throw fenced();
  }

  /** @returns how many objects are gone. */
  async #complete(run: Run): Promise<number> {
    const freshness = { observedAt: run.startedAt, source: leastTrusted(run.sources) };
    return this.database.transaction(async (transaction) => {
      const removed = await this.writer.tombstoneUnseen(transaction, run.claim.scope.key, run.seen, freshness);
      const end: RunEnd = { state: 'complete', run: freshness, objectCount: run.seen.size };
      if (!(await this.scopes.end(transaction, run.claim, end))) throw fenced();
      return removed;
    });
  }

  async #incomplete(
    run: Run,
    state: 'partial' | 'failed',
    problem: ControlError,
    missing: string | null,
  ): Promise<void> {
    if (!(await this.#tryIncomplete(run, state, problem, missing))) throw fenced();
  }

  async #tryIncomplete(
    run: Run,
    state: 'partial' | 'failed',
    problem: ControlError,
    missing: string | null,
  ): Promise<boolean> {
    const retryInSeconds = nextRun(problem, run.claim);
    return this.database.transaction((transaction) =>
      this.scopes.end(transaction, run.claim, { state, problem: storedProblem(problem), missing, retryInSeconds }),
    );
  }
}

/** What one run has seen and done so far. */
class Run {
  readonly seen = new Set<string>();
  readonly sources = new Set<ObservationSource>();
  readonly correlationId = crypto.randomUUID();
  readonly #counts: ApplyCounts = { created: 0, updated: 0, unchanged: 0, ignored: 0 };
  readonly #start = performance.now();

  constructor(
    readonly claim: ScopeClaim,
    readonly startedAt: Date,
  ) {}

  add(counts: ApplyCounts): void {
    this.#counts.created += counts.created;
    this.#counts.updated += counts.updated;
    this.#counts.unchanged += counts.unchanged;
    this.#counts.ignored += counts.ignored;
  }

  report(end: SyncEnd, problem: ControlError | null, removed = 0): SyncReport {
    const durationMs = performance.now() - this.#start;
    return { scopeKey: this.claim.scope.key, end, counts: { ...this.#counts }, removed, durationMs, problem };
  }
}

/**
 * Seconds until the next try: what the owner asks for; otherwise, for what may pass, doubling from a few seconds up to the
 * usual interval; otherwise the usual interval.
 */
function nextRun(problem: ControlError, claim: ScopeClaim): number {
  const { retry } = problem;
  switch (retry.kind) {
    case 'after':
      return Math.max(1, retry.seconds);
    case 'backoff':
      return Math.min(claim.intervalSeconds, FIRST_RETRY_SECONDS * 2 ** Math.min(claim.failures, 20));
    case 'never':
      return claim.intervalSeconds;
  }
}

function fenced(): ControlError {
  return new ControlError('FENCED', 'Another worker has taken this scope over.');
}

function isFenced(error: unknown): boolean {
  return error instanceof ControlError && error.code === 'FENCED';
}

function unexpected(error: unknown): ControlError {
  return new ControlError('INTERNAL', 'The sync failed unexpectedly.', { retry: { kind: 'backoff' }, cause: error });
}
