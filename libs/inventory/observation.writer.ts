import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { Transaction } from '#libs/database/sql.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import { effectiveFreshness, type LagSettings, trustedTime } from './freshness.rule.js';
import {
  type IncomingState,
  ObservationRepository,
  type Replacement,
  type StoredState,
} from './observation.repository.js';
import type { Freshness } from './resource.record.js';
import { stateHash } from './state-hash.js';

const BATCH_SIZE = 500;

export interface ApplyOptions {
  /** The scope whose run has seen the objects; null for a direct observation (one object asked for, an operation's result, a watch). */
  scopeKey: string | null;
  /** Called once before the first write, in the same transaction: the place for a fence. Not called where nothing is written. */
  beforeWrite?: (transaction: Transaction) => Promise<void>;
  /** Is given the uids of all the observed objects, also of those that nothing is written for. */
  seen?: Set<string>;
}

export interface ApplyCounts {
  /** New objects, and objects that had been deleted. */
  created: number;
  updated: number;
  /** In the same state as before. */
  unchanged: number;
  /** Older than what is known, or a second observation of the same object in the batch. */
  ignored: number;
}

type Decision = 'create' | 'revive' | 'replace' | 'touch' | 'adopt' | 'adopt unseen' | 'unchanged' | 'ignore';

/** Puts what was observed into the cache. It holds no state: any number of processes may write at once. */
export class ObservationWriter {
  readonly #repository = new ObservationRepository();

  constructor(private readonly settings: LagSettings) {}

  async apply(
    transaction: Transaction,
    observations: readonly Observation[],
    options: ApplyOptions,
  ): Promise<ApplyCounts> {
    const incoming = this.#newestOfEach(observations);
    const counts: ApplyCounts = {
      created: 0,
      updated: 0,
      unchanged: 0,
      ignored: observations.length - incoming.length,
    };
    for (const { uid } of incoming) options.seen?.add(uid);
    const known = await this.#repository.findStates(transaction, uidsOf(incoming));
    const pending = incoming.filter((state) => {
      const decision = this.#decide(state, known.get(state.uid), options.scopeKey);
      if (decision !== 'unchanged' && decision !== 'ignore') return true;
      counts[decision === 'ignore' ? 'ignored' : 'unchanged']++;
      return false;
    });
    if (pending.length === 0) return counts;
    await options.beforeWrite?.(transaction);
    const written = await this.#write(transaction, pending, known.size > 0, options.scopeKey);
    if (written.created + written.updated > 0) await this.#repository.notify(transaction);
    return sum(counts, written);
  }

  /**
   * Objects that are known to be gone.
   * @returns how many living objects that has ended.
   */
  async tombstone(transaction: Transaction, uids: readonly string[], observed: Freshness): Promise<number> {
    return this.#bury(transaction, await this.#repository.lockStates(transaction, uids), observed);
  }

  /**
   * After a complete run of a scope: what belongs to the scope, was not seen, and has not been observed otherwise for a
   * later time, is gone.
   * @param run when the run started, and the least trusted source that it used.
   * @returns how many objects that has ended.
   */
  async tombstoneUnseen(
    transaction: Transaction,
    scopeKey: string,
    seenUids: ReadonlySet<string>,
    run: Freshness,
  ): Promise<number> {
    return this.#bury(transaction, await this.#repository.lockOthersOfScope(transaction, scopeKey, [...seenUids]), run);
  }

  async #bury(transaction: Transaction, states: Map<string, StoredState>, observed: Freshness): Promise<number> {
    const gone = [...states.values()]
      .filter((state) => !state.deleted && !this.#isNewer(state, observed))
      .map((state) => ({ uid: state.uid, deletedAt: startOfState(observed, state) }));
    if (gone.length === 0) return 0;
    await this.#repository.tombstone(transaction, gone, observed);
    await this.#repository.notify(transaction);
    return gone.length;
  }

