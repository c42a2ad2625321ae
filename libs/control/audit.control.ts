import {
  decodeCursor,
  DEFAULT_PAGE_SIZE,
  encodeCursor,
  MAXIMUM_PAGE_SIZE,
  pageOf,
  type Page,
} from '#libs/kernel/page.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { AuditFilter, AuditRepository } from '#libs/audit/audit.repository.js';
import type { Caller } from '#libs/access/caller.js';
import { authorise } from '#libs/access/permission.js';
import type { AuditCheckpointView, AuditEventView } from './audit.view.js';

export interface AuditQuery extends AuditFilter {
  /** Only events after this sequence. */
  after?: number;
  cursor?: string;
  limit?: number;
}

/** Reading the audit log, in the order of its chain; for administrators. */
export class AuditControl {
  constructor(private readonly audit: AuditRepository) {}

  async events(caller: Caller, query: AuditQuery): Promise<Page<AuditEventView>> {
    authorise(caller, 'audit', 'read the audit log');
    const limit = limitOf(query.limit);
    const after = startOf('audit-events', query);
    const events = await this.audit.findEvents(query, after, limit + 1);
    return pageOf(events, limit, (last) => encodeCursor('audit-events', [last.sequence]));
  }

  async checkpoints(caller: Caller, query: { cursor?: string; limit?: number }): Promise<Page<AuditCheckpointView>> {
    authorise(caller, 'audit', 'read the audit log');
    const limit = limitOf(query.limit);
    const checkpoints = await this.audit.findCheckpoints(startOf('audit-checkpoints', query), limit + 1);
    return pageOf(checkpoints, limit, (last) => encodeCursor('audit-checkpoints', [last.sequence]));
  }
}

function startOf(list: string, query: { after?: number; cursor?: string }): number {
  if (query.cursor === undefined) return query.after ?? 0;
  const [sequence] = decodeCursor(list, 1, query.cursor);
  if (typeof sequence === 'number' && Number.isSafeInteger(sequence) && sequence >= 0) return sequence;
  throw new ControlError('INVALID_CURSOR', 'The cursor was not issued by this list.');
}

function limitOf(limit: number | undefined): number {
  return Math.min(limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE);
}
