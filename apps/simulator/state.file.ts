import { mkdirSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AzureState } from './azure.state.js';
import type { EstateWorkloads } from './estate.schema.js';
import { readIfPresent } from './file.read.js';
import type { LongRunningOperation } from './long-running-operation.store.js';
import type { PlannedFailure } from './planned-failure.store.js';
import type { Registration } from './registration.store.js';
import type { StoredResource } from './resource.store.js';

const FORMAT = 1;
/** How long changes are gathered before they are written: as much as a SIGKILL can lose. */
const QUIET_MILLISECONDS = 100;
/** A big state takes long to write; then the pause is this many times that, so that the simulator stays responsive. */
const PAUSE_FACTOR = 4;
const PART_SIZE = 500;

interface SavedHeader {
  format: typeof FORMAT;
  tenantId: string;
  plannedFailures: readonly PlannedFailure[];
  providers: [string, Registration][];
  features: [string, Registration][];
  coreQuotas: [string, number][];
  workloads?: EstateWorkloads;
}

interface SavedState extends SavedHeader {
  operations: LongRunningOperation[];
  resources: StoredResource[];
}

/** Keeps the state in a file: written whole, beside the old one, then renamed over it, so that no reader sees half of it. */
export class StateFile {
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #lastMilliseconds = 0;

  constructor(
    private readonly path: string,
    private readonly state: AzureState,
    /** Hears of writes that failed in the background. */
    private readonly report: (error: unknown) => void,
  ) {
    mkdirSync(dirname(path), { recursive: true });
  }

  /**
   * Takes the state from the file; false when there is none.
   * @throws TypeError when the file is not a state of this format.
   */
  restore(): boolean {
    const saved = this.#read();
    if (saved === undefined) return false;
    const { state } = this;
    state.clear();
    state.tenantId = saved.tenantId;
    state.resources.restore(saved.resources);
    state.operations.restore(saved.operations);
    state.plannedFailures.restore(saved.plannedFailures);
    state.providers.restore(saved.providers);
    state.features.restore(saved.features);
    for (const [key, cores] of saved.coreQuotas) state.coreQuotas.set(key, cores);
    state.workloads = saved.workloads;
    state.graph.rebuild(state.resources.all());
    return true;
  }

  /** Something changed: it will be in the file soon. */
  schedule(): void {
    if (this.#timer !== undefined) return;
    const pause = Math.max(QUIET_MILLISECONDS, this.#lastMilliseconds * PAUSE_FACTOR);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = (this.#writing ?? Promise.resolve()).then(() => this.#write()).catch(this.report);
    }, pause);
  }

  /** Writes what is outstanding. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    await this.#write();
  }

  async #write(): Promise<void> {
    const started = performance.now();
    const temporary = `${this.path}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      for (const part of this.#parts()) await file.write(part);
    } finally {
      await file.close();
    }
    await rename(temporary, this.path);
    this.#lastMilliseconds = performance.now() - started;
  }

  /**
   * The text in parts, so that requests are answered while a big state is written. It is the state of the moment in
   * which the first part is asked for: records are never changed in place.
   */
  *#parts(): Generator<string> {
    const { state } = this;
    const resources = [...state.resources.all()];
    const operations = [...state.operations.all()];
    const header: SavedHeader = {
      format: FORMAT,
      tenantId: state.tenantId,
      plannedFailures: [...state.plannedFailures.list()],
      providers: state.providers.entries(),
      features: state.features.entries(),
      coreQuotas: [...state.coreQuotas],
      ...(state.workloads === undefined ? {} : { workloads: state.workloads }),
    };
    yield JSON.stringify(header).slice(0, -1);
    yield* listParts('operations', operations);
    yield* listParts('resources', resources);
    yield '}';
  }

  #read(): SavedState | undefined {
    const text = readIfPresent(this.path);
    if (text === undefined) return undefined;
    const saved = JSON.parse(text) as Partial<SavedState>;
    if (saved.format !== FORMAT) throw new TypeError(`${this.path} is not a state file of format ${FORMAT}.`);
    return saved as SavedState;
  }
}

/** `,"name":[…]` in parts of a size that takes a few milliseconds each. */
function* listParts(name: string, items: readonly unknown[]): Generator<string> {
  yield `,"${name}":[`;
  for (let start = 0; start < items.length; start += PART_SIZE) {
    const text = items.slice(start, start + PART_SIZE).map((item) => JSON.stringify(item));
    yield `${start === 0 ? '' : ','}${text.join(',')}`;
  }
  yield ']';
}
