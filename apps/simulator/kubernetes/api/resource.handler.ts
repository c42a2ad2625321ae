import { isJsonObject, type JsonObject, jsonText } from '#libs/kernel/json.js';
import type { ClusterUser, KubernetesObject } from '../cluster.objects.js';
import type { StructuralSchema } from '../schema/structural.schema.js';
import { AccessReviews } from './access.reviews.js';
import { type ApiAnswer, created, ok, PAGE_NOT_FOUND, success } from './api.answer.js';
import type { DeleteOptions, FieldValidation, Patch, WriteContext } from './api.request.js';
import { toServedVersion } from './api-version.conversion.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { KubernetesCluster } from './kubernetes.cluster.js';
import { listPage } from './list.query.js';
import { applied, patched } from './object.patch.js';
import { type Change, nameOf, type ObjectTarget } from './object.registry.js';
import { bindPod, evictPod, podLog } from './pod.subresources.js';
import { chooseRepresentation, present, presentList, type Representation } from './representation.js';
import { parseObject, parseOptions, parsePatch, type RequestBody } from './request.body.js';
import type { RequestInfo } from './request.info.js';
import { scaleOf, withScale } from './scale.subresource.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';
import { kubernetesTime } from '../timestamp.js';
import { WatchStream } from './watch.stream.js';

/** One request about objects, after authentication and authorisation. */
export interface ResourceRequest {
  info: Extract<RequestInfo, { type: 'resource' }>;
  user: ClusterUser;
  parameters: URLSearchParams;
  accept: string | undefined;
  userAgent: string | undefined;
  body: RequestBody;
  /** Filled with what the answer's `Warning` headers say. */
  warnings: string[];
}

/** A request whose resource is known to be served. */
interface Located extends ResourceRequest {
  resource: ServedResource;
  representation: Representation;
  context: WriteContext;
}

const SCALE_KIND = 'Scale';

/** Answers the requests about the objects of one cluster. */
export class ResourceHandler {
  readonly #reviews: AccessReviews;

  constructor(private readonly cluster: KubernetesCluster) {
    this.#reviews = new AccessReviews(cluster.access, () => kubernetesTime(cluster.clock.now()));
  }

  /** @throws KubernetesStatusError */
  handle(request: ResourceRequest): ApiAnswer {
    const { info } = request;
    const resource = this.cluster.catalog.find(info.group, info.version, info.resource);
    if (resource === undefined) return PAGE_NOT_FOUND;
    const located: Located = {
      ...request,
      resource,
      representation: chooseRepresentation(request.accept, request.parameters, this.cluster.clock.now()),
      context: writeContext(request),
    };
    if (resource.namespaced && info.namespace === '' && !['list', 'watch'].includes(info.verb))
      throw KubernetesStatusError.methodNotAllowed();
    if (!resource.namespaced && info.namespace !== '' && resource.storage !== 'namespaces') return PAGE_NOT_FOUND;
    if (info.subresource !== '') return this.#subresource(located);
    if (!resource.verbs.includes(info.verb)) throw KubernetesStatusError.methodNotAllowed();
    if (resource.virtual) return this.#review(located);
    switch (info.verb) {
      case 'get':
        return ok(this.#present(located, this.#find(located)));
      case 'list':
        return ok(
          presentList(
            listPage(this.cluster.store, resource, this.#namespace(located), located.parameters),
            resource,
            located.representation,
          ),
        );
      case 'watch': {
        const { parameters, representation } = located;
        const stream = new WatchStream(this.cluster, {
          resource,
          namespace: this.#namespace(located),
          parameters,
          representation,
        });
        return { type: 'stream', start: (response) => stream.start(response) };
      }
      case 'create':
        return this.#create(located);
      case 'update':
        return this.#update(located);
      case 'patch':
        return this.#patch(located);
      case 'delete':
        return this.#delete(located);
      case 'deletecollection':
        return this.#deleteCollection(located);
      default:
        throw KubernetesStatusError.methodNotAllowed();
    }
  }

  #namespace({ resource, info }: Located): string | undefined {
    return resource.namespaced && info.namespace !== '' ? info.namespace : undefined;
  }

  #target(request: Located, subresource: string): ObjectTarget {
    const { resource, info } = request;
    return { resource, namespace: this.#namespace(request), name: info.name, subresource };
  }

  #find(request: Located): KubernetesObject {
    const { resource, info } = request;
    const found = this.cluster.store.get(resource.storage, this.#namespace(request), info.name);
    if (found === undefined) throw KubernetesStatusError.notFound(nameOf(resource), info.name);
    return found;
  }

  #present({ resource, representation }: Located, stored: KubernetesObject): JsonObject {
    return present(toServedVersion(stored, resource), resource, representation);
  }

