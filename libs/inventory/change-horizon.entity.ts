import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The newest change that is no longer kept; one row, or none as long as all are kept. */
@Entity('change_horizon')
export class ChangeHorizonEntity {
  @PrimaryColumn('boolean', { default: true, primaryKeyConstraintName: 'change_horizon_pkey' })
  singleton!: boolean;

  @Column('bigint')
  xid!: string;

  @Column('bigint')
  seq!: string;
}
