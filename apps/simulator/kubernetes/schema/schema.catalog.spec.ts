import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { InvalidDefinitionError } from './custom-resource.definition.js';
import { SchemaCatalog, type ServedPath } from './schema.catalog.js';

function definition(schema: JsonObject, versions: JsonObject[] = [{ name: 'v1', served: true }]): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.org' },
    spec: {
      group: 'example.org',
      names: { kind: 'Thing', plural: 'things' },
      versions: versions.map((version) => ({ schema: { openAPIV3Schema: schema }, ...version })),
    },
  };
}

const SCHEMA = { type: 'object', description: 'A thing.', properties: { spec: { type: 'object' } } };

describe('SchemaCatalog', () => {
  const builtIn: [string, string, string][] = [
    ['', 'v1', 'Pod'],
    ['apps', 'v1', 'Deployment'],
    ['batch', 'v1', 'CronJob'],
    ['events.k8s.io', 'v1', 'Event'],
    ['rbac.authorization.k8s.io', 'v1', 'ClusterRole'],
    ['apiextensions.k8s.io', 'v1', 'CustomResourceDefinition'],
    ['autoscaling', 'v1', 'Scale'],
    ['autoscaling', 'v2', 'HorizontalPodAutoscaler'],
    ['authentication.k8s.io', 'v1', 'TokenRequest'],
  ];
  it.each(builtIn)('knows %s/%s %s, the same for all catalogs', (group, version, kind) => {
    const schema = new SchemaCatalog().find(group, version, kind);
    expect(schema?.properties?.metadata?.properties?.labels?.type).toBe('object');
    expect(new SchemaCatalog().find(group, version, kind)).toBe(schema);
  });

  it('has resolved what the types refer to, also where they contain themselves', () => {
    const definitions = new SchemaCatalog().find('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')!;
    const root =
      definitions.properties!.spec!.properties!.versions!.items!.properties!.schema!.properties!.openAPIV3Schema!;
    expect(root.properties!.not!.properties!.not!.properties!.type!.type).toBe('string');
  });

  it('knows nothing else', () => {
    expect(new SchemaCatalog().find('apps', 'v1beta1', 'Deployment')).toBeUndefined();
    expect(new SchemaCatalog().find('example.org', 'v1', 'Thing')).toBeUndefined();
  });

  it('serves the served versions of a definition until it is removed', () => {
    const catalog = new SchemaCatalog();
    catalog.addDefinition(
      definition(SCHEMA, [
        { name: 'v1', served: true },
        { name: 'v0', served: false },
      ]),
    );
    expect(catalog.find('example.org', 'v1', 'Thing')?.properties).toMatchObject({
      apiVersion: { type: 'string' },
      metadata: { properties: { labels: { type: 'object' } } },
      spec: { type: 'object' },
    });
    expect(catalog.find('example.org', 'v0', 'Thing')).toBeUndefined();
    expect(new SchemaCatalog().find('example.org', 'v1', 'Thing')).toBeUndefined();
    catalog.addDefinition(definition({ ...SCHEMA, properties: {} }));
    expect(catalog.find('example.org', 'v1', 'Thing')?.properties?.spec).toBeUndefined();
    catalog.removeDefinition('things.example.org');
    expect(catalog.find('example.org', 'v1', 'Thing')).toBeUndefined();
  });

  const root = 'spec.versions[0].schema.openAPIV3Schema';
  const inSpec = (spec: JsonObject): JsonObject => definition({ type: 'object', properties: { spec } });
  const refused: { crd: JsonObject; field: string; reason: string }[] = [
    { crd: { metadata: { name: 'x' } }, field: 'spec', reason: 'nothing is defined' },
    {
      crd: definition(SCHEMA, [{ name: 'v1', served: true, schema: null }]),
      field: 'spec.versions.0.schema',
      reason: 'no schema',
    },
    { crd: inSpec({ type: 'text' }), field: `${root}.properties[spec].type`, reason: 'no such type' },
    { crd: inSpec({ type: 'string', pattern: '(' }), field: `${root}.properties[spec].pattern`, reason: 'no pattern' },
    {
      crd: inSpec({ type: 'string', 'x-kubernetes-validations': [{ rule: 'self.isURL()' }] }),
      field: `${root}.properties[spec].x-kubernetes-validations[0].rule`,
      reason: 'a rule that is not understood',
    },
    {
      crd: inSpec({
        type: 'array',
        items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'true', messageExpression: '(' }] },
      }),
      field: `${root}.properties[spec].items.x-kubernetes-validations[0].messageExpression`,
      reason: 'a message that is not understood',
    },
    {
      crd: inSpec({ type: 'string', 'x-kubernetes-validations': [{ rule: 'true', optionalOldSelf: true }] }),
      field: `${root}.properties[spec].x-kubernetes-validations[0].optionalOldSelf`,
      reason: 'what is not supported',
    },
  ];
  it.each(refused)('refuses a definition: $reason', ({ crd, field }) => {
    expect(() => new SchemaCatalog().addDefinition(crd)).toThrow(
      expect.objectContaining({ name: InvalidDefinitionError.name, field }),
    );
  });
});

describe('the OpenAPI document', () => {
  const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
  const paths: ServedPath[] = [
    { path: '/apis/apps/v1/namespaces/{namespace}/deployments', kind, verbs: ['list', 'create', 'deletecollection'] },
    {
      path: '/apis/apps/v1/namespaces/{namespace}/deployments/{name}',
      kind,
      verbs: ['get', 'update', 'patch', 'delete'],
    },
  ];
  const document = new SchemaCatalog().openApiV3('apps', 'v1', paths) as unknown as {
    paths: Record<string, Record<string, JsonObject & { parameters: { name: string }[] }>>;
    components: { schemas: Record<string, JsonObject> };
  };

  it('says that a patch can be validated strictly: kubectl looks for that', () => {
    const { patch } = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!;
    expect(patch!['x-kubernetes-group-version-kind']).toEqual(kind);
    expect(patch!.parameters.map(({ name }) => name)).toContain('fieldValidation');
  });

  it('has an operation for each verb, and names what stands in the path', () => {
    const [collection, object] = Object.values(document.paths);
    expect(Object.keys(collection!).sort()).toEqual(['delete', 'get', 'parameters', 'post']);
    expect(Object.keys(object!).sort()).toEqual(['delete', 'get', 'parameters', 'patch', 'put']);
    expect((object!.parameters as unknown as { name: string }[]).map(({ name }) => name)).toEqual([
      'namespace',
      'name',
    ]);
  });

  it('describes the kinds of the group version and all that they refer to', () => {
    const { schemas } = document.components;
    const deployment = schemas['io.k8s.api.apps.v1.Deployment']!;
    expect(deployment['x-kubernetes-group-version-kind']).toEqual([kind]);
    expect(deployment.description).toContain('Deployment enables declarative updates');
    const text = JSON.stringify(document);
    const references = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!));
    expect([...references].filter((name) => schemas[name] === undefined)).toEqual([]);
    expect(schemas['io.k8s.api.batch.v1.Job']).toBeUndefined();
  });

  it('describes custom resources', () => {
    const catalog = new SchemaCatalog();
    catalog.addDefinition(definition(SCHEMA));
    const { components } = catalog.openApiV3('example.org', 'v1', []) as unknown as typeof document;
    expect(components.schemas['org.example.v1.Thing']).toMatchObject({
      description: 'A thing.',
      'x-kubernetes-group-version-kind': [{ group: 'example.org', kind: 'Thing', version: 'v1' }],
    });
  });
});
