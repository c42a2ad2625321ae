import { Entity, PrimaryColumn } from 'typeorm';

/** Who claims which relation; neither end need be known. */
@Entity('relation')
export class RelationEntity {
  @PrimaryColumn('uuid', { name: 'from_uid', primaryKeyConstraintName: 'relation_pkey' })
  fromUid!: string;

  @PrimaryColumn('uuid', { name: 'to_uid', primaryKeyConstraintName: 'relation_pkey' })
  toUid!: string;

  @PrimaryColumn('uuid', { name: 'claimed_by', primaryKeyConstraintName: 'relation_pkey' })
  claimedBy!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'relation_pkey' })
  type!: string;
}
