import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A worker process that says it is alive. */
@Entity('worker_process')
export class WorkerProcessEntity {
  @PrimaryColumn('text', { name: 'pool_id' })
  poolId!: string;

  @Column('timestamptz', { name: 'started_at', default: () => 'now()' })
  startedAt!: Date;

  @Column('timestamptz', { name: 'heartbeat_at', default: () => 'now()' })
  heartbeatAt!: Date;
}
