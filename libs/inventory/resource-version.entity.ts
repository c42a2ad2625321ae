import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The past states of objects, in partitions by the month in which they ended. */
@Entity('resource_version')
@Check('resource_version_range', 'valid_from < valid_to')
@Index('resource_version_by_name', { synchronize: false })
@Index('resource_version_by_kind', { synchronize: false })
export class ResourceVersionEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'resource_version_pkey' })
  uid!: string;

  @Column('uuid', { name: 'cluster_uid', nullable: true })
  clusterUid!: string | null;

  @Column('timestamptz', { name: 'valid_from' })
  validFrom!: Date;

  @PrimaryColumn('timestamptz', { name: 'valid_to', primaryKeyConstraintName: 'resource_version_pkey' })
  validTo!: Date;

  @Column('timestamptz', { name: 'observed_at' })
  observedAt!: Date;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('text')
  source!: string;

  @Column('text', { collation: 'C' })
  kind!: string;

  @Column('text', { collation: 'C' })
  name!: string;

  @Column('text', { collation: 'C' })
  location!: string;

  @Column('text', { name: 'provisioning_state', collation: 'C' })
  provisioningState!: string;

  @Column('text', { collation: 'C' })
  health!: string;

  @Column('text', { name: 'health_reason', nullable: true })
  healthReason!: string | null;

  @Column('text', { nullable: true, collation: 'C' })
  namespace!: string | null;

  @Column('text', { name: 'subscription_id', nullable: true, collation: 'C' })
  subscriptionId!: string | null;

  @Column('text', { name: 'resource_group', nullable: true })
  resourceGroup!: string | null;

  @Column('text', { nullable: true })
  etag!: string | null;

  @Column('text')
  id!: string;

  @Column('text', { name: 'canonical_id' })
  canonicalId!: string;

  @Column('jsonb')
  tags!: unknown;

  @Column('jsonb')
  properties!: unknown;
}
