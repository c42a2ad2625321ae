import { onAccountOf } from '#libs/kernel/call-origin.js';
import { ControlError, storedProblem, type Diagnosis } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { fieldDifferences } from '#libs/kernel/json-difference.js';
import { rehearse } from '#libs/kernel/rehearsal.js';
import { Secret } from '#libs/kernel/secret.js';
import type { SecretVault } from '#libs/kernel/secret-vault.js';
import { type Database, isPassingDatabaseFault } from '#libs/database/database.js';
import type { Transaction } from '#libs/database/sql.js';
import { blocks, type Finding } from '#libs/systems/contract/finding.js';
import type {
  OperationContext,
  OperationDefinition,
  OperationStep,
  StepContext,
  StepOutcome,
} from '#libs/systems/contract/operation-definition.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import { openInputSecrets } from './input-secrets.js';
import type { JobQueueRepository } from './job-queue.repository.js';
import type { OperationObservations, OperationPorts } from './operation.ports.js';
import { PREFLIGHT_STEP, VERIFY_STEP, type OperationRecord, type OperationStepRecord } from './operation.record.js';
import type { OperationClaim, OperationEnd, OperationRepository, StepChange } from './operation.repository.js';

/** What became of one turn of an operation. */
export type RunOutcome =
  /** It has ended. */
  | 'ended'
  /** It waits and has a job for later. */
  | 'parked'
  /** Another operation on the same target goes first, or somebody has to consent: that schedules this one. */
  | 'queued'
  /** It was over before this turn, or another worker took it over in the meantime. */
  | 'not-ours';

export interface RunnerSettings {
  /** Longest pause between two tries of a step that failed for a passing reason. */
  maximumBackoffSeconds: number;
}

export interface RunnerLog {
  /** A fault of ours, not of the outside world. */
  unexpected(operation: OperationRecord, error: unknown): void;
  ended(operation: OperationRecord): void;
  /** The cache could not be refreshed after a failed operation: the next sync will do it. */
  notRefreshed(operation: OperationRecord, error: ControlError): void;
}

/** Where a turn goes on after a step. */
type LeavingTurn = { next: 'leave'; outcome: RunOutcome };
type Turn = { next: 'continue' } | LeavingTurn;
const CONTINUE: Turn = { next: 'continue' };

/**
 * Carries an operation forward, one turn at a time: preflight, steps in order, reading back. Everything that a turn learns
 * is saved before the next thing is done, and every save is fenced, so that any number of workers may die or be late.
 */
export class OperationRunner {
  constructor(
    private readonly database: Database,
    private readonly operations: OperationRepository,
    private readonly jobs: JobQueueRepository,
    private readonly registry: SystemRegistry,
    private readonly ports: OperationPorts,
    private readonly log: RunnerLog,
    private readonly vault: SecretVault,
    private readonly settings: RunnerSettings,
  ) {}

  async run(operationId: string, signal: AbortSignal): Promise<RunOutcome> {
    const result = await this.database.transaction((transaction) => this.operations.claim(transaction, operationId));
    switch (result.state) {
      case 'over':
        return 'not-ours';
      case 'behind':
        return 'queued';
      case 'unapproved':
        return result.expired ? this.#expireApproval(operationId) : 'queued';
      case 'claimed':
        // Its calls to Azure count as those of whoever asked for it.
        return onAccountOf(`principal:${result.claim.operation.requestedBy}`, () => this.#turn(result.claim, signal));
      default:
        return assertNever(result);
    }
  }

  async #expireApproval(id: string): Promise<RunOutcome> {
    const ended = await this.database.transaction(async (transaction) => {
      const operation = await this.operations.expireApproval(transaction, id);
      if (operation === undefined) return undefined;
      if (operation.setId !== null) await this.jobs.scheduleSet(transaction, operation.setId);
      await this.ports.recordEnd(transaction, operation);
      return operation;
    });
    if (ended === undefined) return 'not-ours';
    this.log.ended(ended);
    return 'ended';
  }

