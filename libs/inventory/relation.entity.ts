import { Check, Entity, Index, PrimaryColumn } from 'typeorm';

/** Who claims which relation; neither end need be known. */
@Entity('relation')
@Check('relation_claimed_by_an_end', 'claimed_by = from_uid OR claimed_by = to_uid')
@Index('relation_by_target', { synchronize: false })
@Index('relation_by_claimant', { synchronize: false })
export class RelationEntity {
  @PrimaryColumn('uuid', { name: 'from_uid', primaryKeyConstraintName: 'relation_pkey' })
  fromUid!: string;

  @PrimaryColumn('uuid', { name: 'to_uid', primaryKeyConstraintName: 'relation_pkey' })
  toUid!: string;

  @PrimaryColumn('uuid', { name: 'claimed_by', primaryKeyConstraintName: 'relation_pkey' })
  claimedBy!: string;

  @PrimaryColumn('text', { collation: 'C', primaryKeyConstraintName: 'relation_pkey' })
  type!: string;
}
