import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Who is asking the owner of an object about it at present. */
@Entity('observation_lease')
export class ObservationLeaseEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'observation_lease_pkey' })
  uid!: string;

  @Column('uuid')
  holder!: string;

  @Column('timestamptz')
  until!: Date;
}
