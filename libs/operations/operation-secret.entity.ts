import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The secret fields of an open operation's input, sealed; removed when the operation ends. */
@Entity('operation_secret')
export class OperationSecretEntity {
  @PrimaryColumn('uuid', { name: 'operation_id' })
  operationId!: string;

  @Column('text')
  sealed!: string;
}
