import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A cluster that is watched, and by whom. */
@Entity('watched_cluster')
export class WatchedClusterEntity {
  @PrimaryColumn('uuid', { name: 'cluster_uid', primaryKeyConstraintName: 'watched_cluster_pkey' })
  clusterUid!: string;

  @Column('jsonb')
  target!: unknown;

  @Column('boolean', { default: true })
  watched!: boolean;

  @Column('timestamptz', { name: 'due_at', default: () => 'now()' })
  dueAt!: Date;

  @Column({ type: 'text', name: 'claimed_by', nullable: true })
  claimedBy!: string | null;

  @Column('timestamptz', { name: 'claimed_until', nullable: true })
  claimedUntil!: Date | null;

  @Column('bigint', { default: 0 })
  fence!: string;
}
