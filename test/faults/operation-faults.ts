import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { delay } from '#libs/kernel/clock.js';
import { hasEnded } from '#libs/operations/operation.status.js';
import { generateEstate, parseEstateSize } from '../../apps/simulator/estate.generator.js';
import { Stack } from '../e2e/stack.js';
import { type Disaster, disastersInTurn, planFault, strike } from './disasters.js';
import { EvidenceCollector, WriteLog } from './evidence.collector.js';
import type { AskedOperation, FaultEvidence } from './fault-evidence.js';
import type { FaultParameters } from './fault-parameters.js';
import { FAULT_PROOFS } from './fault-proofs.js';
import { groundOf, planOperations, type FaultGround, type PlannedOperation } from './operation-mix.js';
import { askPatiently } from './patient-request.js';
import { Random } from './random.js';

const FAULT_PAUSE_MS = 1_500;
const LOOK_PAUSE_MS = 250;
const END_TIMEOUT_MS = 120_000;
const CACHE_TIMEOUT_MS = 30_000;
const LEFT_TIMEOUT_MS = 20_000;

export interface FaultRun {
  seed: number;
  evidence: FaultEvidence;
  disasters: Record<Disaster, number>;
  faultsPlayed: number;
  seconds: number;
  /** What the processes wrote. */
  output: string;
}

