import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The table of sets, for the check that migrations and code agree; the indexes are the migration's own. */
@Entity('operation_set')
export class OperationSetEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  type!: string;

  @Column('text')
  status!: string;

  @Column('boolean', { name: 'dry_run' })
  dryRun!: boolean;

  @Column('jsonb')
  input!: unknown;

  @Column('text', { name: 'target_field' })
  targetField!: string;

  @Column('jsonb')
  selection!: unknown;

  @Column('integer', { name: 'maximum_concurrency' })
  maximumConcurrency!: number;

  @Column('integer', { name: 'failure_threshold', nullable: true })
  failureThreshold!: number | null;

  @Column('boolean', { name: 'skip_refused' })
  skipRefused!: boolean;

  @Column('text', { name: 'wave_by', nullable: true })
  waveBy!: string | null;

  @Column('jsonb', { name: 'wave_order' })
  waveOrder!: unknown;

  @Column('text', { nullable: true })
  message!: string | null;

  @Column('uuid', { name: 'principal_id' })
  principalId!: string;

  @Column('text', { name: 'requested_by' })
  requestedBy!: string;

  @Column('text', { name: 'correlation_id' })
  correlationId!: string;

  @Column('text', { name: 'idempotency_key', nullable: true })
  idempotencyKey!: string | null;

  @Column('text', { name: 'idempotency_hash', nullable: true })
  idempotencyHash!: string | null;

  @Column('integer', { name: 'event_sequence', default: 0 })
  eventSequence!: number;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt!: Date | null;

  @Column('text', { name: 'approved_by', nullable: true })
  approvedBy!: string | null;

  @Column('uuid', { name: 'approved_by_id', nullable: true })
  approvedById!: string | null;

  @Column('timestamptz', { name: 'approved_at', nullable: true })
  approvedAt!: Date | null;

  @Column('text', { name: 'approval_reason', nullable: true })
  approvalReason!: string | null;
}
