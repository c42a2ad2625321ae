import { randomUUID } from 'node:crypto';
import type { Clock } from '#libs/kernel/clock.js';
import { type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { AdmissionPlugin, AdmissionRequest, KubernetesObject } from '../cluster.objects.js';
import { applyDefaults } from '../schema/defaulting.js';
import { prune, validateObject } from '../schema/field.validation.js';
import { trackUpdate } from '../schema/managed-fields.js';
import type { SchemaCatalog } from '../schema/schema.catalog.js';
import type { StructuralSchema } from '../schema/structural.schema.js';
import type { DeleteOptions, WriteContext } from './api.request.js';
import { toServedVersion, toStoredVersion } from './api-version.conversion.js';
import { copyJson, sameJson } from './json.comparison.js';
import { KubernetesStatusError, type ResourceName } from './kubernetes-status.error.js';
import { generatedName } from './name.generator.js';
import { metadataCauses } from './object-name.validation.js';
import type { ObjectStore } from './object.store.js';
import { ownsStatus, prepareForCreate, prepareForUpdate, withOwnLabels } from './resource.strategy.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';
import { kubernetesTime } from '../timestamp.js';

const DEFAULT_POD_GRACE_SECONDS = 30;
export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

/** Kinds without a schema of their own are kept as they come. */
const FREE_SCHEMA: StructuralSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** Which object a write is about. */
export interface ObjectTarget {
  resource: ServedResource;
  namespace: string | undefined;
  name: string;
  /** The empty string for the object itself. */
  subresource: string;
}

export interface Change {
  /** In the target's version. */
  object: JsonObject;
  /** The managers are already in it (server-side apply). */
  tracked?: boolean;
  /** Which managed entry the change is noted under, where it differs from the target's subresource. */
  trackedAs?: { subresource: string; time: string | undefined };
}

export interface DeletionResult {
  /** As it is now, or as it was last. In the storage version. */
  object: KubernetesObject;
  outcome: 'deleted' | 'terminating';
}

/** The ways of every write: metadata, defaults, validation, admission, managed fields, storage. Knows no HTTP. */
export class ObjectRegistry {
  readonly #plugins: AdmissionPlugin[] = [];

  constructor(
    private readonly store: ObjectStore,
    private readonly schemas: SchemaCatalog,
    private readonly clock: Clock,
  ) {}

  addAdmission(plugin: AdmissionPlugin): void {
    this.#plugins.push(plugin);
  }

  /**
   * @param body in the version of `resource`
   * @returns the object in its storage version
   */
  create(
    resource: ServedResource,
    namespace: string | undefined,
    body: JsonObject,
    context: WriteContext,
    tracked = false,
  ): KubernetesObject {
    const schema = this.#schemaOf(resource);
    const pruned = this.#prune(resource, schema, body, context);
    const drafted = this.#draft(resource, namespace, pruned);
    const name = jsonText(drafted.metadata.name);
    this.#checkNamespace(resource, namespace, name);
    const defaulted = applyDefaults(this.#kindOf(resource), schema, withOwnLabels(resource, drafted));
    // What the server adds from here on belongs to no manager.
    const managed = tracked ? defaulted : this.#track(resource, schema, undefined, defaulted, context, '', undefined);
    const prepared = prepareForCreate(resource, managed, this.store);
    this.#refuseInvalid(resource, name, schema, prepared, undefined, '');
    const admitted = this.#admit('CREATE', resource, '', prepared as KubernetesObject, undefined, context);
    if (this.store.get(resource.storage, namespace, name) !== undefined)
      throw KubernetesStatusError.alreadyExists(nameOf(resource), name);
    const object = this.#completed(admitted, resource);
    const stored = toStoredVersion(tidied(object), resource) as KubernetesObject;
    return context.dryRun ? stored : this.store.put(resource.storage, stored);
  }

  /**
   * Read, change, write. A change that leaves everything as it is makes no new resourceVersion.
   * @param change given a deep copy in the target's version; undefined leaves the object alone
   * @returns the object in its storage version
   */
  update(
    target: ObjectTarget,
    context: WriteContext,
    change: (live: KubernetesObject) => Change | undefined,
  ): KubernetesObject {
    const { resource, namespace, name, subresource } = target;
    const current = this.store.get(resource.storage, namespace, name);
    if (current === undefined) throw KubernetesStatusError.notFound(nameOf(resource), name);
    const live = toServedVersion(current, resource);
    const changed = change(copyJson(live));
    if (changed === undefined) return current;
    const schema = this.#schemaOf(resource);
    const pruned = this.#prune(resource, schema, changed.object, context);
    const restored = this.#restored(resource, pruned, live, subresource);
    const defaulted = applyDefaults(this.#kindOf(resource), schema, restored);
    const prepared =
      subresource === '' ? prepareForUpdate(resource, withOwnLabels(resource, defaulted), live, this.store) : defaulted;
    this.#refuseInvalid(resource, name, schema, prepared, live, subresource);
    const admitted = this.#admit('UPDATE', resource, subresource, prepared as KubernetesObject, live, context);
    const counted = tidied(subresource === 'status' ? admitted : withGeneration(resource, admitted, live));
    const managed =
      changed.tracked === true
        ? counted
        : this.#track(resource, schema, live, counted, context, subresource, changed.trackedAs);
    const next = toStoredVersion(managed, resource) as KubernetesObject;
    if (sameJson(withoutManagers(next), withoutManagers(current)) && sameManagers(next, current)) return current;
    if (context.dryRun) return next;
    if (isFinished(next)) return this.store.remove(resource.storage, namespace, name) ?? next;
    return this.store.put(resource.storage, next);
  }

  /** Marks, or removes, as finalizers, grace period and propagation policy demand. */
  delete(
    resource: ServedResource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
    context: WriteContext,
  ): DeletionResult {
    const current = this.store.get(resource.storage, namespace, name);
    if (current === undefined) throw KubernetesStatusError.notFound(nameOf(resource), name);
    if (resource.storage === 'namespaces' && IMMORTAL_NAMESPACES.has(name))
      throw KubernetesStatusError.forbidden(nameOf(resource), name, 'this namespace may not be deleted');
    this.#checkPreconditions(resource, current, options);
    this.#admit('DELETE', resource, '', current, current, context);
    const finalizers = finalizersFor(options.propagationPolicy, current.metadata.finalizers ?? []);
    const marked = this.#marked(resource, current, finalizers, this.#graceOf(resource, current, options));
    if (marked === undefined) {
      const removed = context.dryRun ? current : this.store.remove(resource.storage, namespace, name);
      return { object: removed ?? current, outcome: 'deleted' };
    }
    if (context.dryRun || sameJson(marked, current)) return { object: marked, outcome: 'terminating' };
    return { object: this.store.put(resource.storage, marked), outcome: 'terminating' };
  }

  /** @returns the object on its way out; undefined when nothing keeps it */
  #marked(
    resource: ServedResource,
    current: KubernetesObject,
    finalizers: readonly string[],
    grace: number,
  ): KubernetesObject | undefined {
    const keepsContent = resource.storage === 'namespaces' && !isEmptyNamespace(current);
    if (finalizers.length === 0 && grace === 0 && !keepsContent) return undefined;
    const { metadata } = current;
    const shortened = grace < Number(metadata.deletionGracePeriodSeconds ?? Number.POSITIVE_INFINITY);
    const deletionTimestamp =
      metadata.deletionTimestamp === undefined || (grace > 0 && shortened)
        ? kubernetesTime(new Date(this.clock.now().getTime() + grace * 1000))
        : metadata.deletionTimestamp;
    const first = metadata.deletionTimestamp === undefined;
    return {
      ...current,
      metadata: {
        ...metadata,
        ...(first && metadata.generation !== undefined ? { generation: metadata.generation + 1 } : {}),
        deletionTimestamp,
        ...(resource.storage === 'namespaces' ? {} : { deletionGracePeriodSeconds: grace }),
        ...(finalizers.length === 0 ? {} : { finalizers: [...finalizers] }),
      },
      ...(keepsContent ? { status: { ...(current.status as JsonObject), phase: 'Terminating' } } : {}),
    };
  }

  /** Seconds. Only a pod that runs somewhere is given time to end. */
  #graceOf(resource: ServedResource, object: KubernetesObject, options: DeleteOptions): number {
    if (resource.storage !== 'pods') return 0;
    const spec = (object.spec ?? {}) as JsonObject;
    const phase = ((object.status ?? {}) as JsonObject).phase;
    if (spec.nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') return 0;
    const own = spec.terminationGracePeriodSeconds;
    const asked = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : DEFAULT_POD_GRACE_SECONDS);
    const running = object.metadata.deletionGracePeriodSeconds;
    return typeof running === 'number' ? Math.min(running, asked) : asked;
  }

  #checkPreconditions(resource: ServedResource, current: KubernetesObject, options: DeleteOptions): void {
    const { uid, resourceVersion } = options.preconditions ?? {};
    const faults = [
      ...(uid !== undefined && uid !== current.metadata.uid
        ? [`UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`]
        : []),
      ...(resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion
        ? [
            `ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${current.metadata.resourceVersion}`,
          ]
        : []),
    ];
    if (faults.length > 0)
      throw KubernetesStatusError.conflict(
        nameOf(resource),
        current.metadata.name,
        `Precondition failed: ${faults[0]!}`,
      );
  }

  #schemaOf(resource: ServedResource): StructuralSchema {
    return this.schemas.find(resource.group, resource.version, resource.kind) ?? FREE_SCHEMA;
  }

  #kindOf({ group, version, kind }: ServedResource): { group: string; version: string; kind: string } {
    return { group, version, kind };
  }

  #prune(resource: ServedResource, schema: StructuralSchema, body: JsonObject, context: WriteContext): JsonObject {
    const { object, unknownFields } = prune(schema, body);
    if (unknownFields.length === 0 || context.fieldValidation === 'Ignore') return object;
    const texts = unknownFields.map((field) => `unknown field "${field}"`);
    if (context.fieldValidation === 'Warn') context.warnings.push(...texts);
    else
      throw KubernetesStatusError.badRequest(
        `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${texts.join(', ')}`,
      );
    return object;
  }

  /** A new object with its server-side metadata, before defaults. */
  #draft(
    resource: ServedResource,
    namespace: string | undefined,
    body: JsonObject,
  ): JsonObject & { metadata: JsonObject } {
    const {
      uid: _uid,
      resourceVersion,
      generation: _generation,
      creationTimestamp: _created,
      deletionTimestamp: _deleted,
      deletionGracePeriodSeconds: _grace,
      selfLink: _link,
      ...metadata
    } = isJsonObject(body.metadata) ? body.metadata : {};
    if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== '0')
      throw KubernetesStatusError.badRequest('resourceVersion should not be set on objects to be created');
    if (namespace !== undefined) {
      const written = metadata.namespace;
      if (typeof written === 'string' && written !== '' && written !== namespace)
        throw KubernetesStatusError.badRequest(
          `the namespace of the provided object does not match the namespace sent on the request`,
        );
      metadata.namespace = namespace;
    } else delete metadata.namespace;
    const prefix = metadata.generateName;
    if ((metadata.name ?? '') === '' && typeof prefix === 'string' && prefix !== '')
      metadata.name = generatedName(prefix, (name) => this.store.get(resource.storage, namespace, name) !== undefined);
    const { status: _status, ...withoutStatus } = body;
    return { ...(ownsStatus(resource) ? withoutStatus : body), metadata };
  }

  #checkNamespace(resource: ServedResource, namespace: string | undefined, name: string): void {
    if (namespace === undefined) return;
    const found = this.store.get('namespaces', undefined, namespace);
    if (found === undefined) throw KubernetesStatusError.notFound({ group: '', resource: 'namespaces' }, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const error = KubernetesStatusError.forbidden(
      nameOf(resource),
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
    throw new KubernetesStatusError(error.code, error.reason, error.message, {
      ...error.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    });
  }

  /** The object as written, with everything that a writer may not touch as it was. */
  #restored(
    resource: ServedResource,
    written: JsonObject,
    live: KubernetesObject,
    subresource: string,
  ): JsonObject & { metadata: JsonObject } {
    const metadata = isJsonObject(written.metadata) ? written.metadata : {};
    const { uid, resourceVersion } = metadata;
    if (typeof uid === 'string' && uid !== '' && uid !== live.metadata.uid)
      throw KubernetesStatusError.conflict(
        nameOf(resource),
        live.metadata.name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
      );
    if (
      typeof resourceVersion === 'string' &&
      resourceVersion !== '' &&
      resourceVersion !== '0' &&
      resourceVersion !== live.metadata.resourceVersion
    )
      throw KubernetesStatusError.modified(nameOf(resource), live.metadata.name);
    if (subresource === 'status') {
      const { managedFields, annotations } = metadata;
      // Built-in kinds take annotations along with a status: deployments are marked with their revision so.
      const own = resource.custom === undefined ? annotations : undefined;
      return {
        ...live,
        metadata: {
          ...live.metadata,
          ...(managedFields === undefined ? {} : { managedFields }),
          ...(own === undefined ? {} : { annotations: own }),
        },
        ...(written.status === undefined ? {} : { status: written.status }),
      };
    }
    const fixed = Object.fromEntries(
      FIXED_METADATA.map((key) => [key, live.metadata[key]] as const).filter(([, value]) => value !== undefined),
    ) as JsonObject;
    const kept = Object.fromEntries(Object.entries(metadata).filter(([key]) => !FIXED_METADATA.includes(key)));
    const { status, ...rest } = written;
    const nextStatus = ownsStatus(resource) && subresource === '' ? live.status : status;
    return {
      ...rest,
      apiVersion: live.apiVersion,
      kind: live.kind,
      metadata: { ...kept, ...fixed },
      ...(nextStatus === undefined ? {} : { status: nextStatus }),
    };
  }

  #refuseInvalid(
    resource: ServedResource,
    name: string,
    schema: StructuralSchema,
    object: JsonObject,
    live: KubernetesObject | undefined,
    subresource: string,
  ): void {
    const metadata = object.metadata as JsonObject;
    const causes = [
      ...metadataCauses(resource.nameRule, metadata),
      ...newFinalizerCauses(metadata, live),
      ...validateObject(this.#kindOf(resource), schema, object, live, subresource),
    ];
    if (causes.length > 0)
      throw KubernetesStatusError.invalid({ group: resource.group, resource: resource.kind }, name, causes);
  }

  #admit(
    operation: AdmissionRequest['operation'],
    resource: ServedResource,
    subresource: string,
    object: KubernetesObject,
    previous: KubernetesObject | undefined,
    context: WriteContext,
  ): KubernetesObject {
    let admitted = object;
    for (const plugin of this.#plugins)
      admitted = plugin.admit({
        operation,
        resource: resource.storage,
        subresource: subresource === '' ? undefined : subresource,
        object: admitted,
        previous,
        user: context.user,
      });
    return admitted;
  }

  #completed(object: KubernetesObject, resource: ServedResource): KubernetesObject {
    const generation =
      resource.generation === 'none' || resource.generation === 'absent-at-first' ? {} : { generation: 1 };
    return {
      ...object,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        ...object.metadata,
        uid: randomUUID(),
        ...generation,
        creationTimestamp: kubernetesTime(this.clock.now()),
      },
    };
  }

  /** A new object that is answered and not stored, with its managers. */
  managedBy(resource: ServedResource, object: JsonObject, context: WriteContext): JsonObject {
    return this.#track(resource, this.#schemaOf(resource), undefined, object, context, '', undefined);
  }

  #track(
    resource: ServedResource,
    schema: StructuralSchema,
    before: KubernetesObject | undefined,
    after: JsonObject,
    context: WriteContext,
    subresource: string,
    trackedAs: Change['trackedAs'],
  ): KubernetesObject {
    return trackUpdate({
      schema,
      before,
      after,
      manager: context.manager,
      operation: 'Update',
      time: trackedAs === undefined ? kubernetesTime(this.clock.now()) : trackedAs.time,
      apiVersion: apiVersionOf(resource),
      subresource: trackedAs?.subresource ?? subresource,
    }) as KubernetesObject;
  }
}

