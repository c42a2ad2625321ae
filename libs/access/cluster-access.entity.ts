import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The kubeconfig that somebody attached to a cluster, sealed. */
@Entity('cluster_access')
export class ClusterAccessEntity {
  @PrimaryColumn('uuid', { name: 'cluster_uid', primaryKeyConstraintName: 'cluster_access_pkey' })
  clusterUid!: string;

  @Column('text')
  sealed!: string;

  @Column('text', { name: 'key_id' })
  keyId!: string;

  @Column('text')
  server!: string;

  @Column('text')
  authentication!: string;

  @Column('text', { name: 'attached_by' })
  attachedBy!: string;

  @Column('timestamptz', { name: 'attached_at', default: () => 'now()' })
  attachedAt!: Date;
}
