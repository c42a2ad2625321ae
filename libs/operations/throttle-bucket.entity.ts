import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The throttle budgets that all processes share, for the check that migrations and code agree. */
@Entity('throttle_bucket')
export class ThrottleBucketEntity {
  @PrimaryColumn('text')
  scope!: string;

  @PrimaryColumn('text', { name: 'call_class' })
  callClass!: string;

  @Column('double precision')
  capacity!: number;

  @Column('double precision', { name: 'refill_per_second' })
  refillPerSecond!: number;

  @Column('double precision')
  tokens!: number;

  @Column('timestamptz')
  at!: Date;

  @Column('timestamptz', { name: 'closed_until' })
  closedUntil!: Date;

  @Column('jsonb', { default: {} })
  callers!: unknown;

  @Column('bigint', { default: 0 })
  version!: string;
}
