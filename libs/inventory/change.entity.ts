import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** The change feed: what happened, in the order (transaction, sequence). */
@Entity('change')
export class ChangeEntity {
  @PrimaryColumn('bigint', {
    default: () => '((pg_current_xact_id())::text)::bigint',
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

  @Column('text', { collation: 'C' })
  type!: string;

  @Column('text', { collation: 'C' })
  kind!: string;

  @Column('text', { nullable: true, collation: 'C' })
  namespace!: string | null;

  @Column('text', { name: 'subscription_id', nullable: true, collation: 'C' })
  subscriptionId!: string | null;

  @Column('text', { array: true })
  changed!: string[];

  @Column('text', { name: 'provisioning_state_before', nullable: true })
  provisioningStateBefore!: string | null;

  @Column('text', { name: 'provisioning_state' })
  provisioningState!: string;

  @Column('text', { name: 'health_before', nullable: true })
  healthBefore!: string | null;

  @Column('text')
  health!: string;
}
