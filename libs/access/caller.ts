/** What a role may do. `viewer` reads; `operator` also starts operations; `admin` also reads the audit log and manages access. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who asks: known by a token, or Pilothouse itself. */
export interface Caller {
  principalId: string;
  /** For people: shown as `requestedBy` and in the audit log. */
  name: string;
  role: Role;
}
