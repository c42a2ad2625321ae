import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { readIfPresent } from '../file.read.js';

const FORMAT = 1;
/** How long changes of a cluster are gathered before they are written. */
const QUIET_MS = 200;
/** A big cluster takes long to write; then the pause is this many times that. */
const PAUSE_FACTOR = 20;

interface Slot {
  snapshot: () => JsonObject;
  /** When the ARM resource was made: a cluster of the same name that is made anew starts empty. */
  createdAt: string;
  timer: NodeJS.Timeout | undefined;
  writing: Promise<void>;
  lastMs: number;
}

/** Keeps the objects of each cluster in a file of its own, beside the state file. */
export class KubernetesSnapshotStore {
  readonly #slots = new Map<string, Slot>();

  constructor(
    private readonly directory: string,
    /** Hears of writes that failed in the background. */
    private readonly report: (error: unknown) => void,
  ) {}

  /**
   * @returns undefined when nothing is kept of this cluster.
   * @throws TypeError when the file is not of this format.
   */
  read(key: string, createdAt: string): JsonObject | undefined {
    const text = readIfPresent(this.#file(key));
    if (text === undefined) return undefined;
    const saved: unknown = JSON.parse(text);
    if (!isJsonObject(saved) || saved.format !== FORMAT || !isJsonObject(saved.snapshot)) {
      throw new TypeError(`${this.#file(key)} holds no cluster of format ${FORMAT}.`);
    }
    return saved.createdAt === createdAt ? saved.snapshot : undefined;
  }

  /** From now on the cluster is kept; `changed` says when there is something to write. */
  keep(key: string, createdAt: string, snapshot: () => JsonObject): void {
    this.#slots.set(key, { snapshot, createdAt, timer: undefined, writing: Promise.resolve(), lastMs: 0 });
  }

  changed(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined || slot.timer !== undefined) return;
    slot.timer = setTimeout(
      () => {
        slot.timer = undefined;
        slot.writing = slot.writing.then(async () => this.#write(key, slot)).catch(this.report);
      },
      Math.max(QUIET_MS, slot.lastMs * PAUSE_FACTOR),
    );
  }

  /** The cluster is gone for good. */
  forget(key: string): void {
    const slot = this.#slots.get(key);
    this.#slots.delete(key);
    clearTimeout(slot?.timer);
    const remove = (): void => {
      // A cluster of the same name may have been made meanwhile.
      if (!this.#slots.has(key)) rmSync(this.#file(key), { force: true });
    };
    if (slot === undefined) remove();
    else slot.writing = slot.writing.then(remove);
  }

  /** Nothing that was kept holds any more. */
  clear(): void {
    for (const key of [...this.#slots.keys()]) this.forget(key);
    if (!existsSync(this.directory)) return;
    for (const name of readdirSync(this.directory)) {
      // What is being written goes when it is written.
      if (name.endsWith('.json')) rmSync(path.join(this.directory, name), { force: true });
    }
  }

  /** Writes what is outstanding. */
  async close(): Promise<void> {
    for (const [key, slot] of this.#slots) {
      const outstanding = slot.timer !== undefined;
      clearTimeout(slot.timer);
      await slot.writing;
      if (outstanding) await this.#write(key, slot);
    }
    this.#slots.clear();
  }

  async #write(key: string, slot: Slot): Promise<void> {
    if (this.#slots.get(key) !== slot) return;
    const started = performance.now();
    const text = JSON.stringify({ format: FORMAT, key, createdAt: slot.createdAt, snapshot: slot.snapshot() });
    slot.lastMs = performance.now() - started;
    mkdirSync(this.directory, { recursive: true });
    const temporary = `${this.#file(key)}.new`;
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, this.#file(key));
  }

  #file(key: string): string {
    return path.join(this.directory, `${resourceUid(key)}.json`);
  }
}
