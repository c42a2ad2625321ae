import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { SecretVault } from '#libs/kernel/secret-vault.js';
import type { Sql } from '#libs/database/sql.js';
import type { ClusterAccessRepository, StoredClusterAccess } from './cluster-access.repository.js';

const RESEAL_BATCH = 100;

/** What a kubeconfig leads to, as far as it may be shown. */
export interface KubeconfigFacts {
  server: string;
  authentication: string;
}

/** The kubeconfigs that callers have attached to clusters: sealed where they are kept, opened only to be used. */
export class AttachedKubeconfigs {
  constructor(
    private readonly repository: ClusterAccessRepository,
    private readonly vault: SecretVault,
  ) {}

  /** @throws ControlError UNAVAILABLE when the key that sealed it is not there any more. */
  async open(clusterUid: string): Promise<Secret | undefined> {
    const stored = await this.repository.find(clusterUid);
    return stored === undefined ? undefined : this.vault.open(purposeOf(clusterUid), stored.sealed);
  }

  /** The uids of the clusters that have one. */
  async clusterUids(): Promise<ReadonlySet<string>> {
    return new Set(await this.repository.findClusterUids());
  }

  /** @returns whether there was none before. @throws ControlError UNAVAILABLE without a key. */
  async attach(
    sql: Sql,
    clusterUid: string,
    kubeconfig: Secret,
    facts: KubeconfigFacts,
    attachedBy: string,
  ): Promise<boolean> {
    const sealed = this.vault.seal(purposeOf(clusterUid), kubeconfig);
    return this.repository.put(sql, { clusterUid, sealed, keyId: this.vault.keyId ?? '', ...facts, attachedBy });
  }

  /** @returns whether there was one. */
  detach(sql: Sql, clusterUid: string): Promise<boolean> {
    return this.repository.delete(sql, clusterUid);
  }

  /**
   * Seals with the present key what an older one has sealed. One that cannot be opened keeps none of the others from it.
   * @returns how many.
   * @throws ControlError UNAVAILABLE at the end, where some could not be opened.
   */
  async resealAll(): Promise<number> {
    const { keyId } = this.vault;
    if (keyId === undefined) return 0;
    const unopened: { clusterUid: string; error: ControlError }[] = [];
    let count = 0;
    let after: string | null = null;
    for (;;) {
      const others: StoredClusterAccess[] = await this.repository.findSealedOtherwise(keyId, after, RESEAL_BATCH);
      for (const other of others) {
        const sealed = this.#resealed(other);
        if (sealed instanceof ControlError) unopened.push({ clusterUid: other.clusterUid, error: sealed });
        else if (await this.repository.reseal(other, sealed, keyId)) count++;
      }
      after = others.at(-1)?.clusterUid ?? null;
      if (others.length === RESEAL_BATCH) continue;
      const [first] = unopened;
      if (first === undefined) return count;
      throw new ControlError(
        'UNAVAILABLE',
        `${count} attached kubeconfigs were sealed anew, but ${unopened.length} cannot be opened, such as that of the cluster ${first.clusterUid}: ${first.error.message}`,
        {
          cause: first.error,
          remedy: 'Keep the older keys in ENCRYPTION_KEYS, or attach these kubeconfigs anew.',
        },
      );
    }
  }

  #resealed({ clusterUid, sealed }: StoredClusterAccess): string | ControlError {
    const purpose = purposeOf(clusterUid);
    try {
      return this.vault.seal(purpose, this.vault.open(purpose, sealed));
    } catch (error) {
      if (error instanceof ControlError) return error;
      throw error;
    }
  }
}

function purposeOf(clusterUid: string): string {
  return `cluster-access:${clusterUid.toLowerCase()}`;
}