  #schema({ group, version, kind }: ServedResource): StructuralSchema {
    return this.cluster.schemas.find(group, version, kind) ?? { type: 'object' };
  }

  /** The body as an object of the resource's own kind. */
  #body({ body, resource }: Located): JsonObject {
    return checkedKind(parseObject(body, resource.kind), resource);
  }

  #review(request: Located): ApiAnswer {
    const { resource, context, user, info } = request;
    const review = this.cluster.registry.managedBy(resource, this.#body(request), context);
    return created(this.#reviews.answer(review, user, info.namespace || undefined));
  }

  #create(request: Located): ApiAnswer {
    if (request.info.name !== '') throw KubernetesStatusError.methodNotAllowed();
    const { resource, context } = request;
    const stored = this.cluster.registry.create(resource, this.#namespace(request), this.#body(request), context);
    return created(this.#present(request, stored));
  }

  #update(request: Located): ApiAnswer {
    const object = this.#body(request);
    checkName(object, request.info.name);
    const { resource } = request;
    const stored = this.cluster.registry.update(
      this.#target(request, request.info.subresource),
      request.context,
      (live) => {
        if (resource.custom !== undefined && ((object.metadata as JsonObject).resourceVersion ?? '') === '')
          throw KubernetesStatusError.invalid({ group: resource.group, resource: resource.kind }, live.metadata.name, [
            {
              reason: 'FieldValueInvalid',
              message: 'Invalid value: 0x0: must be specified for an update',
              field: 'metadata.resourceVersion',
            },
          ]);
        return { object };
      },
    );
    return ok(this.#present(request, stored));
  }

  #patch(request: Located): ApiAnswer {
    const patch = parsePatch(request.body, request.parameters.get('force') === 'true');
    if (patch.type === 'apply') return this.#apply(request, patch);
    const { resource, info } = request;
    const stored = this.cluster.registry.update(this.#target(request, info.subresource), request.context, (live) => {
      const object = patched(live, patch, this.#schema(resource), resource);
      checkName(object, info.name);
      return { object };
    });
    return ok(this.#present(request, stored));
  }

  #apply(request: Located, patch: Extract<Patch, { type: 'apply' }>): ApiAnswer {
    const { resource, info, context, parameters } = request;
    if ((parameters.get('fieldManager') ?? '') === '')
      throw KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'PatchOptions' }, '', [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: is required for apply patch',
          field: 'fieldManager',
        },
      ]);
    const namespace = this.#namespace(request);
    const place = {
      resource,
      schema: this.#schema(resource),
      namespace,
      name: info.name,
      manager: context.manager,
      subresource: info.subresource,
      time: kubernetesTime(this.cluster.clock.now()),
    };
    const exists = this.cluster.store.get(resource.storage, namespace, info.name) !== undefined;
    if (!exists && info.subresource === '') {
      const object = applied(undefined, patch, place);
      return created(this.#present(request, this.cluster.registry.create(resource, namespace, object, context, true)));
    }
    const stored = this.cluster.registry.update(this.#target(request, info.subresource), context, (live): Change => ({
      object: applied(live, patch, place),
      tracked: true,
    }));
    return ok(this.#present(request, stored));
  }

  #delete(request: Located): ApiAnswer {
    const { resource, info, context } = request;
    const options = deleteOptions(request);
    const result = this.cluster.registry.delete(resource, this.#namespace(request), info.name, options, context);
    if (result.outcome === 'terminating' || ANSWERED_WITH_OBJECT.has(resource.storage))
      return ok(this.#present(request, result.object));
    const { group, plural } = resource;
    return ok(
      success(200, {
        name: info.name,
        ...(group === '' ? {} : { group }),
        kind: plural,
        uid: result.object.metadata.uid,
      }),
    );
  }

  #deleteCollection(request: Located): ApiAnswer {
    const { resource, context, parameters } = request;
    const namespace = this.#namespace(request);
    const options = deleteOptions(request);
    const page = listPage(this.cluster.store, resource, namespace, parameters);
    for (const { metadata } of page.items) {
      const place = resource.namespaced ? metadata.namespace : undefined;
      // One that went together with another of the list is deleted as well.
      if (this.cluster.store.get(resource.storage, place, metadata.name) !== undefined)
        this.cluster.registry.delete(resource, place, metadata.name, options, context);
    }
    return ok(presentList(page, resource, request.representation));
  }

  #subresource(request: Located): ApiAnswer {
    const { resource, info } = request;
    const subresource = resource.subresources.find((candidate) => candidate.name === info.subresource);
    if (subresource === undefined) return PAGE_NOT_FOUND;
    if (!subresource.verbs.includes(info.verb)) throw KubernetesStatusError.methodNotAllowed();
    switch (subresource.name) {
      case 'status':
        if (info.verb === 'get') return ok(this.#present(request, this.#find(request)));
        return info.verb === 'update' ? this.#update(request) : this.#patch(request);
      case 'finalize':
        return this.#update(request);
      case 'scale':
        return this.#scale(request);
      case 'log':
        return { type: 'text', status: 200, text: podLog(this.#find(request), request.parameters) };
      case 'binding':
        return bindPod(
          this.cluster,
          this.#target(request, 'binding'),
          parseObject(request.body, 'Binding'),
          request.context,
        );
      case 'eviction': {
        const eviction = parseObject(request.body, 'Eviction');
        const options = readDeleteOptions(isJsonObject(eviction.deleteOptions) ? eviction.deleteOptions : {});
        return evictPod(this.cluster, this.#target(request, ''), options, request.context);
      }
      case 'token':
        return this.#token(request);
      default:
        return PAGE_NOT_FOUND;
    }
  }

  #scale(request: Located): ApiAnswer {
    const { resource, info, context } = request;
    const paths = resource.scale;
    if (paths === undefined) return PAGE_NOT_FOUND;
    const answer = (stored: KubernetesObject): ApiAnswer => ok(scaleOf(toServedVersion(stored, resource), paths));
    if (info.verb === 'get') return answer(this.#find(request));
    const patch = info.verb === 'patch' ? parsePatch(request.body, false) : undefined;
    const written = patch === undefined ? parseObject(request.body, SCALE_KIND) : undefined;
    const stored = this.cluster.registry.update(this.#target(request, 'scale'), context, (live) => {
      const scale = written ?? scalePatched(scaleOf(live, paths), patch!, resource);
      return {
        object: withScale(live, scale, paths, resource),
        // The real server notes no time for what comes through a scale.
        trackedAs: { subresource: 'scale', time: undefined },
      };
    });
    return answer(stored);
  }

  #token(request: Located): ApiAnswer {
    const account = this.#find(request);
    const body = parseObject(request.body, 'TokenRequest');
    const issued = this.cluster.tokens.issue(account, isJsonObject(body.spec) ? body.spec : {});
    const { name, namespace = '' } = account.metadata;
    return created({
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, creationTimestamp: kubernetesTime(this.cluster.clock.now()) },
      ...issued,
    });
  }
}

