import type { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { RelationType } from './observation.js';

/** A relation as a field of the graph: `Fleet.members` is the incoming `memberOf` of kind FleetMember. */
export interface RelationField {
  name: string;
  description: string;
  type: RelationType;
  direction: 'outgoing' | 'incoming';
  /** The kind at the other end; several where it may be any of them. */
  kind: string | readonly string[];
  cardinality: 'one' | 'many';
  /**
   * The way back, as a field of the kinds at the other end, where they are another system's and know nothing of this
   * kind: `ManagedCluster.workloads` belongs to whoever defines workloads.
   */
  inverse?: { name: string; description: string; cardinality: 'one' | 'many' };
}

/**
 * One kind of object. The `properties` schema is the one source of its typed REST `properties`, its GraphQL fields and
 * its OpenAPI schema; every field has a description, and is nullable unless the owner always tells it.
 */
export interface KindDefinition<Properties extends z.ZodObject = z.ZodObject> {
  /** Pascal case, singular: the GraphQL type and the `kind` of items. */
  name: string;
  description: string;
  /** As Azure writes it; absent for kinds that are not ARM resources. */
  armType?: string;
  /** What it is in a cluster's API; absent for kinds that are not Kubernetes objects. Several types may make one kind. */
  kubernetesTypes?: readonly { group: string; kind: string }[];
  properties: Properties;
  /** Pure: the typed view of raw properties. Must not throw on anything that an object of this type can hold. */
  describe(raw: JsonObject): z.output<Properties>;
  relations: readonly RelationField[];
}

/** The kinds at the other end of a relation. */
export function kindsOf(relation: Pick<RelationField, 'kind'>): readonly string[] {
  return typeof relation.kind === 'string' ? [relation.kind] : relation.kind;
}