  async #turn(claim: OperationClaim, signal: AbortSignal): Promise<RunOutcome> {
    const { operation } = claim;
    const definition = this.registry.findOperation(operation.type);
    if (definition === undefined || !hasStepsOf(operation, definition)) {
      const error = new ControlError('INTERNAL', `This version does not know ${operation.type} as it was accepted.`, {
        remedy: 'It was accepted by another version of Pilothouse; look at the target and ask again.',
      });
      return this.#fail(claim, error, signal);
    }
    const secondsLeft = (operation.deadlineAt.getTime() - Date.now()) / 1000;
    if (secondsLeft <= 0) {
      return this.#fail(
        claim,
        new ControlError('DEADLINE_EXCEEDED', `The operation did not end within ${definition.timeoutSeconds} s.`, {
          remedy: 'Look at the target: work that was started in Azure may still go on there.',
        }),
        signal,
      );
    }
    const steps = [
      { name: PREFLIGHT_STEP, run: () => this.#preflight(claim, definition, signal) },
      ...(operation.dryRun ? [] : definition.steps).map((step) => ({
        name: step.name,
        run: () => this.#step(claim, step, signal),
      })),
      ...(operation.dryRun ? [] : [{ name: VERIFY_STEP, run: () => this.#verify(claim, definition, signal) }]),
    ];
    for (const { name, run } of steps) {
      const record = stepOf(operation, name);
      if (record.status === 'Succeeded') continue;
      const turn = (await this.#cancellationBefore(claim, record, definition, signal)) ?? (await run());
      if (turn.next === 'leave') return turn.outcome;
    }
    // Only a dry run comes here: whatever else succeeds has been read back.
    return this.#plan(claim, definition, signal);
  }

  /** What a dry run answers: the steps, and what they would change. */
  async #plan(claim: OperationClaim, definition: OperationDefinition, signal: AbortSignal): Promise<RunOutcome> {
    const turn = await this.#guarded(claim, PREFLIGHT_STEP, signal, async (): Promise<LeavingTurn> => {
      const plan = definition.steps.map((step) => ({ step: step.name, description: step.description }));
      const context = this.#contextOf(claim, signal);
      const changes = await (definition.plan?.(context) ?? rehearseSteps(definition, context));
      const outcome = await this.#end(claim, {
        status: 'Succeeded',
        error: null,
        result: { plan, changes },
        message: 'The checks passed; nothing was changed.',
      });
      return { next: 'leave', outcome };
    });
    return turn.outcome;
  }

  /**
   * A cancellation takes effect between two pieces of work. What is known to go on in Azure is stopped where Azure can, and
   * otherwise seen through, since leaving it would leave its outcome unknown; when that was the last piece, the cancellation
   * came too late.
   * @returns undefined where the step is to be run.
   */
  async #cancellationBefore(
    claim: OperationClaim,
    record: OperationStepRecord,
    definition: OperationDefinition,
    signal: AbortSignal,
  ): Promise<LeavingTurn | undefined> {
    if ((await this.operations.currentStatus(claim.operation.id)) !== 'Canceling') return undefined;
    if (record.waitReason === 'work') {
      const step = definition.steps.find((each) => each.name === record.name);
      return step === undefined || record.abort === 'refused' ? undefined : this.#abort(claim, step, signal);
    }
    const isLast = record.name === VERIFY_STEP;
    const isTooLate =
      isLast && definition.steps.some((each) => stepOf(claim.operation, each.name).status === 'Succeeded');
    return isTooLate ? undefined : { next: 'leave', outcome: await this.#cancel(claim, signal) };
  }

  /** Stops the work that a step waits for. @returns undefined where it is to be seen through. */
  async #abort(
    claim: OperationClaim,
    step: OperationStep<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<LeavingTurn | undefined> {
    const record = stepOf(claim.operation, step.name);
    if (step.abort === undefined) return undefined;
    const abort = step.abort.bind(step);
    const turn = await this.#guarded(claim, step.name, signal, async (): Promise<Turn> => {
      const context = { ...this.#stepContextOf(claim, record, signal), asked: record.abort === 'asked' };
      const outcome = await abort(context);
      switch (outcome.outcome) {
        case 'stopped': {
          const lastStep: StepChange = {
            name: step.name,
            status: 'Failed',
            message: outcome.message,
            countAttempt: true,
          };
          return { next: 'leave', outcome: await this.#cancel(claim, signal, lastStep) };
        }
        case 'stopping':
          return this.#park(claim, outcome.retryAfterSeconds, {
            name: step.name,
            status: 'Waiting',
            waitReason: 'work',
            message: outcome.message,
            abort: 'asked',
            countAttempt: true,
          });
        case 'goes-on': {
          const { status, waitReason } = record;
          const change: StepChange = {
            name: step.name,
            status,
            message: outcome.message,
            abort: 'refused',
            countAttempt: false,
          };
          const saved = await this.#save(claim, { ...change, ...(waitReason === null ? {} : { waitReason }) });
          return saved ? CONTINUE : { next: 'leave', outcome: 'not-ours' };
        }
        default:
          return assertNever(outcome);
      }
    });
    return turn.next === 'leave' ? turn : undefined;
  }

  async #preflight(claim: OperationClaim, definition: OperationDefinition, signal: AbortSignal): Promise<Turn> {
    return this.#guarded(claim, PREFLIGHT_STEP, signal, async (): Promise<Turn> => {
      const findings = await definition.preflight(this.#contextOf(claim, signal));
      if (blocks(findings)) {
        const faults = findings.filter((finding) => finding.severity === 'error');
        const remedies = faults.flatMap((finding) => finding.remedy ?? []);
        const error = new ControlError('PREFLIGHT_FAILED', faults.map((finding) => finding.message).join(' '), {
          externalCode: faults.map((finding) => finding.code).join(','),
          ...(remedies.length === 0 ? {} : { remedy: remedies.join(' ') }),
          ...diagnosisOf(faults),
        });
        return { next: 'leave', outcome: await this.#fail(claim, error, signal, PREFLIGHT_STEP, { findings }) };
      }
      const saved = await this.database.transaction(async (transaction) => {
        if (!(await this.operations.saveFindings(transaction, claim, findings))) return false;
        return this.operations.saveStep(transaction, claim, {
          name: PREFLIGHT_STEP,
          status: 'Succeeded',
          message: `Checked: ${findings.length} findings.`,
          countAttempt: true,
        });
      });
      return saved ? CONTINUE : { next: 'leave', outcome: 'not-ours' };
    });
  }

  async #step(claim: OperationClaim, step: OperationStep<Record<string, unknown>>, signal: AbortSignal): Promise<Turn> {
    const record = stepOf(claim.operation, step.name);
    if (record.status === 'Pending') {
      const saved = await this.#save(claim, {
        name: step.name,
        status: 'Running',
        message: step.description,
        countAttempt: false,
      });
      if (!saved) return { next: 'leave', outcome: 'not-ours' };
    }
    return this.#guarded(claim, step.name, signal, async () => {
      const outcome = await step.run(this.#stepContextOf(claim, record, signal));
      return this.#settle(claim, step, outcome, signal);
    });
  }

  #stepContextOf(
    claim: OperationClaim,
    record: OperationStepRecord,
    signal: AbortSignal,
  ): StepContext<Record<string, unknown>> {
    return {
      ...this.#contextOf(claim, signal),
      resumeToken: claim.resumeTokens.get(record.name),
      attempt: record.attempts + 1,
      intent: claim.intents.get(record.name),
      noteIntent: async (intent) => {
        const held = await this.database.transaction((transaction) =>
          this.operations.noteIntent(transaction, claim, record.name, intent ?? null),
        );
        if (!held) {
          throw new ControlError('FENCED', 'Another worker has taken the operation over.', {
            retry: { kind: 'backoff' },
          });
        }
      },
    };
  }

  async #settle(
    claim: OperationClaim,
    step: OperationStep<Record<string, unknown>>,
    outcome: StepOutcome,
    signal: AbortSignal,
  ): Promise<Turn> {
    const { name } = step;
    switch (outcome.outcome) {
      case 'done': {
        const change: StepChange = {
          name,
          status: 'Succeeded',
          message: outcome.message,
          countAttempt: true,
          ...(outcome.output === undefined ? {} : { output: outcome.output }),
        };
        return (await this.#save(claim, change)) ? CONTINUE : { next: 'leave', outcome: 'not-ours' };
      }
      case 'wait':
        return this.#park(
          claim,
          outcome.retryAfterSeconds,
          {
            name,
            status: 'Waiting',
            waitReason: 'work',
            message: outcome.message,
            countAttempt: true,
            ...(outcome.resumeToken === undefined ? {} : { resumeToken: outcome.resumeToken }),
          },
          step.abort !== undefined && stepOf(claim.operation, name).abort === null,
        );
      case 'blocked':
        return this.#park(claim, outcome.retryAfterSeconds, {
          name,
          status: 'Waiting',
          waitReason: 'foreign-work',
          message: outcome.message,
          countAttempt: true,
        });
      case 'failed':
        return {
          next: 'leave',
          outcome: await this.#fail(claim, outcome.error, signal, name, { output: outcome.output }),
        };
      default:
        return assertNever(outcome);
    }
  }

  async #verify(claim: OperationClaim, definition: OperationDefinition, signal: AbortSignal): Promise<Turn> {
    return this.#guarded(claim, VERIFY_STEP, signal, async (): Promise<Turn> => {
      const verification = await definition.verify(this.#contextOf(claim, signal));
      switch (verification.verdict) {
        case 'pending':
          return this.#park(claim, verification.retryAfterSeconds, {
            name: VERIFY_STEP,
            status: 'Waiting',
            waitReason: 'work',
            message: verification.message,
            countAttempt: true,
          });
        case 'missed':
          return {
            next: 'leave',
            outcome: await this.#fail(
              claim,
              new ControlError('VERIFICATION_FAILED', verification.message),
              signal,
              VERIFY_STEP,
            ),
          };
        case 'reached': {
          const tooLate = (await this.operations.currentStatus(claim.operation.id)) === 'Canceling';
          return {
            next: 'leave',
            outcome: await this.#end(
              claim,
              {
                status: 'Succeeded',
                error: null,
                result: verification.result,
                message: tooLate
                  ? 'The cancellation came too late: the wanted state was already there.'
                  : 'The target is in the wanted state.',
              },
              verification,
              { name: VERIFY_STEP, status: 'Succeeded', message: 'The target was read back.', countAttempt: true },
            ),
          };
        }
        default:
          return assertNever(verification);
      }
    });
  }

  /** Turns what a step throws into a later try or the end of the operation. Faults of the database go to the job engine. */
  async #guarded<T extends Turn>(
    claim: OperationClaim,
    name: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T | LeavingTurn> {
    try {
      return await work();
    } catch (error) {
      // A look that failed does not end the work that is known to go on.
      const goesOn = claim.resumeTokens.has(name) || stepOf(claim.operation, name).waitReason === 'work';
      const reason = goesOn ? 'work' : 'retry';
      if (signal.aborted) {
        // The worker is stopping, or may have been taken for dead. Whatever the step did is found by the next one, which
        // observes before it acts. Where somebody else has the claim by now, nothing is saved here.
        return this.#park(claim, 0, {
          name,
          status: 'Waiting',
          waitReason: reason,
          message: wordsOfAbort(signal),
          countAttempt: false,
        });
      }
      if (error instanceof ControlError) {
        if (!error.retryable) return { next: 'leave', outcome: await this.#fail(claim, error, signal, name) };
        const { attempts } = stepOf(claim.operation, name);
        return this.#park(claim, this.#pauseAfter(error, attempts), {
          name,
          status: 'Waiting',
          waitReason: reason,
          message: `Will be tried again: ${error.message}`,
          countAttempt: true,
        });
      }
      if (isPassingDatabaseFault(error)) throw error;
      this.log.unexpected(claim.operation, error);
      const fault = new ControlError('INTERNAL', 'The step failed for a reason that Pilothouse does not know.', {
        remedy: `Report it with the correlation id ${claim.operation.correlationId}.`,
        cause: error,
      });
      return { next: 'leave', outcome: await this.#fail(claim, fault, signal, name) };
    }
  }

  #pauseAfter(error: ControlError, attempts: number): number {
    const exponential = Math.min(2 ** Math.min(attempts, 10), this.settings.maximumBackoffSeconds);
    // Full jitter, so that what failed together is not tried again together.
    const backoff = exponential / 2 + (Math.random() * exponential) / 2;
    return error.retry.kind === 'after' ? error.retry.seconds + Math.random() : backoff;
  }

  #contextOf(claim: OperationClaim, signal: AbortSignal): OperationContext<Record<string, unknown>> {
    const { operation } = claim;
    return {
      operationId: operation.id,
      correlationId: operation.correlationId,
      input: operation.input,
      references: operation.references,
      target: operation.target,
      secrets: claim.sealedSecrets === null ? {} : openInputSecrets(this.vault, operation.id, claim.sealedSecrets),
      outputs: Object.fromEntries(
        operation.steps.flatMap((step) => (step.output === null ? [] : [[step.name, step.output]])),
      ),
      signal,
    };
  }

  async #save(claim: OperationClaim, change: StepChange): Promise<boolean> {
    const saved = await this.database.transaction((transaction) =>
      this.operations.saveStep(transaction, claim, change),
    );
    if (saved) applyTo(stepOf(claim.operation, change.name), change);
    return saved;
  }

  /** @param canAbort whether work that is waited for would be stopped by a cancellation. */
  async #park(claim: OperationClaim, seconds: number, change: StepChange, canAbort = false): Promise<LeavingTurn> {
    const secondsLeft = (claim.operation.deadlineAt.getTime() - Date.now()) / 1000;
    const pause = Math.max(0, Math.min(seconds, secondsLeft));
    const saved = await this.database.transaction(async (transaction) => {
      const status = await this.operations.park(transaction, claim, pause);
      if (status === undefined) return false;
      await this.operations.saveStep(transaction, claim, change);
      // A cancellation that came in meanwhile takes effect at once, unless work can only be seen through.
      const stopsNext = status === 'Canceling' && (canAbort || change.waitReason !== 'work');
      await this.jobs.schedule(transaction, claim.operation.id, stopsNext ? 0 : pause);
      return true;
    });
    return { next: 'leave', outcome: saved ? 'parked' : 'not-ours' };
  }

  /** @param stopped the step whose work was stopped, where some was under way. */
  async #cancel(claim: OperationClaim, signal: AbortSignal, stopped?: StepChange): Promise<RunOutcome> {
    const did = claim.operation.steps.filter(
      (step) => step.status === 'Succeeded' && step.name !== PREFLIGHT_STEP && step.name !== VERIFY_STEP,
    );
    // A step that ran and said nothing (its worker died, its answer was lost) may have reached Azure.
    const unsure = claim.operation.steps.filter(
      (step) =>
        step.name !== PREFLIGHT_STEP &&
        step.startedAt !== null &&
        step.waitReason !== 'foreign-work' &&
        step.name !== stopped?.name &&
        !did.includes(step),
    );
    const message = [
      did.length === 0 ? 'Canceled.' : `Canceled after: ${namesOf(did)}. What these did was not undone.`,
      ...(stopped === undefined ? [] : [stopped.message]),
      ...(did.length + unsure.length === 0 && stopped === undefined ? ['Nothing was changed.'] : []),
      ...(unsure.length === 0 ? [] : [`The request of ${namesOf(unsure)} may have reached Azure; look at the target.`]),
    ].join(' ');
    const seen = await this.#observe(claim.operation, signal);
    return this.#end(claim, { status: 'Canceled', error: null, result: null, message }, seen, stopped);
  }

  async #fail(
    claim: OperationClaim,
    error: ControlError,
    signal: AbortSignal,
    step?: string,
    told: { findings?: readonly Finding[]; output?: Json } = {},
  ): Promise<RunOutcome> {
    const seen = await this.#observe(claim.operation, signal);
    const lastStep: StepChange | undefined =
      step === undefined
        ? undefined
        : {
            name: step,
            status: 'Failed',
            message: error.message,
            countAttempt: true,
            ...(told.output === undefined ? {} : { output: told.output }),
          };
    return this.#end(
      claim,
      { status: 'Failed', error: storedProblem(error), result: null, message: error.message },
      seen,
      lastStep,
      told.findings,
    );
  }

  /** After a failure the cache should show what is really there; if the owner cannot be asked, the next sync will. */
  async #observe(operation: OperationRecord, signal: AbortSignal): Promise<OperationObservations | undefined> {
    if (operation.dryRun) return undefined;
    try {
      return await this.ports.observeTarget(operation.target, operation.correlationId, signal);
    } catch (error) {
      if (error instanceof ControlError) this.log.notRefreshed(operation, error);
      else this.log.unexpected(operation, error);
      return undefined;
    }
  }

  async #end(
    claim: OperationClaim,
    end: OperationEnd,
    seen?: OperationObservations,
    lastStep?: StepChange,
    findings?: readonly Finding[],
  ): Promise<RunOutcome> {
    let ended: OperationRecord | undefined;
    try {
      ended = await this.#endOnce(claim, end, seen, lastStep, findings);
    } catch (error) {
      // The truth about the operation must not wait for a cache that cannot take what was seen: the next sync brings it.
      if (seen === undefined || isPassingDatabaseFault(error)) throw error;
      this.log.unexpected(claim.operation, error);
      ended = await this.#endOnce(claim, end, undefined, lastStep, findings);
    }
    if (ended === undefined) return 'not-ours';
    this.log.ended(ended);
    return 'ended';
  }

  async #endOnce(
    claim: OperationClaim,
    end: OperationEnd,
    seen: OperationObservations | undefined,
    lastStep: StepChange | undefined,
    findings: readonly Finding[] | undefined,
  ): Promise<OperationRecord | undefined> {
    return this.database.transaction(async (transaction: Transaction) => {
      if (findings !== undefined && !(await this.operations.saveFindings(transaction, claim, findings)))
        return undefined;
      if (lastStep !== undefined && !(await this.operations.saveStep(transaction, claim, lastStep))) return undefined;
      const operation = await this.operations.end(transaction, claim, end);
      if (operation === undefined) return undefined;
      if (seen !== undefined) await this.ports.applyObservations(transaction, seen);
      await this.#startNext(transaction, operation);
      if (operation.setId !== null) await this.jobs.scheduleSet(transaction, operation.setId);
      // Last, since it queues on the audit chain: the shorter that is held, the better.
      await this.ports.recordEnd(transaction, operation);
      return operation;
    });
  }

  async #startNext(transaction: Transaction, operation: OperationRecord): Promise<void> {
    if (operation.lockKey === null) return;
    const next = await this.operations.findNextPending(transaction, operation.lockKey);
    if (next !== undefined) await this.jobs.schedule(transaction, next, 0);
  }
}

