import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The table of objects, for the check that migrations and code agree; the indexes are the migration's own. */
@Entity('resource')
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

  @Column({ type: 'text', collation: 'C' })
  kind!: string;

  @Column({ type: 'text', collation: 'C' })
  name!: string;

  /** '' for none. */
  @Column({ type: 'text', collation: 'C' })
  location!: string;

  /** '' for none. */
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

  @Column({ type: 'text', name: 'scope_key', nullable: true })
  scopeKey!: string | null;

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
