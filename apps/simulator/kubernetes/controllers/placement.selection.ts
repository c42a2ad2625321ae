import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterView, ObjectAddress } from './cluster.view.js';
import type { ResourceIdentifier, ResourceSelector } from './fleet.types.js';
import { isReservedNamespace } from './fleet.names.js';
import { matchesSelector } from './label-selector.js';
import type { TypedObject } from './kubernetes.types.js';

/** Made by something in the cluster itself, or of the fleet's own machinery: each member has its own. */
const NEVER_PROPAGATED: readonly string[] = [
  'pods',
  'nodes',
  'events',
  'endpoints',
  'bindings',
  'replicasets.apps',
  'controllerrevisions.apps',
  'endpointslices.discovery.k8s.io',
  'leases.coordination.k8s.io',
  'serviceimports.networking.fleet.azure.com',
  'trafficmanagerprofiles.networking.fleet.azure.com',
  'trafficmanagerbackends.networking.fleet.azure.com',
  'endpointsliceexports.networking.fleet.azure.com',
  'endpointsliceimports.networking.fleet.azure.com',
  'internalserviceexports.networking.fleet.azure.com',
  'internalserviceimports.networking.fleet.azure.com',
];
const NEVER_PROPAGATED_GROUPS: readonly string[] = [
  '.cluster.kubernetes-fleet.io',
  '.placement.kubernetes-fleet.io',
  '.multicluster.x-k8s.io',
  '.metrics.k8s.io',
];

/** What is needed by others comes first. */
const ORDER: readonly string[] = [
  'PriorityClass',
  'Namespace',
  'NetworkPolicy',
  'ResourceQuota',
  'LimitRange',
  'PodDisruptionBudget',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'StorageClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Service',
  'DaemonSet',
  'Deployment',
  'HorizontalPodAutoscaler',
  'StatefulSet',
  'Job',
  'CronJob',
  'IngressClass',
  'Ingress',
];

export type Selection =
  | { outcome: 'selected'; resources: ResourceIdentifier[]; manifests: JsonObject[] }
  | { outcome: 'invalid'; message: string };

/** Finds what a placement is to carry, in the order in which it is applied. */
export function selectResources(
  hub: ClusterView,
  placement: string,
  selectors: readonly ResourceSelector[],
): Selection {
  const found = new Map<string, TypedObject>();
  const add = (address: ObjectAddress): void => {
    const object = hub.get(address.resource, address.namespace, address.name);
    if (object !== undefined && object.metadata.deletionTimestamp === undefined)
      found.set(`${address.resource}|${address.namespace ?? ''}/${address.name}`, object);
  };
  const namespaceOnly = selectors.some((selector) => selector.selectionScope === 'NamespaceWithResourceSelectors');
  for (const selector of selectors) {
    const served = hub.resourceOf(selector.group, selector.kind);
    if (served === undefined)
      return {
        outcome: 'invalid',
        message: `The resource selectors are invalid: failed to get GVR of the selector: no matches for kind "${selector.kind}" in group "${selector.group}"`,
      };
    if (served.scope === 'Namespaced' && !namespaceOnly)
      return {
        outcome: 'invalid',
        message: `The resource selectors are invalid: the resource is not found in schema (please retry) or it is not a cluster scoped resource: ${selector.group}/${selector.version}, Kind=${selector.kind}`,
      };
    if (served.resource === 'namespaces') {
      for (const name of namesOf(hub, served.resource, selector)) {
        if (isReservedNamespace(name) || name === 'default') {
          // A label may match them by chance; naming one is a mistake.
          if (selector.name === undefined) continue;
          return {
            outcome: 'invalid',
            message: `The resource selectors are invalid: invalid clusterRresourcePlacement ${placement}: namespace ${name} is not allowed to propagate`,
          };
        }
        add({ resource: 'namespaces', namespace: undefined, name });
        if ((selector.selectionScope ?? 'NamespaceWithResources') !== 'NamespaceWithResources') continue;
        for (const address of hub.contentOf(name)) if (isPropagated(hub, address)) add(address);
      }
    } else if (served.scope === 'Cluster') {
      for (const name of namesOf(hub, served.resource, selector))
        add({ resource: served.resource, namespace: undefined, name });
    } else {
      const namespaces = selectors
        .filter((other) => other.kind === 'Namespace' && other.group === '')
        .flatMap((other) => namesOf(hub, 'namespaces', other));
      for (const namespace of namespaces)
        for (const address of hub.contentOf(namespace)) {
          if (address.resource !== served.resource || !isPropagated(hub, address)) continue;
          const labels = hub.get(address.resource, namespace, address.name)?.metadata.labels;
          const wanted =
            selector.name === undefined
              ? selector.labelSelector === undefined || matchesSelector(selector.labelSelector, labels)
              : selector.name === address.name;
          if (wanted) add(address);
        }
    }
  }
  const objects = [...found.values()].sort(applyOrder);
  return { outcome: 'selected', resources: objects.map(identify), manifests: objects.map(manifestOf) };
}