/** Of the first fault that an operation mends. */
function diagnosisOf(faults: readonly Finding[]): { diagnosis?: Diagnosis } {
  const fault = faults.find(({ operations = [] }) => operations.length > 0);
  if (fault === undefined) return {};
  const { code, message, evidence, operations = [] } = fault;
  return { diagnosis: { code, cause: message, evidence, operations } };
}

/**
 * What the steps would send to whom, by their own code, up to the first that would change something: what comes after it
 * depends on that.
 */
async function rehearseSteps(
  definition: OperationDefinition,
  context: OperationContext<Record<string, unknown>>,
): Promise<Json> {
  const steps: JsonObject[] = [];
  // What is planned is kept and shown: no secret may come into it.
  const secrets = Object.fromEntries(Object.keys(context.secrets).map((field) => [field, new Secret('[redacted]')]));
  // What steps that only look have found is what those after them go by.
  const outputs: Record<string, Json> = {};
  let isOpen = false;
  for (const step of definition.steps) {
    if (isOpen) {
      steps.push({ step: step.name, would: 'follow', message: 'It is worked out when the steps before it are done.' });
      continue;
    }
    const { shown, output } = await rehearseStep(step, { ...context, secrets, outputs: { ...outputs } });
    steps.push({ step: step.name, ...shown });
    if (output !== undefined) outputs[step.name] = output;
    isOpen = shown.would !== 'change-nothing';
  }
  return { steps };
}

