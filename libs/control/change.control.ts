import { DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE } from '#libs/kernel/page.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import { WakeSignal } from '#libs/kernel/wake-signal.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { NotificationListener } from '#libs/database/notification.listener.js';
import type { Caller } from '#libs/access/caller.js';
import { authorise } from '#libs/access/permission.js';
import { CHANGE_CHANNEL, type ChangeRepository } from '#libs/inventory/change.repository.js';
import type { ChangeFilter } from '#libs/inventory/resource.query.js';
import type { ChangeRecord } from '#libs/inventory/resource.record.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import type { ReferenceResolver } from './reference.resolver.js';
import type { ChangeView } from './resource.view.js';

export interface ChangeQuery {
  after?: string;
  kinds?: string[];
  /** A uid or an ARM id. */
  cluster?: string;
  namespace?: string;
  uid?: string;
  subscription?: string;
  limit?: number;
}

export interface ChangePageView {
  items: ChangeView[];
  /** Always there: the place to go on from. */
  nextCursor: string;
}

/** How soon to look again for what an open transaction elsewhere keeps back: its end sends no second notification. */
const HELD_BACK_MS = 500;
/** How soon in any case. */
const LOOK_AGAIN_MS = 10_000;

/** What has changed, in an order that a reader can resume. */
export class ChangeControl {
  constructor(
    private readonly registry: SystemRegistry,
    private readonly changes: ChangeRepository,
    private readonly references: ReferenceResolver,
    private readonly listener: NotificationListener,
  ) {}

  /** Without `after` from the oldest change that is kept. @throws ControlError UNKNOWN_KIND, INVALID_CURSOR, CURSOR_EXPIRED */
  async list(caller: Caller, query: ChangeQuery): Promise<ChangePageView> {
    authorise(caller, 'read', 'read changes');
    const limit = Math.min(query.limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE);
    const page = await this.changes.after(query.after ?? null, this.#filterOf(query), limit);
    return { items: page.changes.map(changeView), nextCursor: page.nextCursor };
  }

  /** Without `after` from now on. A reader that comes back with the cursor of its last change misses nothing. */
  async *watch(
    caller: Caller,
    query: Omit<ChangeQuery, 'limit'>,
    signal: AbortSignal,
  ): AsyncGenerator<ChangeView, void, void> {
    authorise(caller, 'read', 'read changes');
    const filter = this.#filterOf(query);
    const news = new WakeSignal();
    const unsubscribe = this.listener.on(CHANGE_CHANNEL, news.wake);
    try {
      let cursor = query.after ?? (await this.changes.head());
      while (!signal.aborted) {
        const page = await this.changes.after(cursor, filter, MAXIMUM_PAGE_SIZE);
        cursor = page.nextCursor;
        for (const change of page.changes) yield changeView(change);
        if (page.caughtUp) await news.sleep(signal, page.heldBack ? HELD_BACK_MS : LOOK_AGAIN_MS);
      }
    } finally {
      unsubscribe();
    }
  }

  #filterOf(query: ChangeQuery): ChangeFilter {
    for (const kind of query.kinds ?? []) this.registry.kind(kind);
    if (query.uid !== undefined && !isUuid(query.uid)) {
      throw new ControlError('INVALID_REQUEST', 'The parameter "uid" is not a uid.', {
        violations: [{ path: 'uid', message: 'It is not a uuid.' }],
      });
    }
    return {
      kinds: query.kinds === undefined || query.kinds.length === 0 ? undefined : query.kinds,
      uid: query.uid?.toLowerCase(),
      clusterUid: query.cluster === undefined ? undefined : this.references.uidOf(query.cluster),
      namespace: query.namespace,
      subscriptionId: query.subscription?.toLowerCase(),
    };
  }
}

function changeView(change: ChangeRecord): ChangeView {
  return {
    cursor: change.cursor,
    type: change.type,
    at: change.at.toISOString(),
    uid: change.uid,
    kind: change.kind,
    name: change.name,
    id: change.id,
    clusterUid: change.clusterUid,
    namespace: change.namespace,
    subscriptionId: change.subscriptionId,
    changed: change.changed,
    provisioningStateBefore: change.provisioningStateBefore,
    provisioningState: change.provisioningState,
    healthBefore: change.healthBefore,
    health: change.health,
  };
}
