import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A unit of sync: when it is due, who runs it, and how its last run ended. */
@Entity('scope')
export class ScopeEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'scope_pkey' })
  key!: string;

  @Column('text')
  collector!: string;

  @Column({ type: 'text', array: true })
  kinds!: string[];

  @Column({ type: 'text', name: 'subscription_id', nullable: true })
  subscriptionId!: string | null;

  @Column('uuid', { name: 'cluster_uid', nullable: true })
  clusterUid!: string | null;

  @Column({ type: 'text', default: 'run' })
  mode!: string;

  @Column('integer', { name: 'interval_seconds' })
  intervalSeconds!: number;

  @Column('timestamptz', { name: 'due_at', default: () => 'now()' })
  dueAt!: Date;

  @Column({ type: 'text', name: 'claimed_by', nullable: true })
  claimedBy!: string | null;

  @Column('timestamptz', { name: 'claimed_until', nullable: true })
  claimedUntil!: Date | null;

  @Column('bigint', { default: 0 })
  fence!: string;

  @Column({ type: 'text', default: 'new' })
  state!: string;

  @Column('timestamptz', { name: 'last_started_at', nullable: true })
  lastStartedAt!: Date | null;

  @Column('timestamptz', { name: 'last_ended_at', nullable: true })
  lastEndedAt!: Date | null;

  @Column('timestamptz', { name: 'last_complete_at', nullable: true })
  lastCompleteAt!: Date | null;

  @Column({ type: 'text', name: 'last_complete_source', nullable: true })
  lastCompleteSource!: string | null;

  @Column('jsonb', { name: 'last_error', nullable: true })
  lastError!: unknown;

  @Column({ type: 'text', nullable: true })
  missing!: string | null;

  @Column('integer', { default: 0 })
  failures!: number;

  @Column('integer', { name: 'object_count', nullable: true })
  objectCount!: number | null;
}