/** What only its owner writes at the top of an object (its id, its times) is not sent, and not taken away by that. */
function sentAgain(before: JsonObject | undefined, after: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(before ?? {}).filter(([name]) => name in after));
}

interface RehearsedStep {
  shown: JsonObject & { would: 'change' | 'change-nothing' | 'wait' | 'fail' };
  output?: Json;
}

async function rehearseStep(
  step: OperationStep<Record<string, unknown>>,
  context: OperationContext<Record<string, unknown>>,
): Promise<RehearsedStep> {
  try {
    const rehearsed = await rehearse(() => step.run({ ...context, resumeToken: undefined, attempt: 1 }));
    if ('write' in rehearsed) {
      const { method, target, before, after } = rehearsed.write;
      const differences = after === undefined ? [] : fieldDifferences(sentAgain(before, after), after);
      return {
        shown: {
          would: 'change',
          method,
          target,
          // An action has no body: nothing comes to be by it.
          isNew: before === undefined && after !== undefined,
          differences: differences.map((each) => ({ ...each })),
        },
      };
    }
    const { result } = rehearsed;
    switch (result.outcome) {
      case 'done': {
        const shown = { would: 'change-nothing', message: result.message } as const;
        return { shown, ...(result.output === undefined ? {} : { output: result.output }) };
      }
      case 'wait':
      case 'blocked':
        return { shown: { would: 'wait', message: result.message } };
      case 'failed':
        return { shown: { would: 'fail', message: result.error.message, code: result.error.code } };
      default:
        return assertNever(result);
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
    return { shown: { would: 'fail', message: error.message, code: error.code } };
  }
}

function wordsOfAbort({ reason }: AbortSignal): string {
  return reason instanceof ControlError && reason.code === 'FENCED'
    ? 'The worker was silent for too long; whoever is free goes on.'
    : 'The worker was stopped; another goes on.';
}

function stepOf(operation: OperationRecord, name: string): OperationStepRecord {
  const step = operation.steps.find((candidate) => candidate.name === name);
  if (step === undefined) throw new TypeError(`Operation ${operation.id} has no step "${name}"`);
  return step;
}

function hasStepsOf(operation: OperationRecord, definition: OperationDefinition): boolean {
  if (operation.dryRun) return true;
  return definition.steps.every((step) => operation.steps.some((record) => record.name === step.name));
}

function namesOf(steps: readonly OperationStepRecord[]): string {
  return steps.map((step) => step.name).join(', ');
}

function applyTo(step: OperationStepRecord, change: StepChange): void {
  step.status = change.status;
  step.message = change.message;
  step.waitReason = change.waitReason ?? null;
  step.output = change.output ?? step.output;
  step.abort = change.abort ?? step.abort;
  if (change.countAttempt) step.attempts += 1;
}
