import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The table of operations, for the check that migrations and code agree; the indexes are the migration's own. */
@Entity('operation')
export class OperationEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  type!: string;

  @Column('text')
  status!: string;

  @Column('boolean', { name: 'dry_run' })
  dryRun!: boolean;

  @Column('uuid', { name: 'target_uid' })
  targetUid!: string;

  @Column('text', { name: 'target_id' })
  targetId!: string;

  @Column('text', { name: 'target_kind' })
  targetKind!: string;

  @Column('text', { name: 'lock_key', nullable: true })
  lockKey!: string | null;

  @Column('jsonb')
  input!: unknown;

  @Column('jsonb', { name: 'resource_references' })
  references!: unknown;

  @Column('jsonb', { default: [] })
  findings!: unknown;

  @Column('jsonb', { nullable: true })
  error!: unknown;

  @Column('jsonb', { nullable: true })
  result!: unknown;

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

  @Column('bigint', { default: 0 })
  fence!: string;

  @Column('integer', { name: 'event_sequence', default: 0 })
  eventSequence!: number;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null;

  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt!: Date | null;

  @Column('timestamptz', { name: 'deadline_at' })
  deadlineAt!: Date;

  @Column('timestamptz', { name: 'run_after', default: () => 'now()' })
  runAfter!: Date;

  @Column('uuid', { name: 'set_id', nullable: true })
  setId!: string | null;

  @Column('timestamptz', { name: 'stuck_since', nullable: true })
  stuckSince!: Date | null;

  @Column('text', { name: 'approval_state', nullable: true })
  approvalState!: string | null;

  @Column('text', { name: 'approval_rule', nullable: true })
  approvalRule!: string | null;

  @Column('timestamptz', { name: 'approval_expires_at', nullable: true })
  approvalExpiresAt!: Date | null;

  @Column('text', { name: 'decided_by', nullable: true })
  decidedBy!: string | null;

  @Column('uuid', { name: 'decided_by_id', nullable: true })
  decidedById!: string | null;

  @Column('timestamptz', { name: 'decided_at', nullable: true })
  decidedAt!: Date | null;

  @Column('text', { name: 'decision_reason', nullable: true })
  decisionReason!: string | null;
}
