import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The signed checkpoints of the audit log. */
@Entity('audit_checkpoint')
export class AuditCheckpointEntity {
  @PrimaryColumn('bigint')
  sequence!: string;

  @Column('timestamptz')
  at!: Date;

  @Column('text')
  hash!: string;

  @Column('text')
  signature!: string;

  @Column('text', { name: 'public_key' })
  publicKey!: string;
}
