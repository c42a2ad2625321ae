import { ControlError } from '#libs/kernel/control-error.js';
import type { ApiResource } from './kubernetes-object.js';

/** Path segments that are neither `.` nor `..` and need no second thought: no `/`, no `%`, no white space. */
const SEGMENT = /^(?!\.{1,2}$)[^/%\s]{1,253}$/u;

/**
 * The path of a collection, an object or a subresource of one; of all namespaces where none is given.
 * @throws ControlError INVALID_REQUEST for names that no server has, which would make another path of it.
 */
export function kubernetesPath(
  resource: ApiResource,
  namespace: string | undefined,
  name?: string,
  subresource?: string,
): string {
  const root = resource.group === '' ? ['api', resource.version] : ['apis', resource.group, resource.version];
  const scope = resource.namespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  const segments = [...root, ...scope, resource.plural, ...(name === undefined ? [] : [name])];
  if (subresource !== undefined) segments.push(subresource);
  if (resource.namespaced && namespace === undefined && name !== undefined) {
    throw new ControlError('INVALID_REQUEST', `A ${resource.kind} is in a namespace: one has to be named.`);
  }
  for (const segment of segments) {
    if (!SEGMENT.test(segment)) {
      throw new ControlError('INVALID_REQUEST', `Not a name in Kubernetes: "${segment.slice(0, 100)}".`);
    }
  }
  return `/${segments.map(encodeURIComponent).join('/')}`;
}

/** `deployments.apps demo/web`, for messages. */
export function shownTarget(resource: ApiResource, namespace: string | undefined, name?: string): string {
  const type = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
  const place = [resource.namespaced ? namespace : undefined, name].filter((part) => part !== undefined).join('/');
  return place === '' ? type : `${type} ${place}`;
}
