import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The steps of an operation; `resume_token` is the only place where a poll URL is kept. */
@Entity('operation_step')
export class OperationStepEntity {
  @PrimaryColumn('uuid', { name: 'operation_id' })
  operationId!: string;

  @PrimaryColumn('integer')
  position!: number;

  @Column('text')
  name!: string;

  @Column('text', { default: 'Pending' })
  status!: string;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('text', { nullable: true })
  message!: string | null;

  @Column('text', { name: 'resume_token', nullable: true })
  resumeToken!: string | null;

  @Column('text', { nullable: true })
  intent!: string | null;

  @Column('text', { name: 'abort_state', nullable: true })
  abortState!: string | null;

  @Column('text', { name: 'wait_reason', nullable: true })
  waitReason!: string | null;

  @Column('jsonb', { nullable: true })
  output!: unknown;

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null;

  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt!: Date | null;
}
