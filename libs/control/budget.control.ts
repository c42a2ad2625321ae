import type { Caller } from '#libs/access/caller.js';
import { authorise } from '#libs/access/permission.js';
import type { KeptBucket } from '#libs/kernel/call-budget.js';
import type { ThrottleBucketRepository } from '#libs/operations/throttle-bucket.repository.js';

/** How many calls of a class are left to all of Pilothouse at the moment. */
export interface BudgetView {
  /** The id of a subscription, or `tenant`. */
  scope: string;
  callClass: string;
  capacity: number;
  refillPerSecond: number;
  /** Below zero by as many calls as wait for their turn. */
  remaining: number;
  /** Above zero while Azure has asked for patience. Seconds. */
  closedForSeconds: number;
  /** Who has used it lately, most first. */
  callers: { caller: string; used: number }[];
}

export interface BudgetListView {
  items: BudgetView[];
}

/** What is left of Azure's patience. */
export class BudgetControl {
  constructor(private readonly buckets: Pick<ThrottleBucketRepository, 'findAll'>) {}

  async list(caller: Caller): Promise<BudgetListView> {
    authorise(caller, 'read', 'read the budgets of calls to Azure');
    return { items: (await this.buckets.findAll()).map(budgetView) };
  }
}

function budgetView({ key, limit, bucket, now }: KeptBucket): BudgetView {
  return {
    ...key,
    ...limit,
    remaining: Math.floor(bucket.tokens),
    closedForSeconds: Math.ceil(Math.max(0, bucket.closedUntil - now) / 1000),
    callers: Object.entries(bucket.callers)
      .map(([caller, { used }]) => ({ caller, used: Math.round(used) }))
      .sort((left, right) => right.used - left.used),
  };
}
