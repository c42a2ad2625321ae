import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { SecretVault } from '#libs/kernel/secret-vault.js';
import { resealInputSecrets } from './input-secrets.js';
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
    private readonly vault: SecretVault,
  ) {}

  /** To be run about once an hour. @returns how many operations and sets were let go of. */
  async forgetOld(): Promise<number> {
    const { operationDays } = this.settings;
    const before = new Date(this.clock.now().getTime() - operationDays * DAY_MS);
    return (await this.repository.deleteEndedBefore(before)) + (await this.repository.deleteSetsEndedBefore(before));
  }

  /**
   * To be run about once an hour: seals the secret inputs of open operations with the present key.
   * @returns how many.
   * @throws ControlError UNAVAILABLE, after all others were done, where the key of one is not there any more.
   */
  async resealSecrets(): Promise<number> {
    const { keyId } = this.vault;
    if (keyId === undefined) return 0;
    let count = 0;
    let unopened: ControlError | undefined;
    let after: string | null = null;
    for (;;) {
      const others = await this.repository.findSecretsSealedOtherwise(keyId, after);
      for (const { operationId, sealed } of others) {
        try {
          const anew = resealInputSecrets(this.vault, operationId, sealed);
          if (await this.repository.replaceSecret(operationId, sealed, anew)) count++;
        } catch (error) {
          if (!(error instanceof ControlError)) throw error;
          unopened = error;
        }
      }
      after = others.at(-1)?.operationId ?? null;
      if (after !== null) continue;
      if (unopened !== undefined) throw unopened;
      return count;
    }
  }

  /** To be run about once a minute. @returns the operations that have newly got stuck. */
  findStuck(): Promise<StuckOperation[]> {
    return this.repository.markStuck(this.settings.operationStuckMinutes * 60);
  }
}
