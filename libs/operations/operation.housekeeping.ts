import type { Clock } from '#libs/kernel/clock.js';
import type { OperationHousekeepingRepository, StuckOperation } from './operation-housekeeping.repository.js';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface OperationHousekeepingSettings {
  /** How long operations that have ended are kept. */
  operationDays: number;
  /** How long an operation under way may say nothing new. */
  operationStuckMinutes: number;
}

/** Any number of processes may do so at once. */
export class OperationHousekeeping {
  constructor(
    private readonly repository: OperationHousekeepingRepository,
    private readonly clock: Clock,
    private readonly settings: OperationHousekeepingSettings,
  ) {}

  /** To be run about once an hour. @returns how many operations were let go of. */
  forgetOld(): Promise<number> {
    const { operationDays } = this.settings;
    return this.repository.deleteEndedBefore(new Date(this.clock.now().getTime() - operationDays * DAY_MS));
  }

  /** To be run about once a minute. @returns the operations that have newly got stuck. */
  findStuck(): Promise<StuckOperation[]> {
    return this.repository.markStuck(this.settings.operationStuckMinutes * 60);
  }
}
