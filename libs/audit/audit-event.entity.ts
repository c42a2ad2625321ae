import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The audit log's table; triggers of the migration refuse everything but adding. */
@Entity('audit_event')
export class AuditEventEntity {
  @PrimaryColumn('bigint')
  sequence!: string;

  @Column('timestamptz')
  at!: Date;

  @Column('text')
  action!: string;

  @Column('text')
  outcome!: string;

  @Column('uuid', { name: 'principal_id' })
  principalId!: string;

  @Column('text', { name: 'principal_name' })
  principalName!: string;

  @Column('uuid', { name: 'operation_id', nullable: true })
  operationId!: string | null;

  @Column('text', { name: 'operation_type', nullable: true })
  operationType!: string | null;

  @Column('jsonb', { nullable: true })
  target!: unknown;

  @Column('text', { name: 'correlation_id' })
  correlationId!: string;

  @Column('jsonb')
  details!: unknown;

  @Column('text', { name: 'previous_hash' })
  previousHash!: string;

  @Column('text')
  hash!: string;
}
