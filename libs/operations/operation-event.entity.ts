import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One transition of an operation, with the picture it left. */
@Entity('operation_event')
export class OperationEventEntity {
  @PrimaryColumn('uuid', { name: 'operation_id' })
  operationId!: string;

  @PrimaryColumn('integer')
  sequence!: number;

  @Column('timestamptz', { default: () => 'now()' })
  at!: Date;

  @Column('jsonb')
  snapshot!: unknown;

  /** The transaction that wrote it. The default is written as TypeORM reads it back, without the casts. */
  @Column('bigint', { default: () => '((pg_current_xact_id()))' })
  xid!: string;

  @Column({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  seq!: string;
}
