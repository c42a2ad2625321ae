import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** Somebody, or something, that calls. */
@Entity('principal')
@Unique('principal_name_unique', ['name'])
export class PrincipalEntity {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