const IMMORTAL_NAMESPACES: ReadonlySet<string> = new Set(['default', 'kube-public', 'kube-system']);

/** Metadata that only the server sets once the object is there. */
const FIXED_METADATA: readonly string[] = [
  'name',
  'namespace',
  'generateName',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
];

export function nameOf({ group, plural }: ServedResource): ResourceName {
  return { group, resource: plural };
}

function newFinalizerCauses(
  metadata: JsonObject,
  live: KubernetesObject | undefined,
): { reason: string; message: string; field: string }[] {
  if (live?.metadata.deletionTimestamp === undefined) return [];
  const known = live.metadata.finalizers ?? [];
  const finalizers = Array.isArray(metadata.finalizers) ? metadata.finalizers.map(String) : [];
  const added = finalizers.filter((finalizer) => !known.includes(finalizer));
  if (added.length === 0) return [];
  const list = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
  return [{ reason: 'FieldValueForbidden', message, field: 'metadata.finalizers' }];
}

function finalizersFor(policy: DeleteOptions['propagationPolicy'], finalizers: readonly string[]): string[] {
  const others = finalizers.filter((finalizer) => finalizer !== FOREGROUND_FINALIZER && finalizer !== ORPHAN_FINALIZER);
  switch (policy) {
    case 'Foreground':
      return [...others, FOREGROUND_FINALIZER];
    case 'Orphan':
      return [...others, ORPHAN_FINALIZER];
    case 'Background':
      return others;
    case undefined:
      return [...finalizers];
  }
}

