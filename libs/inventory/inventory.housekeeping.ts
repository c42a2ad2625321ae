import type { Clock } from '#libs/kernel/clock.js';
import type { ChangeRepository } from './change.repository.js';
import type { RetentionRepository } from './retention.repository.js';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface HousekeepingSettings {
  /** How far back `asOf` and `history` reach. */
  historyDays: number;
  /** How old a cursor of the change feed may become. */
  changeDays: number;
}

export interface HousekeepingReport {
  partitionsMade: string[];
  partitionsDropped: string[];
  changesDeleted: number;
  tombstonesDeleted: number;
}

/** To be run at the start of a worker and then about once an hour; any number of processes may do so at once. */
export class InventoryHousekeeping {
  constructor(
    private readonly retention: RetentionRepository,
    private readonly changes: ChangeRepository,
    private readonly clock: Clock,
    private readonly settings: HousekeepingSettings,
  ) {}

  async run(): Promise<HousekeepingReport> {
    const now = this.clock.now();
    const daysAgo = (days: number): Date => new Date(now.getTime() - days * DAY_MS);
    const { historyDays, changeDays } = this.settings;
    return {
      partitionsMade: await this.retention.ensurePartitions(now),
      partitionsDropped: await this.retention.dropPartitionsBefore(daysAgo(historyDays)),
      changesDeleted: await this.changes.deleteBefore(daysAgo(changeDays)),
      // A change names its object by the row of the object, so that row is kept a day longer.
      tombstonesDeleted: await this.retention.deleteTombstonesBefore(daysAgo(Math.max(historyDays, changeDays) + 1)),
    };
  }
}
