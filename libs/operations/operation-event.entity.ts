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
}
