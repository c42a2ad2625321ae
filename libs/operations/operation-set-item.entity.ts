import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('operation_set_item')
export class OperationSetItemEntity {
  @PrimaryColumn('uuid', { name: 'set_id' })
  setId!: string;

  @PrimaryColumn('integer')
  position!: number;

  @Column('uuid', { name: 'target_uid' })
  targetUid!: string;

  @Column('text', { name: 'target_id' })
  targetId!: string;

  @Column('text', { name: 'target_kind' })
  targetKind!: string;

  @Column('integer')
  wave!: number;

  @Column('text', { name: 'wave_value', nullable: true })
  waveValue!: string | null;

  @Column('text', { default: 'Waiting' })
  status!: string;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('uuid', { name: 'operation_id', nullable: true })
  operationId!: string | null;

  @Column('jsonb', { nullable: true })
  problem!: unknown;
}
