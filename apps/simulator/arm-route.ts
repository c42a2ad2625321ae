import { ArmId } from '#libs/kernel/arm-id.js';

/** Who tells how much of a region's quota is used. */
export const USAGE_PROVIDERS = ['Microsoft.Compute', 'Microsoft.ContainerInstance'] as const;
export type UsageProvider = (typeof USAGE_PROVIDERS)[number];

/** What a path asks for, before anything is known about whether it exists. */
export type ArmRoute =
  | { kind: 'tenants' }
  | { kind: 'subscriptions' }
  | { kind: 'subscription'; subscriptionId: string }
  | { kind: 'locations'; subscriptionId: string }
  | { kind: 'resources'; subscriptionId: string; group?: string }
  | { kind: 'groups'; subscriptionId: string }
  | { kind: 'group'; subscriptionId: string; group: string }
  | { kind: 'providers'; subscriptionId?: string }
  | { kind: 'provider'; subscriptionId?: string; namespace: string; action?: string }
  | { kind: 'provider-operations'; namespace: string }
  | { kind: 'features'; subscriptionId: string; namespace?: string }
  | { kind: 'feature'; subscriptionId: string; namespace: string; feature: string; action?: string }
  | { kind: 'operation'; subscriptionId: string; operationId: string; answer: 'status' | 'result' }
  | { kind: 'group-operation'; subscriptionId: string; token: string }
  | { kind: 'usages'; subscriptionId: string; namespace: UsageProvider; location: string }
  | { kind: 'capabilities'; subscriptionId: string; location: string }
  /** The sizes of machines, and what of them a subscription may not have. */
  | { kind: 'machine-sizes'; subscriptionId: string }
  | { kind: 'kubernetes-versions'; subscriptionId: string; location: string }
  | { kind: 'extension-versions'; subscriptionId: string; location: string; extensionType: string }
  | { kind: 'graph' }
  /** The link of Container Instances on a subnet. */
  | { kind: 'service-association-link'; subscriptionId: string; group?: string; subnet: ArmId }
  /** What the caller may do at a scope. */
  | { kind: 'permissions'; subscriptionId: string; group?: string; scope: ArmId }
  /** `parent` is the resource whose children are listed; without it the subscription or group is. */
  | { kind: 'list'; subscriptionId: string; group?: string; type: string; parent?: ArmId }
  | { kind: 'resource'; id: ArmId; subscriptionId: string; group?: string }
  | { kind: 'action'; id: ArmId; action: string; subscriptionId: string; group?: string }
  | { kind: 'unknown' };

/** Reads a path, in any casing. */
export function routeOf(segments: readonly string[], method: string): ArmRoute {
  const lower = segments.map((segment) => segment.toLowerCase());
  switch (lower[0]) {
    case 'tenants':
      return segments.length === 1 ? { kind: 'tenants' } : { kind: 'unknown' };
    case 'providers':
      return tenantRoute(segments, lower);
    case 'subscriptions':
      return segments[1] === undefined ? { kind: 'subscriptions' } : subscriptionRoute(segments, lower, method);
    default:
      return { kind: 'unknown' };
  }
}

function tenantRoute(segments: readonly string[], lower: readonly string[]): ArmRoute {
  const namespace = segments[1];
  if (namespace === undefined) return { kind: 'providers' };
  if (segments.length === 2) return { kind: 'provider', namespace };
  if (segments.length !== 3) return { kind: 'unknown' };
  if (lower[1] === 'microsoft.resourcegraph' && lower[2] === 'resources') return { kind: 'graph' };
  return lower[2] === 'operations' ? { kind: 'provider-operations', namespace } : { kind: 'unknown' };
}

function subscriptionRoute(segments: readonly string[], lower: readonly string[], method: string): ArmRoute {
  const subscriptionId = segments[1]!;
  if (segments.length === 2) return { kind: 'subscription', subscriptionId };
  const rest = segments.slice(2);
  switch (lower[2]) {
    case 'locations':
      return rest.length === 1 ? { kind: 'locations', subscriptionId } : { kind: 'unknown' };
    case 'resources':
      return rest.length === 1 ? { kind: 'resources', subscriptionId } : { kind: 'unknown' };
    case 'operationresults':
      return rest.length === 2 && rest[1] !== undefined
        ? { kind: 'group-operation', subscriptionId, token: rest[1] }
        : { kind: 'unknown' };
    case 'resourcegroups':
      return groupRoute(subscriptionId, segments, lower, method);
    case 'providers':
      return providerRoute(subscriptionId, segments, lower, method);
    default:
      return { kind: 'unknown' };
  }
}

function groupRoute(
  subscriptionId: string,
  segments: readonly string[],
  lower: readonly string[],
  method: string,
): ArmRoute {
  const group = segments[3];
  if (group === undefined) return { kind: 'groups', subscriptionId };
  if (segments.length === 4) return { kind: 'group', subscriptionId, group };
  if (segments.length === 5 && lower[4] === 'resources') return { kind: 'resources', subscriptionId, group };
  return lower[4] === 'providers' ? resourceRoute(subscriptionId, group, segments, lower, method) : { kind: 'unknown' };
}

