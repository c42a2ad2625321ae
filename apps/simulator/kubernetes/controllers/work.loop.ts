import type { Clock } from '#libs/kernel/clock.js';

/** How long one turn of the loop may hold the process, in milliseconds: requests are answered between two turns. */
const TURN_MS = 8;
/** Node's timers overflow after 2^31 ms; a timer that fires early is simply set again. */
const LONGEST_TIMER_MS = 2_000_000_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 300_000;

export interface WorkLoopOptions {
  clock: Clock;
  /** Told about work that failed unexpectedly and will be tried again. */
  onError: (error: unknown, where: string) => void;
}

interface Job {
  queue: WorkQueue;
  key: string;
}

interface DueJob extends Job {
  atMs: number;
  order: number;
}

/**
 * Runs the work of all controllers of a process, one piece at a time, in the order in which it was asked for: the same
 * input leads to the same objects. A key that waits already is not queued again. What is due later waits in one heap with
 * one timer. Nothing happens while there is nothing to do.
 */
export class WorkLoop {
  readonly clock: Clock;
  readonly #onError: WorkLoopOptions['onError'];
  #jobs: Job[] = [];
  #next = 0;
  readonly #due: DueJob[] = [];
  #order = 0;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #state: 'open' | 'closed' = 'open';

  constructor(options: WorkLoopOptions) {
    this.clock = options.clock;
    this.#onError = options.onError;
  }

  /** `process` is called with each key that was added. It is called again later when it throws. */
  queue(name: string, process: (key: string) => void): WorkQueue {
    return new WorkQueue(this, name, process);
  }

  /** For queues only. */
  push(queue: WorkQueue, key: string): void {
    if (this.#state === 'closed') return;
    this.#jobs.push({ queue, key });
    this.#wake();
  }

  /** For queues only. */
  pushAt(queue: WorkQueue, key: string, atMs: number): void {
    if (this.#state === 'closed') return;
    insertDue(this.#due, { queue, key, atMs, order: this.#order++ });
    this.#setTimer();
  }

  /** Does all there is to do at the clock's time, at once: for tests, and after a clock was moved by hand. */
  settle(): void {
    this.#takeDue();
    while (this.#next < this.#jobs.length) {
      this.#runNext();
      if (this.#next >= this.#jobs.length) this.#takeDue();
    }
    this.#setTimer();
  }

  /** When the next piece of work is due, in milliseconds since 1970; undefined when nothing waits for a time. */
  nextDue(): number | undefined {
    this.#dropStale();
    return this.#due[0]?.atMs;
  }

  close(): void {
    this.#state = 'closed';
    this.#jobs = [];
    this.#next = 0;
    this.#due.length = 0;
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  #wake(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#turn();
    });
  }

  #turn(): void {
    this.#takeDue();
    const end = performance.now() + TURN_MS;
    while (this.#next < this.#jobs.length && performance.now() < end) this.#runNext();
    if (this.#next < this.#jobs.length) this.#wake();
    this.#setTimer();
  }

  #runNext(): void {
    const { queue, key } = this.#jobs[this.#next++]!;
    // The front of the array is given back in pieces: shifting it one by one would move all that waits.
    if (this.#next === this.#jobs.length || this.#next > 4096) {
      this.#jobs = this.#jobs.slice(this.#next);
      this.#next = 0;
    }
    const failure = queue.run(key);
    if (failure !== undefined) this.#onError(failure.error, `${queue.name} ${key}`);
  }

  #takeDue(): void {
    const now = this.clock.now().getTime();
    for (;;) {
      const first = this.#due[0];
      if (first === undefined || first.atMs > now) return;
      removeFirstDue(this.#due);
      if (first.queue.takeDue(first.key, first.atMs)) first.queue.add(first.key);
    }
  }

  #dropStale(): void {
    for (
      let first = this.#due[0];
      first !== undefined && !first.queue.isDue(first.key, first.atMs);
      first = this.#due[0]
    )
      removeFirstDue(this.#due);
  }

  #setTimer(): void {
    this.#dropStale();
    const atMs = this.#due[0]?.atMs ?? Infinity;
    if (atMs === this.#timerAtMs && this.#timer !== undefined) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = atMs;
    if (atMs === Infinity || this.#state === 'closed') return;
    const wait = Math.min(LONGEST_TIMER_MS, Math.max(1, atMs - this.clock.now().getTime()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#timerAtMs = Infinity;
      this.#turn();
    }, wait);
    this.#timer.unref();
  }
}

/** The keys one controller has to look at. */
export class WorkQueue {
  readonly #waiting = new Set<string>();
  /** The time at which a key is due; the earliest wins. */
  readonly #dueAt = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  #state: 'open' | 'closed' = 'open';

  constructor(
    private readonly loop: WorkLoop,
    readonly name: string,
    private readonly process: (key: string) => void,
  ) {}

  add(key: string): void {
    if (this.#state === 'closed' || this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.loop.push(this, key);
  }

  /** Looked at again after this time, or earlier when something else asks for it. */
  addAfter(key: string, milliseconds: number): void {
    this.addAt(key, this.loop.clock.now().getTime() + Math.max(0, milliseconds));
  }

  addAt(key: string, atMs: number): void {
    if (this.#state === 'closed' || (this.#dueAt.get(key) ?? Infinity) <= atMs) return;
    this.#dueAt.set(key, atMs);
    this.loop.pushAt(this, key, atMs);
  }

  close(): void {
    this.#state = 'closed';
    this.#waiting.clear();
    this.#dueAt.clear();
    this.#failures.clear();
  }

  /** For the loop. */
  isDue(key: string, atMs: number): boolean {
    return this.#dueAt.get(key) === atMs;
  }

  /** For the loop. @returns false when another time holds by now. */
  takeDue(key: string, atMs: number): boolean {
    if (!this.isDue(key, atMs)) return false;
    this.#dueAt.delete(key);
    return true;
  }

  /** For the loop. */
  run(key: string): { error: unknown } | undefined {
    if (!this.#waiting.delete(key)) return undefined;
    try {
      this.process(key);
      this.#failures.delete(key);
      return undefined;
    } catch (error) {
      // Whatever it is, the other controllers go on; it is reported and the key is tried again, ever more rarely.
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      this.addAfter(key, Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures));
      return { error };
    }
  }
}

function earlier(a: DueJob, b: DueJob): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function insertDue(heap: DueJob[], job: DueJob): void {
  let index = heap.push(job) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!earlier(job, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = job;
}

function removeFirstDue(heap: DueJob[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child++;
    if (!earlier(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
}
