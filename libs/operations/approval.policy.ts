import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { parseResourceId } from '#libs/kernel/resource-id.js';
import type { Sql } from '#libs/database/sql.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';

/** Which operations need somebody else's consent. */
export interface ApprovalRule {
  /** As it is configured, for people: `fleet.*@/subscriptions/…`. */
  text: string;
  /** `fleet.delete`, `fleet.*` or `*`. */
  type: string;
  /** The canonical id of what the rule is about, with everything below it; null: everything. */
  scope: string | null;
}

export interface ApprovalSettings {
  approvals: readonly ApprovalRule[];
  /** How long a decision is waited for. */
  approvalHours: number;
}

/** The id under which a cluster is known, where it is one of Azure's. */
export type FindClusterId = (clusterUid: string, sql: Sql) => Promise<string | undefined>;

/** Decides which operations wait for somebody else's consent. */
export class ApprovalPolicy {
  constructor(
    private readonly settings: ApprovalSettings,
    private readonly findClusterId: FindClusterId,
  ) {}

  get hours(): number {
    return this.settings.approvalHours;
  }

  /**
   * The rule that asks for consent; undefined where none does. A rule of a scope also holds for what only names an object
   * of the scope (a cluster of it joins a fleet elsewhere), and for the objects inside the clusters of the scope.
   */
  async ruleFor(
    type: string,
    touched: readonly Pick<ResourceTarget, 'id'>[],
    sql: Sql,
  ): Promise<ApprovalRule | undefined> {
    const rules = this.settings.approvals.filter((rule) => fitsType(rule.type, type));
    const anywhere = rules.find((rule) => rule.scope === null);
    if (rules.length === 0 || anywhere !== undefined) return anywhere;
    const ids = new Set<string>();
    for (const { id } of touched) {
      if (!KubernetesId.isOne(id)) {
        ids.add(parseResourceId(id).canonical);
        continue;
      }
      const object = KubernetesId.parse(id);
      ids.add(object.canonical);
      const cluster = await this.findClusterId(object.clusterUid, sql);
      if (cluster !== undefined) ids.add(parseResourceId(cluster).canonical);
    }
    return rules.find(({ scope }) => scope !== null && [...ids].some((id) => isWithin(id, scope)));
  }
}

function fitsType(pattern: string, type: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

function isWithin(id: string, scope: string): boolean {
  return id === scope || id.startsWith(`${scope}/`);
}
