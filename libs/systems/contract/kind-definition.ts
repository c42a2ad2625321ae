import type { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import type { RelationType } from './observation.js';

/** A relation as a field of the graph: `Fleet.members` is the incoming `memberOf` of kind FleetMember. */
export interface RelationField {
  name: string;
  description: string;
  type: RelationType;
  direction: 'outgoing' | 'incoming';
  /** The kind at the other end. */
  kind: string;
  cardinality: 'one' | 'many';
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
  properties: Properties;
  /** Pure: the typed view of raw properties. Must not throw on anything that an object of this type can hold. */
  describe(raw: JsonObject): z.output<Properties>;
  relations: readonly RelationField[];
}