function providerRoute(
  subscriptionId: string,
  segments: readonly string[],
  lower: readonly string[],
  method: string,
): ArmRoute {
  const namespace = segments[3];
  const tail = segments.slice(4);
  if (namespace === undefined) return { kind: 'providers', subscriptionId };
  if (tail.length === 0) return { kind: 'provider', subscriptionId, namespace };
  if (lower[3] === 'microsoft.features') return featureRoute(subscriptionId, tail);
  const action = lower[4];
  if (tail.length === 1 && (action === 'register' || action === 'unregister')) {
    return { kind: 'provider', subscriptionId, namespace, action };
  }
  if (tail.length === 4 && lower[4] === 'locations' && tail[3] !== undefined) {
    if (lower[6] === 'operations' || lower[6] === 'operationstatuses' || lower[6] === 'operationsstatus')
      return { kind: 'operation', subscriptionId, operationId: tail[3], answer: 'status' };
    if (lower[6] === 'operationresults')
      return { kind: 'operation', subscriptionId, operationId: tail[3], answer: 'result' };
  }
  const counting = USAGE_PROVIDERS.find((provider) => provider.toLowerCase() === lower[3]);
  if (tail.length === 3 && tail[1] !== undefined && counting !== undefined && lower[6] === 'usages') {
    return { kind: 'usages', subscriptionId, namespace: counting, location: tail[1] };
  }
  if (
    tail.length === 3 &&
    tail[1] !== undefined &&
    lower[3] === 'microsoft.containerinstance' &&
    lower[6] === 'capabilities'
  ) {
    return { kind: 'capabilities', subscriptionId, location: tail[1] };
  }
  if (
    tail.length === 3 &&
    tail[1] !== undefined &&
    lower[3] === 'microsoft.containerservice' &&
    lower[6] === 'kubernetesversions'
  ) {
    return { kind: 'kubernetes-versions', subscriptionId, location: tail[1] };
  }
  const [, location, , extensionType] = tail;
  if (
    tail.length === 5 &&
    location !== undefined &&
    extensionType !== undefined &&
    lower[3] === 'microsoft.kubernetesconfiguration' &&
    lower[6] === 'extensiontypes' &&
    lower[8] === 'versions'
  ) {
    return { kind: 'extension-versions', subscriptionId, location, extensionType };
  }
  if (tail.length === 1 && lower[3] === 'microsoft.compute' && lower[4] === 'skus') {
    return { kind: 'machine-sizes', subscriptionId };
  }
  return resourceRoute(subscriptionId, undefined, segments, lower, method);
}

/** `…/Microsoft.Features/features`, `…/providers/{ns}/features`, `…/features/{f}` and `…/{f}/register`. */
function featureRoute(subscriptionId: string, tail: readonly string[]): ArmRoute {
  const [first, namespace, third, feature, action] = tail;
  if (tail.length === 1 && first?.toLowerCase() === 'features') return { kind: 'features', subscriptionId };
  if (first?.toLowerCase() !== 'providers' || namespace === undefined || third?.toLowerCase() !== 'features') {
    return { kind: 'unknown' };
  }
  if (feature === undefined) return { kind: 'features', subscriptionId, namespace };
  if (tail.length > 5) return { kind: 'unknown' };
  return {
    kind: 'feature',
    subscriptionId,
    namespace,
    feature,
    ...(action === undefined ? {} : { action: action.toLowerCase() }),
  };
}

/** Anything below a provider: an even number of segments names a resource, an odd one a list or an action. */
function resourceRoute(
  subscriptionId: string,
  group: string | undefined,
  segments: readonly string[],
  lower: readonly string[],
  method: string,
): ArmRoute {
  const start = lower.lastIndexOf('providers');
  const namespace = segments[start + 1] ?? '';
  const tail = segments.slice(start + 2);
  const scope = { subscriptionId, ...(group === undefined ? {} : { group }) };
  if (tail.length === 0) return { kind: 'unknown' };
  if (tail.length % 2 === 0) {
    const isPoll = namespace.toLowerCase() === 'microsoft.kubernetesconfiguration' && lower.at(-2) === 'operations';
    if (isPoll) return { kind: 'operation', subscriptionId, operationId: segments.at(-1) ?? '', answer: 'status' };
    const isLink =
      namespace.toLowerCase() === 'microsoft.containerinstance' && tail[0]?.toLowerCase() === 'serviceassociationlinks';
    const linked = isLink && tail.length === 2 ? ArmId.tryParse(`/${segments.slice(0, start).join('/')}`) : undefined;
    if (linked !== undefined) return { kind: 'service-association-link', subnet: linked, ...scope };
    const id = ArmId.tryParse(`/${segments.join('/')}`);
    return id === undefined ? { kind: 'unknown' } : { kind: 'resource', id, ...scope };
  }
  const above = ArmId.tryParse(`/${segments.slice(0, -1).join('/')}`);
  if (method === 'POST') {
    if (tail.length < 3 || above === undefined) return { kind: 'unknown' };
    return { kind: 'action', id: above, action: tail.at(-1)!.toLowerCase(), ...scope };
  }
  const isPermissions =
    namespace.toLowerCase() === 'microsoft.authorization' && tail[0]?.toLowerCase() === 'permissions';
  if (isPermissions && tail.length === 1) {
    const at = ArmId.tryParse(`/${segments.slice(0, start).join('/')}`);
    return at === undefined ? { kind: 'unknown' } : { kind: 'permissions', scope: at, ...scope };
  }
  const type = [namespace, ...tail.filter((_segment, index) => index % 2 === 0)].join('/');
  if (tail.length > 1) {
    return above === undefined ? { kind: 'unknown' } : { kind: 'list', type, parent: above, ...scope };
  }
  // `…/{resource}/providers/{namespace}/{type}`: the extensions of a resource.
  const extended = ArmId.tryParse(`/${segments.slice(0, start).join('/')}`);
  const isExtension = (extended?.parts.length ?? 0) > 0;
  return { kind: 'list', type, ...scope, ...(isExtension && extended !== undefined ? { parent: extended } : {}) };
}