function isEmptyNamespace(namespace: KubernetesObject): boolean {
  const finalizers = ((namespace.spec ?? {}) as JsonObject).finalizers;
  return !Array.isArray(finalizers) || finalizers.length === 0;
}

/** Being deleted, and nothing keeps it any more. */
function isFinished(object: KubernetesObject): boolean {
  const { deletionTimestamp, finalizers = [], deletionGracePeriodSeconds: grace } = object.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  if (object.kind === 'Namespace') return isEmptyNamespace(object);
  return grace === undefined || grace === 0;
}

function withGeneration(resource: ServedResource, object: KubernetesObject, live: KubernetesObject): KubernetesObject {
  if (resource.generation === 'none') return object;
  const { metadata, status, ...content } = object;
  const { metadata: liveMetadata, status: liveStatus, ...liveContent } = live;
  const same =
    sameJson(content, liveContent) &&
    (ownsStatus(resource) || sameJson(status, liveStatus)) &&
    (resource.generation !== 'spec-and-annotations' ||
      sameJson(metadata.annotations ?? {}, liveMetadata.annotations ?? {}));
  return same ? object : { ...object, metadata: { ...metadata, generation: (liveMetadata.generation ?? 0) + 1 } };
}

/** Without the empty maps and lists that the server leaves out of metadata. */
function tidied(object: KubernetesObject): KubernetesObject {
  const metadata = Object.fromEntries(
    Object.entries(object.metadata).filter(([key, value]) => {
      if (value === null) return false;
      return !TIDIED.includes(key) || typeof value !== 'object' || Object.keys(value).length > 0;
    }),
  ) as KubernetesObject['metadata'];
  return { ...object, metadata };
}

const TIDIED: readonly string[] = ['labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields'];

function withoutManagers(object: KubernetesObject): JsonObject {
  const { managedFields: _managers, resourceVersion: _version, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Whether the same managers own the same fields; when they last wrote is no change by itself. */
function sameManagers(one: KubernetesObject, other: KubernetesObject): boolean {
  const entries = (object: KubernetesObject): JsonObject[] => {
    const list = object.metadata.managedFields;
    return (Array.isArray(list) ? list.filter(isJsonObject) : []).map(({ time: _time, ...entry }) => entry);
  };
  return sameJson(entries(one), entries(other));
}