/** Kinds whose deletion is answered with the object even when it is gone at once. */
const ANSWERED_WITH_OBJECT: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'persistentvolumes',
  'persistentvolumeclaims',
  'resourcequotas',
]);

function scalePatched(scale: JsonObject, patch: Patch, resource: ServedResource): JsonObject {
  if (patch.type === 'apply') return { ...scale, spec: patch.applied.spec ?? {} };
  const merge = patch.type === 'strategic' ? { type: 'merge' as const, patch: patch.patch } : patch;
  return patched(scale, merge, { type: 'object' }, resource);
}

/** The body has to be of the kind of its path. */
function checkedKind(object: JsonObject, resource: ServedResource): JsonObject {
  const apiVersion = object.apiVersion;
  const kind = object.kind;
  if (apiVersion === undefined && kind === undefined)
    return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
  if (apiVersion === apiVersionOf(resource) && kind === resource.kind) return object;
  const [one = '', other] = jsonText(apiVersion).split('/');
  const version = other ?? one;
  const groupName = resource.group === '' ? 'core' : resource.group.split('.')[0]!;
  if (kind !== resource.kind)
    throw KubernetesStatusError.badRequest(
      `${jsonText(kind)} in version ${JSON.stringify(version)} cannot be handled as a ${resource.kind}: converting (${version}.${jsonText(kind)}) to (${groupName}.${resource.kind}): unknown conversion`,
    );
  throw KubernetesStatusError.badRequest(
    `the API version in the data (${jsonText(apiVersion)}) does not match the expected API version (${apiVersionOf(resource)})`,
  );
}

