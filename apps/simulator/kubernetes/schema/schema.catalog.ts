import type { JsonObject } from '#libs/kernel/json.js';
import { builtInSchemas } from './built-in.schemas.js';
import { compileDefinition, type CompiledDefinition } from './custom-resource.definition.js';
import { formatApiVersion } from './group-version-kind.js';
import { describePaths, type ServedPath } from './openapi.paths.js';
import type { StructuralSchema } from './structural.schema.js';

export type { ServedPath, ServedVerb } from './openapi.paths.js';

/** The schemas that one cluster serves: the built-in kinds, which all clusters share, and its custom resources. */
export class SchemaCatalog {
  readonly #definitions = new Map<string, CompiledDefinition>();

  /**
   * Serves the kinds of a CustomResourceDefinition from now on (all served versions), replacing what it served before.
   * @throws InvalidDefinitionError for a schema or a rule that cannot be evaluated.
   */
  addDefinition(crd: JsonObject): void {
    const definition = compileDefinition(crd);
    this.#definitions.set(definition.name, definition);
  }

  /** @param name the name of the CustomResourceDefinition object: `works.placement.kubernetes-fleet.io`. */
  removeDefinition(name: string): void {
    this.#definitions.delete(name);
  }

  find(group: string, version: string, kind: string): StructuralSchema | undefined {
    for (const definition of this.#definitions.values()) {
      if (definition.group === group && definition.kind === kind) return definition.versions.get(version)?.schema;
    }
    return builtInSchemas().find({ group, version, kind });
  }

  /** The document at `/openapi/v3/apis/<group>/<version>`, with the operations of the paths given. */
  openApiV3(group: string, version: string, paths: readonly ServedPath[]): JsonObject {
    const apiVersion = formatApiVersion(group, version);
    const schemas = builtInSchemas().components(apiVersion);
    for (const definition of this.#definitions.values()) {
      const served = definition.group === group ? definition.versions.get(version) : undefined;
      if (served !== undefined) schemas[served.componentName] = served.component;
    }
    return {
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version: 'v1.32.13' },
      paths: describePaths(paths, schemas),
      components: {
        schemas,
        securitySchemes: {
          BearerToken: {
            type: 'apiKey',
            description: 'Bearer Token authentication',
            name: 'authorization',
            in: 'header',
          },
        },
      },
    };
  }
}
