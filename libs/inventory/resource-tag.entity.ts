import { Entity, PrimaryColumn } from 'typeorm';

/** The living objects of each tag, in the default order. */
@Entity('resource_tag')
export class ResourceTagEntity {
  /** See the SQL function `tag_key`. */
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'resource_tag_pkey' })
  tag!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'resource_tag_pkey' })
  uid!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'resource_tag_pkey' })
  name!: string;
}