function checkName(object: JsonObject, name: string): void {
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  const written = metadata.name;
  if (written !== undefined && written !== name)
    throw KubernetesStatusError.badRequest(
      `the name of the object (${jsonText(written)}) does not match the name on the URL (${name})`,
    );
}

/** @throws KubernetesStatusError 400 for options that do not exist */
function writeContext({ user, parameters, userAgent, warnings }: ResourceRequest): WriteContext {
  const dryRun = parameters.getAll('dryRun').filter((value) => value !== '');
  if (dryRun.some((value) => value !== 'All'))
    throw invalidOption('dryRun', `Unsupported value: ${JSON.stringify(dryRun[0])}: supported values: "All"`);
  const asked = parameters.get('fieldValidation') || 'Warn';
  if (!isFieldValidation(asked))
    throw invalidOption(
      'fieldValidation',
      `Unsupported value: ${JSON.stringify(asked)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  return {
    user,
    manager: parameters.get('fieldManager') || (userAgent ?? '').split('/')[0] || 'unknown',
    dryRun: dryRun.length > 0,
    fieldValidation: asked,
    warnings,
  };
}

function isFieldValidation(text: string): text is FieldValidation {
  return text === 'Ignore' || text === 'Warn' || text === 'Strict';
}

function invalidOption(field: string, message: string): KubernetesStatusError {
  return KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'CreateOptions' }, '', [
    { reason: 'FieldValueNotSupported', message, field },
  ]);
}

function deleteOptions({ body, parameters, context }: Located): DeleteOptions {
  const written = parseOptions(body);
  if (Array.isArray(written.dryRun) && written.dryRun.includes('All')) context.dryRun = true;
  const grace = parameters.get('gracePeriodSeconds');
  const policy = parameters.get('propagationPolicy');
  return readDeleteOptions({
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...written,
  });
}

function readDeleteOptions(options: JsonObject): DeleteOptions {
  const { gracePeriodSeconds: grace, propagationPolicy: policy, orphanDependents: orphan } = options;
  const preconditions = isJsonObject(options.preconditions) ? options.preconditions : {};
  const { uid, resourceVersion } = preconditions;
  const chosen = policy ?? (orphan === true ? 'Orphan' : orphan === false ? 'Background' : undefined);
  if (chosen !== undefined && chosen !== 'Background' && chosen !== 'Foreground' && chosen !== 'Orphan')
    throw KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'DeleteOptions' }, '', [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(chosen)}: supported values: "Background", "Foreground", "Orphan", "nil"`,
        field: 'propagationPolicy',
      },
    ]);
  return {
    ...(typeof grace === 'number' && grace >= 0 ? { gracePeriodSeconds: grace } : {}),
    ...(chosen === undefined ? {} : { propagationPolicy: chosen }),
    preconditions: {
      ...(typeof uid === 'string' ? { uid } : {}),
      ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    },
  };
}
