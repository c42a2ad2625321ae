import type { AccessAttributes } from '../cluster.objects.js';

/** What a path means, before anybody knows whether it is served. */
export type RequestInfo =
  | {
      type: 'resource';
      verb: string;
      group: string;
      version: string;
      resource: string;
      subresource: string;
      /** The empty string for the cluster scope. */
      namespace: string;
      name: string;
    }
  | { type: 'other'; verb: string; path: string };

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** Paths below a namespace that are subresources of it, not resources in it. */
const NAMESPACE_SUBRESOURCES = ['status', 'finalize'];

/** Reads method and path the way the server does for authorisation. @param path decoded segments are joined by '/' */
export function requestInfo(method: string, path: string, parameters: URLSearchParams): RequestInfo {
  const segments = path.split('/').filter((segment) => segment !== '');
  const other = { type: 'other' as const, verb: method.toLowerCase(), path };
  const [prefix, ...rest] = segments;
  let group = '';
  if (prefix === 'apis') group = rest.shift() ?? '';
  else if (prefix !== 'api') return other;
  const version = rest.shift() ?? '';
  if (rest.length === 0) return other;
  let parts = rest.map(decodeURIComponent);
  let namespace = '';
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1]!;
    if (parts.length > 2 && !NAMESPACE_SUBRESOURCES.includes(parts[2]!)) parts = parts.slice(2);
  }
  const [resource = '', name = '', ...subresource] = parts;
  const isWatch = ['true', '1'].includes(parameters.get('watch') ?? '');
  let verb = VERBS[method] ?? '';
  if (name === '' && verb === 'get') verb = isWatch ? 'watch' : 'list';
  if (name === '' && verb === 'delete') verb = 'deletecollection';
  return {
    type: 'resource',
    verb,
    group,
    version,
    resource,
    subresource: subresource.join('/'),
    namespace,
    name: name === '' && ['list', 'watch', 'deletecollection'].includes(verb) ? selectedName(parameters) : name,
  };
}

/** A list of one object by name counts as access to that object. */
function selectedName(parameters: URLSearchParams): string {
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(parameters.get('fieldSelector') ?? '')?.[1] ?? '';
}

export function attributesOf(info: RequestInfo): AccessAttributes {
  if (info.type === 'other')
    return {
      verb: info.verb,
      group: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      nonResourcePath: info.path,
    };
  const { verb, group, resource, subresource, namespace, name } = info;
  return { verb, group, resource, subresource, namespace, name, nonResourcePath: undefined };
}
