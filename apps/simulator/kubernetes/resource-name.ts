import { objectAt, textAt } from '../json-merge.js';
import { BUILT_IN_RESOURCES } from './api/built-in.resources.js';
import type { ClusterObjects } from './cluster.objects.js';

const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';

/** The name under which a cluster stores a kind: `pods`, `deployments.apps`; undefined when the cluster has no such kind. */
export function resourceNameOf(objects: ClusterObjects, apiVersion: string, kind: string): string | undefined {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const builtIn = BUILT_IN_RESOURCES.find(
    (resource) => resource.group === group && resource.version === version && resource.kind === kind,
  );
  if (builtIn !== undefined) return builtIn.storage;
  return objects
    .list(DEFINITIONS)
    .filter((definition) => {
      const spec = objectAt(definition, 'spec');
      return textAt(spec, 'group') === group && textAt(objectAt(spec, 'names'), 'kind') === kind;
    })
    .map((definition) => definition.metadata.name)[0];
}
