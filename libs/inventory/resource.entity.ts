import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The table of objects, for the check that migrations and code agree; the indexes are the migration's own. */
@Entity('resource')
@Index('resource_by_name', { synchronize: false })
@Index('resource_by_kind', { synchronize: false })
@Index('resource_by_location', { synchronize: false })
@Index('resource_by_health', { synchronize: false })
@Index('resource_by_provisioning_state', { synchronize: false })
@Index('resource_by_change', { synchronize: false })
@Index('resource_by_creation', { synchronize: false })
@Index('resource_by_scope', { synchronize: false })
@Index('resource_by_name_part', { synchronize: false })
@Index('resource_by_cluster', { synchronize: false })
@Index('resource_by_namespace', { synchronize: false })
@Index('resource_by_subscription', { synchronize: false })
@Index('resource_by_group', { synchronize: false })
@Index('resource_by_deletion', { synchronize: false })
export class ResourceEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'resource_pkey' })
  uid!: string;

  @Column('uuid', { name: 'cluster_uid', nullable: true })
  clusterUid!: string | null;

  @Column('timestamptz', { name: 'observed_at' })
  observedAt!: Date;

  @Column('timestamptz', { name: 'changed_at' })
  changedAt!: Date;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt!: Date | null;

  @Column('bytea')
  hash!: Buffer;

  @Column('text')
  source!: string;

  @Column('text', { collation: 'C' })
  kind!: string;

  @Column('text', { collation: 'C' })
  name!: string;

  /** '' for none. */
  @Column('text', { collation: 'C' })
  location!: string;

  /** '' for none. */
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

  @Column('text', { name: 'scope_key', nullable: true })
  scopeKey!: string | null;

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
