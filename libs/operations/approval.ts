/** What an operation that needs somebody else's consent has been told so far. */
export type Approval =
  | {
      state: 'waiting';
      /** The rule that asks for it, as it is configured. */
      rule: string;
      /** After that it is given up. */
      expiresAt: Date;
    }
  | {
      state: 'approved' | 'rejected';
      rule: string;
      decidedBy: string;
      decidedById: string;
      decidedAt: Date;
      reason: string | null;
    }
  /** Nobody decided in time. */
  | { state: 'expired'; rule: string; expiresAt: Date };

export const APPROVAL_STATES = ['waiting', 'approved', 'rejected', 'expired'] as const satisfies Approval['state'][];

/** Somebody's decision. */
export interface ApprovalDecision {
  decision: 'approved' | 'rejected';
  principalId: string;
  principalName: string;
  reason: string | null;
}
