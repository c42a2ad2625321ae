import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A unit of sync: when it is due, who runs it, and how its last run ended. */
@Entity('scope')
@Check('scope_state', `state = ANY (ARRAY['new', 'complete', 'partial', 'failed'])`)
@Index('scope_by_due', { synchronize: false })
export class ScopeEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'scope_pkey' })
  key!: string;

  @Column('text')
  collector!: string;

  @Column('text', { array: true })
  kinds!: string[];

  @Column('text', { name: 'subscription_id', nullable: true })
  subscriptionId!: string | null;

  @Column('uuid', { name: 'cluster_uid', nullable: true })
  clusterUid!: string | null;

  @Column('integer', { name: 'interval_seconds' })
  intervalSeconds!: number;

  @Column('timestamptz', { name: 'due_at', default: () => 'now()' })
  dueAt!: Date;

  @Column('text', { name: 'claimed_by', nullable: true })
  claimedBy!: string | null;

  @Column('timestamptz', { name: 'claimed_until', nullable: true })
  claimedUntil!: Date | null;

  @Column('bigint', { default: 0 })
  fence!: string;

  @Column('text', { default: 'new' })
  state!: string;

  @Column('timestamptz', { name: 'last_started_at', nullable: true })
  lastStartedAt!: Date | null;

  @Column('timestamptz', { name: 'last_ended_at', nullable: true })
  lastEndedAt!: Date | null;

  @Column('timestamptz', { name: 'last_complete_at', nullable: true })
  lastCompleteAt!: Date | null;

  @Column('text', { name: 'last_complete_source', nullable: true })
  lastCompleteSource!: string | null;

  @Column('jsonb', { name: 'last_error', nullable: true })
  lastError!: unknown;

  @Column('text', { nullable: true })
  missing!: string | null;

  @Column('integer', { default: 0 })
  failures!: number;

  @Column('integer', { name: 'object_count', nullable: true })
  objectCount!: number | null;
}
