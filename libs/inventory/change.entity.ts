import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** The change feed: what happened, in the order (transaction, sequence). */
@Entity('change')
export class ChangeEntity {
  /** The transaction that wrote it. The default is written as TypeORM reads it back, without the casts. */
  @PrimaryColumn('bigint', {
    default: () => '((pg_current_xact_id()))',
    primaryKeyConstraintName: 'change_pkey',
  })
  xid!: string;

  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'change_pkey',
  })
  seq!: string;

  @Column('timestamptz')
  at!: Date;

  @Column('uuid')
  uid!: string;

  @Column('uuid', { name: 'cluster_uid', nullable: true })
  clusterUid!: string | null;

  @Column({ type: 'text', collation: 'C' })
  type!: string;

  @Column({ type: 'text', collation: 'C' })
  kind!: string;

  @Column({ type: 'text', nullable: true, collation: 'C' })
  namespace!: string | null;

  @Column({ type: 'text', name: 'subscription_id', nullable: true, collation: 'C' })
  subscriptionId!: string | null;

  @Column({ type: 'text', array: true })
  changed!: string[];

  @Column({ type: 'text', name: 'provisioning_state_before', nullable: true })
  provisioningStateBefore!: string | null;

  @Column({ type: 'text', name: 'provisioning_state' })
  provisioningState!: string;

  @Column({ type: 'text', name: 'health_before', nullable: true })
  healthBefore!: string | null;

  @Column('text')
  health!: string;
}
