import type { Sql, Transaction } from '#libs/database/sql.js';
import type { Caller, Role } from './caller.js';

/** Principals, the hashes of their tokens, and their roles. */
export class AccessRepository {
  constructor(private readonly sql: Sql) {}

  /** Whose token this is, if it is one that is still valid. */
  async findByTokenHash(hash: string): Promise<Caller | undefined> {
    const { rows } = await this.sql.query<{ principal_id: string; name: string; role: Role }>(
      `SELECT principal.id AS principal_id, principal.name, role_binding.role
       FROM token
       JOIN principal ON principal.id = token.principal_id
       JOIN role_binding ON role_binding.principal_id = principal.id
       WHERE token.hash = $1 AND (token.expires_at IS NULL OR token.expires_at > now())`,
      [hash],
    );
    const row = rows[0];
    return row === undefined ? undefined : { principalId: row.principal_id, name: row.name, role: row.role };
  }

  /** Makes this the only token of the principal, which is made if need be. */
  async setOnlyToken(transaction: Transaction, name: string, role: Role, hash: string): Promise<void> {
    const { rows } = await transaction.query<{ id: string }>(
      `INSERT INTO principal (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id`,
      [name],
    );
    const principalId = rows[0]!.id;
    await transaction.query(
      `INSERT INTO role_binding (principal_id, role) VALUES ($1, $2)
       ON CONFLICT (principal_id) DO UPDATE SET role = excluded.role`,
      [principalId, role],
    );
    await transaction.query(`DELETE FROM token WHERE principal_id = $1 AND hash <> $2`, [principalId, hash]);
    await transaction.query(
      `INSERT INTO token (hash, principal_id) VALUES ($1, $2)
       ON CONFLICT (hash) DO UPDATE SET principal_id = excluded.principal_id`,
      [hash, principalId],
    );
  }

  /** Takes the tokens of everybody else away. */
  async removeOtherTokens(transaction: Transaction, names: readonly string[]): Promise<void> {
    await transaction.query(
      `DELETE FROM token USING principal WHERE principal.id = token.principal_id AND principal.name <> ALL ($1::text[])`,
      [names],
    );
  }
}
