import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AzureState } from './azure.state.js';
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

interface SavedState {
  format: typeof FORMAT;
  tenantId: string;
  resources: StoredResource[];
  operations: LongRunningOperation[];
  plannedFailures: PlannedFailure[];
  providers: [string, Registration][];
  features: [string, Registration][];
  coreQuotas: [string, number][];
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
    this.#save();
  }

  async #write(): Promise<void> {
    const started = performance.now();
    const temporary = `${this.path}.new`;
    await writeFile(temporary, this.#text(), { mode: 0o600 });
    await rename(temporary, this.path);
    this.#lastMilliseconds = performance.now() - started;
  }

  #save(): void {
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, this.#text(), { mode: 0o600 });
    renameSync(temporary, this.path);
  }

  #text(): string {
    const { state } = this;
    const saved: SavedState = {
      format: FORMAT,
      tenantId: state.tenantId,
      resources: [...state.resources.all()],
      operations: [...state.operations.all()],
      plannedFailures: [...state.plannedFailures.list()],
      providers: state.providers.entries(),
      features: state.features.entries(),
      coreQuotas: [...state.coreQuotas],
    };
    return JSON.stringify(saved);
  }

  #read(): SavedState | undefined {
    const text = readIfPresent(this.path);
    if (text === undefined) return undefined;
    const saved = JSON.parse(text) as Partial<SavedState>;
    if (saved.format !== FORMAT) throw new TypeError(`${this.path} is not a state file of format ${FORMAT}.`);
    return saved as SavedState;
  }
}