  /**
   * First the rows that exist are locked, then the others are created, both in the order of their uids: so two writers wait
   * for each other, but never in a circle. Whoever loses the race to create an object lets go of everything before looking
   * again, since that object is now one that exists, and its turn was earlier.
   */
  async #write(
    transaction: Transaction,
    pending: readonly IncomingState[],
    someExist: boolean,
    scopeKey: string | null,
  ): Promise<ApplyCounts> {
    // Each lost race leaves at least one object less to create.
    for (let round = 0; round <= pending.length; round++) {
      await this.#repository.begin(transaction);
      const known =
        someExist || round > 0
          ? await this.#repository.lockStates(transaction, uidsOf(pending))
          : new Map<string, StoredState>();
      const written = await this.#writeLocked(transaction, pending, known, scopeKey);
      if (written !== 'lost a race') {
        await this.#repository.commit(transaction);
        return written;
      }
      await this.#repository.rollback(transaction);
    }
    throw new Error('Objects are neither there nor can they be created: is the isolation level above read committed?');
  }

  async #writeLocked(
    transaction: Transaction,
    pending: readonly IncomingState[],
    known: ReadonlyMap<string, StoredState>,
    scopeKey: string | null,
  ): Promise<ApplyCounts | 'lost a race'> {
    const counts: ApplyCounts = { created: 0, updated: 0, unchanged: 0, ignored: 0 };
    const created: IncomingState[] = [];
    const replaced: Replacement[] = [];
    const touched: IncomingState[] = [];
    const adopted: string[] = [];
    for (const state of pending) {
      const stored = known.get(state.uid);
      // Decided again, since the first look was taken without a lock.
      const decision = this.#decide(state, stored, scopeKey);
      switch (decision) {
        case 'create':
          counts.created++;
          created.push(state);
          break;
        case 'revive':
        case 'replace':
          counts[decision === 'revive' ? 'created' : 'updated']++;
          replaced.push({ ...state, changedAt: startOfState(state.observation, stored) });
          break;
        case 'touch':
          counts.unchanged++;
          touched.push(state);
          break;
        case 'adopt':
        case 'adopt unseen':
          counts[decision === 'adopt' ? 'unchanged' : 'ignored']++;
          adopted.push(state.uid);
          break;
        case 'unchanged':
          counts.unchanged++;
          break;
        case 'ignore':
          counts.ignored++;
          break;
        default:
          assertNever(decision);
      }
    }
    // Creating comes before changing: whoever creates an object that is known here already waits for its row only if that
    // has been changed, not if it is just locked.
    for (const batch of batchesOf(created)) {
      if ((await this.#repository.create(transaction, batch, scopeKey)) < batch.length) return 'lost a race';
    }
    for (const batch of batchesOf(replaced)) await this.#repository.replace(transaction, batch, scopeKey);
    for (const batch of batchesOf(touched)) await this.#repository.touch(transaction, batch);
    if (adopted.length > 0 && scopeKey !== null) await this.#repository.adopt(transaction, adopted, scopeKey);
    return counts;
  }

  #decide(incoming: IncomingState, stored: StoredState | undefined, scopeKey: string | null): Decision {
    if (stored === undefined) return 'create';
    const older = this.#isNewer(stored, incoming.observation);
    if (stored.deleted) {
      // An observation of the very moment of the deletion does not bring the object back.
      return trustedTime(incoming.observation, this.settings) > trustedTime(stored.own, this.settings)
        ? 'revive'
        : 'ignore';
    }
    const isOfOtherScope = scopeKey !== null && stored.scopeKey !== scopeKey;
    if (older) return isOfOtherScope ? 'adopt unseen' : 'ignore';
    if (!incoming.hash.equals(stored.hash)) return 'replace';
    if (scopeKey === null) return incoming.observation.observedAt > stored.own.observedAt ? 'touch' : 'unchanged';
    return isOfOtherScope ? 'adopt' : 'unchanged';
  }

  /** Whether what is stored speaks for a later time than the observation. */
  #isNewer(stored: StoredState, observed: Freshness): boolean {
    const known = effectiveFreshness(stored.own, stored.deleted ? null : stored.scopeRun, this.settings);
    return trustedTime(known, this.settings) > trustedTime(observed, this.settings);
  }

  /** One state for each object, ordered by uid. Of several observations of one object the newest wins, then the last. */
  #newestOfEach(observations: readonly Observation[]): IncomingState[] {
    const newest = new Map<string, Observation>();
    const uidOf = uidCache();
    for (const observation of observations) {
      const uid = uidOf(observation.canonicalId);
      const other = newest.get(uid);
      if (other === undefined || trustedTime(other, this.settings) <= trustedTime(observation, this.settings)) {
        newest.set(uid, observation);
      }
    }
    return [...newest]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([uid, observation]) => ({
        uid,
        hash: stateHash(observation),
        observation,
        claims: observation.relations
          .map(({ type, from, to }) => ({ type, fromUid: uidOf(from), toUid: uidOf(to) }))
          // A claim about two others is not the object's to make, and could never be withdrawn with it.
          .filter((claim) => claim.fromUid === uid || claim.toUid === uid),
      }));
  }
}

function uidsOf(states: readonly IncomingState[]): string[] {
  return states.map((state) => state.uid);
}

function batchesOf<T>(items: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < items.length; start += BATCH_SIZE) batches.push(items.slice(start, start + BATCH_SIZE));
  return batches;
}

function sum(left: ApplyCounts, right: ApplyCounts): ApplyCounts {
  return {
    created: left.created + right.created,
    updated: left.updated + right.updated,
    unchanged: left.unchanged + right.unchanged,
    ignored: left.ignored + right.ignored,
  };
}

/** The states of an object follow each other without a gap and without an overlap, whatever the clocks say. */
function startOfState(observed: Freshness, stored: StoredState | undefined): Date {
  const earliest = stored === undefined ? 0 : stored.changedAt.getTime() + 1;
  return new Date(Math.max(observed.observedAt.getTime(), earliest));
}

/** Relations of one batch mostly lead to the same few objects. */
function uidCache(): (canonicalId: string) => string {
  const known = new Map<string, string>();
  return (canonicalId) => {
    let uid = known.get(canonicalId);
    if (uid === undefined) known.set(canonicalId, (uid = resourceUid(canonicalId)));
    return uid;
  };
}
