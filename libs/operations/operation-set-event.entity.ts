import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('operation_set_event')
export class OperationSetEventEntity {
  @PrimaryColumn('uuid', { name: 'set_id' })
  setId!: string;

  @PrimaryColumn('integer')
  sequence!: number;

  @Column('timestamptz', { default: () => 'now()' })
  at!: Date;

  @Column('jsonb')
  snapshot!: unknown;
}
