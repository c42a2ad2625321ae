import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The hash of a principal's token. */
@Entity('token')
export class TokenEntity {
  @PrimaryColumn('text')
  hash!: string;

  @Column('uuid', { name: 'principal_id' })
  principalId!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;
}
