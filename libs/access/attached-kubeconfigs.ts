import type { Secret } from '#libs/kernel/secret.js';
import type { SecretVault } from '#libs/kernel/secret-vault.js';
import type { Sql } from '#libs/database/sql.js';
import type { ClusterAccessRepository } from './cluster-access.repository.js';

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

  /** Seals with the present key what an older one has sealed. @returns how many. */
  async resealAll(): Promise<number> {
    const { keyId } = this.vault;
    if (keyId === undefined) return 0;
    let count = 0;
    for (;;) {
      const others = await this.repository.findSealedOtherwise(keyId, RESEAL_BATCH);
      for (const other of others) {
        const purpose = purposeOf(other.clusterUid);
        const sealed = this.vault.seal(purpose, this.vault.open(purpose, other.sealed));
        if (await this.repository.reseal(other, sealed, keyId)) count++;
      }
      if (others.length < RESEAL_BATCH) return count;
    }
  }
}

function purposeOf(clusterUid: string): string {
  return `cluster-access:${clusterUid.toLowerCase()}`;
}
