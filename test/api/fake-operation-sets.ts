import { ControlError } from '#libs/kernel/control-error.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { Caller } from '#libs/access/caller.js';
import type {
  OperationSetControl,
  OperationSetQuery,
  OperationSetRequest,
} from '#libs/control/operation-set.control.js';
import type {
  OperationSetEventView,
  OperationSetItemPageView,
  OperationSetPageView,
  OperationSetView,
} from '#libs/control/operation-set.view.js';

export const SET_ID = '1e9c1d8e-1d0b-4c57-9c1b-000000000001';

export function operationSetView(parts: Partial<OperationSetView> = {}): OperationSetView {
  return {
    id: SET_ID,
    type: 'ship.dock',
    status: 'Running',
    dryRun: false,
    input: { pier: 4 },
    field: 'ship',
    selection: { targets: ['/ships/1'] },
    maxConcurrency: 5,
    failureThreshold: 0,
    skipRefused: true,
    waves: { by: 'tag:ring', order: ['canary'] },
    currentWave: 'canary',
    counts: { total: 1, waiting: 0, running: 1, succeeded: 0, failed: 0, skipped: 0, canceled: 0 },
    message: null,
    consent: null,
    requestedBy: 'admin',
    createdAt: '2026-01-02T03:04:05.000Z',
    endedAt: null,
    correlationId: 'c-1',
    ...parts,
  };
}

/** One set, which is there from the beginning, and remembers what was asked of it. */
export class FakeOperationSets implements Pick<OperationSetControl, keyof OperationSetControl> {
  readonly accepted: OperationSetRequest[] = [];
  readonly queries: OperationSetQuery[] = [];
  readonly acts: unknown[] = [];

  accept(caller: Caller, request: OperationSetRequest): Promise<{ set: OperationSetView; replayed: boolean }> {
    if (caller.role === 'viewer') return Promise.reject(new ControlError('FORBIDDEN', 'Viewers only look.'));
    this.accepted.push(request);
    const { type, input } = request;
    return Promise.resolve({ set: operationSetView({ type, input }), replayed: this.accepted.length > 1 });
  }

  get(_caller: Caller, id: string): Promise<OperationSetView> {
    if (id === SET_ID) return Promise.resolve(operationSetView());
    return Promise.reject(new ControlError('OPERATION_SET_NOT_FOUND', 'There is no such set.'));
  }

  list(_caller: Caller, query: OperationSetQuery): Promise<OperationSetPageView> {
    this.queries.push(query);
    return Promise.resolve({ items: [operationSetView()], nextCursor: null });
  }

  async items(caller: Caller, id: string): Promise<OperationSetItemPageView> {
    await this.get(caller, id);
    const target = { uid: resourceUid('/ships/1'), id: '/ships/1', kind: 'Ship' };
    const item = {
      position: 0,
      target,
      wave: 'canary',
      status: 'Running',
      attempts: 1,
      operation: SET_ID,
      error: null,
    };
    return { items: [{ ...item, status: 'Running' }], nextCursor: null };
  }

  pause(caller: Caller, id: string): Promise<OperationSetView> {
    return this.#act(caller, id, ['pause']);
  }

  resume(caller: Caller, id: string): Promise<OperationSetView> {
    return this.#act(caller, id, ['resume']);
  }

  approve(caller: Caller, id: string, reason: string | null): Promise<OperationSetView> {
    return this.#act(caller, id, ['approve', reason]);
  }

  stop(caller: Caller, id: string, options: object): Promise<OperationSetView> {
    return this.#act(caller, id, ['stop', options]);
  }

  retry(caller: Caller, id: string, options: object): Promise<OperationSetView> {
    return this.#act(caller, id, ['retry', options]);
  }

  async *events(caller: Caller, id: string): AsyncGenerator<OperationSetEventView, void, void> {
    await this.get(caller, id);
    yield { id: '1', at: '2026-01-02T03:04:05.000Z', set: operationSetView() };
    yield { id: '2', at: '2026-01-02T03:04:06.000Z', set: operationSetView({ status: 'Succeeded' }) };
  }

  async #act(caller: Caller, id: string, act: unknown[]): Promise<OperationSetView> {
    const set = await this.get(caller, id);
    this.acts.push(act);
    return set;
  }
}