function namesOf(hub: ClusterView, resource: string, selector: ResourceSelector): string[] {
  if (selector.name !== undefined && selector.name !== '') return [selector.name];
  return hub
    .clusterScoped(resource)
    .filter(
      (name) =>
        selector.labelSelector === undefined ||
        matchesSelector(selector.labelSelector, hub.get(resource, undefined, name)?.metadata.labels),
    );
}

function isPropagated(hub: ClusterView, { resource, namespace, name }: ObjectAddress): boolean {
  if (NEVER_PROPAGATED.includes(resource)) return false;
  if (NEVER_PROPAGATED_GROUPS.some((group) => resource.endsWith(group))) return false;
  if (resource === 'serviceaccounts' && name === 'default') return false;
  if (resource === 'configmaps' && name === 'kube-root-ca.crt') return false;
  if (resource !== 'secrets') return true;
  const secret = hub.get(resource, namespace, name) as (TypedObject & { type?: string }) | undefined;
  return secret?.type !== 'kubernetes.io/service-account-token';
}

function applyOrder(one: TypedObject, other: TypedObject): number {
  const rank = (object: TypedObject): number => {
    const place = ORDER.indexOf(object.kind);
    return place < 0 ? ORDER.length : place;
  };
  const difference = rank(one) - rank(other);
  if (difference !== 0) return difference;
  const text = (object: TypedObject): string =>
    `${object.apiVersion}/${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
  return text(one) < text(other) ? -1 : 1;
}

/** The names of an object as status and works write them. */
export function identify(object: {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}): ResourceIdentifier {
  const slash = object.apiVersion.indexOf('/');
  return {
    ...(slash < 0 ? {} : { group: object.apiVersion.slice(0, slash) }),
    version: object.apiVersion.slice(slash + 1),
    kind: object.kind,
    name: object.metadata.name,
    ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
  };
}

/** The object without what belongs to the hub. */
function manifestOf(object: TypedObject): JsonObject {
  const { status: _, ...content } = object as unknown as JsonObject & { status?: unknown };
  const { name, namespace, labels, annotations } = object.metadata;
  const kept = Object.fromEntries(
    Object.entries(annotations ?? {}).filter(([key]) => key !== 'kubectl.kubernetes.io/last-applied-configuration'),
  );
  const manifest: JsonObject = {
    ...content,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }),
    },
  };
  if (object.kind === 'Namespace') Reflect.deleteProperty(manifest, 'spec');
  if (object.kind === 'Service' && object.apiVersion === 'v1')
    manifest.spec = portableService(content.spec as JsonObject);
  return manifest;
}

function portableService(spec: JsonObject): JsonObject {
  const { clusterIP, clusterIPs: _, healthCheckNodePort: __, ports, ...rest } = spec;
  return {
    ...rest,
    // Headless is a wish, an address is not.
    ...(clusterIP === 'None' ? { clusterIP } : {}),
    ...(Array.isArray(ports)
      ? {
          ports: ports.map((port) => {
            const { nodePort: ___, ...portable } = port as JsonObject;
            return portable;
          }),
        }
      : {}),
  };
}