/** Asks for many operations while everything around them breaks, and gathers what is left when it is over. */
export async function runOperationFaults(parameters: FaultParameters): Promise<FaultRun> {
  const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-faults-'));
  const estate = generateEstate(
    parseEstateSize(
      `clusters=${parameters.clusters},fleets=3,members=${Math.floor(parameters.clusters / 2)},pools=2,podsPerCluster=6,deploymentsPerCluster=2,seed=${parameters.seed}`,
    ),
  );
  const estateFile = path.join(directory, 'estate.json');
  await writeFile(estateFile, JSON.stringify(estate));
  const stack = await Stack.start({
    SIMULATOR_ESTATE: estateFile,
    SIMULATOR_THROTTLE_SCALE: '0',
    ARM_TIMEOUT_MS: '3000',
    KUBERNETES_TIMEOUT_MS: '3000',
    SHUTDOWN_GRACE_MS: '2000',
    WATCH_STREAMS: 'deployments,nodes',
  });
  try {
    await stack.run('second-worker');
    const collector = new EvidenceCollector(stack);
    const lookedAt = groundOf(estate, new Map()).kubernetesClusters;
    const ground = groundOf(estate, await collector.nodesOf(lookedAt));
    return await new FaultSuite(stack, collector, ground, parameters).run();
  } catch (error) {
    const output = path.join(tmpdir(), `pilothouse-faults-${parameters.seed}.log`);
    await writeFile(output, stack.output);
    throw new Error(`The suite broke off; what the processes wrote is in ${output}`, { cause: error });
  } finally {
    await stack.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A few lines about what was proved, and by how much of it. */
export function tellFaultRun({ seed, evidence, disasters, faultsPlayed, seconds }: FaultRun): string {
  const { operations, writes, asked, longRuns, audit } = evidence;
  const counts = (values: readonly string[]): string => {
    const count = new Map<string, number>();
    for (const value of values) count.set(value, (count.get(value) ?? 0) + 1);
    return [...count].map(([value, number]) => `${number} ${value}`).join(', ');
  };
  const refusals = writes.filter(({ outcome }) => outcome !== null && outcome >= 400).length;
  const unanswered = writes.filter(({ outcome }) => outcome === null).length;
  return [
    `Seed ${seed}: ${asked.length} asked for, ${operations.length} accepted in ${Math.round(seconds)} s: ${counts(operations.map(({ status }) => status))}.`,
    `Failed: ${counts(operations.flatMap(({ status, errorCode }) => (status === 'Failed' ? [errorCode ?? 'without a code'] : []))) || 'none'}.`,
    `By type: ${counts(operations.map(({ type }) => type))}.`,
    `Disasters: ${counts(Object.entries(disasters).flatMap(([name, times]) => Array<string>(times).fill(name)))}; ${faultsPlayed} faults played.`,
    `${writes.length} writes were sent (${refusals} refused, ${unanswered} lost before they did anything), ${longRuns.length} long-running operations began in Azure, ${audit.length} audit events.`,
  ].join('\n');
}

class FaultSuite {
  readonly #random: Random;
  readonly #chaos: Random;
  readonly #asked: AskedOperation[] = [];
  readonly #disasters: Record<Disaster, number> = {
    'kill-worker': 0,
    'stall-worker': 0,
    'drain-worker': 0,
    'kill-database': 0,
    'kill-api': 0,
  };

  constructor(
    private readonly stack: Stack,
    private readonly collector: EvidenceCollector,
    private readonly ground: FaultGround,
    private readonly parameters: FaultParameters,
  ) {
    this.#random = new Random(parameters.seed);
    // Of its own, so that the operations stay the same when the disasters change.
    this.#chaos = new Random(parameters.seed + 1);
  }

  async run(): Promise<FaultRun> {
    const { stack, collector, ground, parameters } = this;
    const began = Date.now();
    const log = await WriteLog.follow(stack);
    const before = await collector.estate(ground);
    const plan = planOperations(ground, parameters.operations, this.#random);
    const over = new AbortController();
    await Promise.all([
      this.#askAll(plan).finally(() => over.abort()),
      this.#strikeInTurn(over.signal),
      this.#playFaults(over.signal),
    ]);
    await this.#settle();
    const cache = await this.#settledCache();
    const left = await this.#settledLeft();
    await log.end();
    const stored = await collector.stored();
    const evidence: FaultEvidence = {
      asked: this.#asked,
      ...stored,
      writes: log.writes,
      missedRequests: log.missed,
      longRuns: await collector.longRuns(began),
      before,
      after: cache.after,
      cache: cache.cache,
      applied: (await collector.applied(ground)).filter(({ name }) => name.startsWith('fault-')),
      left,
    };
    return {
      seed: parameters.seed,
      evidence,
      disasters: this.#disasters,
      faultsPlayed: log.faults,
      seconds: (Date.now() - began) / 1000,
      output: stack.output,
    };
  }

  async #askAll(plan: readonly PlannedOperation[]): Promise<void> {
    const pauseMs = (this.parameters.seconds * 1000) / plan.length;
    const asking: Promise<void>[] = [];
    for (const [index, planned] of plan.entries()) {
      asking.push(this.#ask(planned, `fault-${this.parameters.seed}-${index}`));
      await delay(pauseMs);
    }
    await Promise.all(asking);
  }

  /** Twice at once under one key, each until there is an answer. */
  async #ask({ type, input, cancelAfterMs }: PlannedOperation, key: string): Promise<void> {
    const asked: AskedOperation = { key, type, input, ids: [], refused: false, cancelAsked: cancelAfterMs !== null };
    this.#asked.push(asked);
    const answers = await Promise.all(
      [1, 2].map(() => askPatiently(() => this.stack.startOperation(type, input, key))),
    );
    const accepted = answers.filter(({ status }) => status < 300);
    asked.refused = accepted.length === 0;
    asked.ids = accepted.map(({ body }) => body.id as string);
    const [id] = asked.ids;
    if (id === undefined || cancelAfterMs === null) return;
    await delay(cancelAfterMs);
    await askPatiently(() => this.stack.api(`/v1/operations/${id}/cancel`, { method: 'POST' }));
  }

  /** Each disaster once at least, and on until everything has been asked for. */
  async #strikeInTurn(over: AbortSignal): Promise<void> {
    do {
      for (const disaster of disastersInTurn(this.#chaos)) {
        await delay(this.#chaos.integer(300, 1_500));
        this.#disasters[disaster] += 1;
        await strike(disaster, this.stack, this.#chaos);
      }
    } while (!over.aborted);
  }

  async #playFaults(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const fault = planFault(this.#chaos);
      await askPatiently(() => this.stack.simulator('/faults', { method: 'POST', body: fault }));
      if (this.#chaos.chance(0.1)) {
        const error = { code: 'AKSCapacityError', message: 'There is no capacity in this region.' };
        const match = { type: 'Microsoft.ContainerService/managedClusters/agentPools' };
        const body = { match, error };
        await askPatiently(() => this.stack.simulator('/operations/fail-next', { method: 'POST', body }));
      }
      // Only the end cuts the pause short.
      await delay(FAULT_PAUSE_MS, over).catch(() => undefined);
    }
    await askPatiently(() => this.stack.simulator('/faults', { method: 'DELETE' }));
  }

  /** Whether it does is for a proof to say, so nothing is thrown when the time is over. */
  async #settle(): Promise<void> {
    await this.#eventually(END_TIMEOUT_MS, async () => {
      const { operations } = await this.collector.stored();
      return operations.every(({ status }) => hasEnded(status));
    });
  }

  async #settledCache(): Promise<Pick<FaultEvidence, 'after' | 'cache'>> {
    const compare = FAULT_PROOFS['the cache agrees with the estate']!;
    let found: Pick<FaultEvidence, 'after' | 'cache'> | undefined;
    await this.#eventually(CACHE_TIMEOUT_MS, async () => {
      const after = await this.collector.estate(this.ground);
      found = { after, cache: await this.collector.cache(this.ground) };
      return compare({ ...found } as FaultEvidence).length === 0;
    });
    return found!;
  }

  async #settledLeft(): Promise<FaultEvidence['left']> {
    let left: FaultEvidence['left'] | undefined;
    await this.#eventually(LEFT_TIMEOUT_MS, async () => {
      left = await this.collector.left();
      return Object.values(left).every((count) => count === 0);
    });
    return left!;
  }

  async #eventually(timeoutMs: number, isSo: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + timeoutMs; !(await isSo()) && Date.now() < deadline;) await delay(LOOK_PAUSE_MS);
  }
}
