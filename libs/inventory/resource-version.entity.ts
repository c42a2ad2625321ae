import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The past states of objects, in partitions by the month in which they ended. */
@Entity('resource_version')
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

  @Column({ type: 'text', collation: 'C' })
  kind!: string;

  @Column({ type: 'text', collation: 'C' })
  name!: string;

  @Column({ type: 'text', collation: 'C' })
  location!: string;

  @Column({ type: 'text', name: 'provisioning_state', collation: 'C' })
  provisioningState!: string;

  @Column({ type: 'text', collation: 'C' })
  health!: string;

  @Column({ type: 'text', name: 'health_reason', nullable: true })
  healthReason!: string | null;

  @Column({ type: 'text', nullable: true, collation: 'C' })
  namespace!: string | null;

  @Column({ type: 'text', name: 'subscription_id', nullable: true, collation: 'C' })
  subscriptionId!: string | null;

  @Column({ type: 'text', name: 'resource_group', nullable: true })
  resourceGroup!: string | null;

  @Column({ type: 'text', nullable: true })
  etag!: string | null;

  @Column('text')
  id!: string;

  @Column({ type: 'text', name: 'canonical_id' })
  canonicalId!: string;

  @Column('jsonb')
  tags!: unknown;

  @Column('jsonb')
  properties!: unknown;
}
