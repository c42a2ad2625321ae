import { createHash } from 'node:crypto';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ServedPath, ServedVerb } from '../schema/openapi.paths.js';
import { compareVersions } from './custom-resource.definition.js';
import type { ResourceCatalog } from './resource.catalog.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';

/** The media type of the discovery of everything at once. */
export const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** The documents in which a server tells what it serves. */
export class DiscoveryDocuments {
  constructor(private readonly catalog: ResourceCatalog) {}

  /** @param address host and port under which the caller came here */
  coreVersions(address: string): JsonObject {
    return {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
    };
  }

  groups(): JsonObject {
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: this.#groupNames().map((group) => this.#group(group)) };
  }

  group(group: string): JsonObject {
    return { kind: 'APIGroup', apiVersion: 'v1', ...this.#group(group) };
  }

  resources(group: string, version: string): JsonObject {
    const served = this.#served(group, version);
    return {
      kind: 'APIResourceList',
      ...(group === '' ? {} : { apiVersion: 'v1' }),
      groupVersion: apiVersionOf({ group, version }),
      resources: served.flatMap((resource) => this.#listed(resource)),
    };
  }

  /** Everything of the core group, or of all others. */
  aggregated(scope: 'core' | 'groups'): JsonObject {
    const names = scope === 'core' ? [''] : this.#groupNames();
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: 'apidiscovery.k8s.io/v2',
      metadata: {},
      items: names.map((group) => ({
        metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
        versions: this.#versions(group).map((version) => ({
          version,
          resources: this.#served(group, version).map((resource) => this.#discovered(resource)),
          freshness: 'Current',
        })),
      })),
    };
  }

  /** Where the OpenAPI documents are, by group version. Clients put the path of the server before it. */
  openApiIndex(): JsonObject {
    const versions = [...new Set(this.catalog.all.map(apiVersionOf))];
    const paths = versions.map((apiVersion) => {
      const path = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#hash(apiVersion)}` }] as const;
    });
    return { paths: Object.fromEntries(paths) };
  }

  /** The paths of one group version with what can be done at each. */
  servedPaths(group: string, version: string): ServedPath[] {
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    return this.#served(group, version).flatMap((resource) => {
      const kind = { group, version, kind: resource.kind };
      const collection = `${root}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}`;
      const verbs = (wanted: readonly ServedVerb[]): ServedVerb[] =>
        wanted.filter((verb) => resource.verbs.includes(verb));
      const paths: ServedPath[] = [
        { path: collection, kind, verbs: verbs(['list', 'create', 'deletecollection']) },
        { path: `${collection}/{name}`, kind, verbs: verbs(['get', 'update', 'patch', 'delete']) },
        ...resource.subresources.map((subresource) => ({
          path: `${collection}/{name}/${subresource.name}`,
          kind: {
            group: subresource.group ?? group,
            version: subresource.version ?? version,
            kind: subresource.kind,
          },
          verbs: subresource.verbs as ServedVerb[],
        })),
        ...(resource.namespaced && resource.verbs.includes('list')
          ? [{ path: `${root}/${resource.plural}`, kind, verbs: ['list'] as const }]
          : []),
      ];
      return paths.filter((path) => path.verbs.length > 0);
    });
  }

  #groupNames(): string[] {
    return [...new Set(this.catalog.all.map((resource) => resource.group))].filter((group) => group !== '');
  }

  #versions(group: string): string[] {
    const versions = this.catalog.all.filter((resource) => resource.group === group).map(({ version }) => version);
    return [...new Set(versions)].sort(compareVersions);
  }

  #served(group: string, version: string): ServedResource[] {
    return this.catalog.all.filter((resource) => resource.group === group && resource.version === version);
  }

  #group(group: string): JsonObject {
    const versions = this.#versions(group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
    return { name: group, versions, preferredVersion: versions[0]! };
  }

  #listed(resource: ServedResource): JsonObject[] {
    return [
      {
        name: resource.plural,
        singularName: resource.singular,
        namespaced: resource.namespaced,
        kind: resource.kind,
        verbs: [...resource.verbs],
        ...namesOf(resource),
        ...(resource.virtual ? {} : { storageVersionHash: storageVersionHash(resource) }),
      },
      ...resource.subresources.map(({ name, kind, group, version, verbs }) => ({
        name: `${resource.plural}/${name}`,
        singularName: '',
        namespaced: resource.namespaced,
        ...(group === undefined ? {} : { group }),
        ...(version === undefined ? {} : { version }),
        kind,
        verbs: [...verbs],
      })),
    ];
  }

  #discovered(resource: ServedResource): JsonObject {
    // Built-in kinds leave group and version out where they are those of the list.
    const own =
      resource.custom === undefined ? { group: '', version: '' } : { group: resource.group, version: resource.version };
    return {
      resource: resource.plural,
      responseKind: { ...own, kind: resource.kind },
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: resource.singular,
      verbs: [...resource.verbs],
      ...namesOf(resource),
      ...(resource.subresources.length === 0
        ? {}
        : {
            subresources: resource.subresources.map(({ name, kind, group, version, verbs }) => ({
              subresource: name,
              responseKind: { group: group ?? own.group, version: version ?? own.version, kind },
              verbs: [...verbs],
            })),
          }),
    };
  }

  /** Changes with what is served, so that clients may keep a document as long as it is the same. */
  #hash(apiVersion: string): string {
    const served = this.catalog.all.filter((resource) => apiVersionOf(resource) === apiVersion);
    const text = JSON.stringify(served.map(({ plural, kind, custom }) => [plural, kind, custom]));
    return createHash('sha512').update(text).digest('hex').toUpperCase();
  }
}

function namesOf({ shortNames, categories }: ServedResource): JsonObject {
  return {
    ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
    ...(categories.length === 0 ? {} : { categories: [...categories] }),
  };
}

function storageVersionHash(resource: ServedResource): string {
  const apiVersion = resource.storageApiVersion.includes('/')
    ? resource.storageApiVersion
    : `/${resource.storageApiVersion}`;
  const digest = createHash('sha256').update(`${apiVersion}/${resource.kind}`).digest();
  return digest.subarray(0, 8).toString('base64');
}
