import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a principal may do. */
@Entity('role_binding')
export class RoleBindingEntity {
  @PrimaryColumn('uuid', { name: 'principal_id' })
  principalId!: string;

  @Column('text')
  role!: string;
}
