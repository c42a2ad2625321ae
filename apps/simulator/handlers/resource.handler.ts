import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError, invalidRequestContent, resourceNotFound } from '../arm-error.js';
import { jsonBody } from '../arm-request.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import { objectAt, omit, textAt } from '../json-merge.js';
import { valueAt, withValueAt, withoutPath } from '../json-path.js';
import { listPage } from '../list.page.js';
import { parentKeyOf, rootOf } from '../resource.engine.js';
import type { ResourceEngine } from '../resource.engine.js';
import { renderResource, withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type { OperationProtocol, ResourceTypeDescriptor, WritePlan } from '../resource-type.descriptor.js';
import { LOCATIONS } from '../resource-type.registry.js';
import type { OperationHandler } from './operation.handler.js';
import { methodNotAllowed } from './provider.handler.js';
import { locationRequired, refuseManaged } from './resource-group.handler.js';

/** Members that only Azure writes; callers send them back as they read them, and they are ignored. */
const WRITTEN_BY_AZURE = ['id', 'name', 'type', 'systemData', 'eTag', 'etag'];
const ALWAYS_KNOWN = [...WRITTEN_BY_AZURE, 'location', 'tags', 'properties'];

/** A resource that a request names, with its type's descriptor and an API version that the type has. */
export interface ResourceTarget {
  id: ArmId;
  descriptor: ResourceTypeDescriptor;
  apiVersion: string;
}

/** Everything below a resource provider, for any type that has a descriptor. */
export class ResourceHandler {
  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
    private readonly operations: OperationHandler,
  ) {}

  handle(request: ArmRequest, target: ResourceTarget): ArmAnswer {
    if (target.descriptor.derive !== undefined) return this.#derived(request, target);
    switch (request.method) {
      case 'GET':
        return this.#shown(target);
      case 'HEAD':
        return { status: this.state.resources.get(target.id.canonical) === undefined ? 404 : 204 };
      case 'PUT':
        return this.#put(request, target);
      case 'PATCH':
        return this.#patch(request, target);
      case 'DELETE':
        return this.#delete(request, target);
      case 'POST':
        throw methodNotAllowed(request);
    }
  }

  #derived(request: ArmRequest, { id, descriptor }: ResourceTarget): ArmAnswer {
    if (request.method !== 'GET') throw methodNotAllowed(request);
    const body = descriptor.derive?.(id, this.state.world);
    if (body === undefined) throw resourceNotFound(descriptor.type, id.names, id.resourceGroup);
    return { status: 200, body: { id: id.toString(), name: id.name, type: descriptor.type, ...body } };
  }

  list(
    request: ArmRequest,
    scope: { subscriptionId: string; group?: string; parent?: ArmId },
    descriptor: ResourceTypeDescriptor,
    apiVersion: string,
  ): ArmAnswer {
    const { resources, settings } = this.state;
    const { subscriptionId, group, parent } = scope;
    const type = descriptor.type.toLowerCase();
    if (parent !== undefined && resources.get(parent.canonical) === undefined) {
      throw resourceNotFound(
        this.state.registry.find(parent.type)?.type ?? parent.type,
        parent.names,
        parent.resourceGroup,
      );
    }
    if (descriptor.listing !== undefined) {
      return { status: 200, body: this.#reachingList(request, scope, descriptor.listing, descriptor, apiVersion) };
    }
    const keys =
      parent !== undefined
        ? resources.ofParent(type, parent.canonical)
        : group !== undefined
          ? resources.ofGroup(type, subscriptionId, group)
          : resources.ofSubscription(type, subscriptionId);
    const lagging = parent === undefined && group === undefined && descriptor.tracked && settings.listLagSeconds > 0;
    const cached = lagging ? this.#cachedList(type, subscriptionId, keys.all()) : undefined;
    const body = listPage(
      request,
      settings.pageSize,
      (after, limit) => {
        if (cached === undefined) return keys.after(after, limit);
        const following = [...cached.keys()].filter((key) => after === undefined || key > after);
        return following.slice(0, limit);
      },
      (key) => {
        const resource = cached?.get(key) ?? resources.get(key)!;
        return renderResource(resource, descriptor, this.state.world, apiVersion);
      },
    );
    return { status: 200, body };
  }

  #reachingList(
    request: ArmRequest,
    { subscriptionId, group, parent }: { subscriptionId: string; group?: string; parent?: ArmId },
    listing: NonNullable<ResourceTypeDescriptor['listing']>,
    descriptor: ResourceTypeDescriptor,
    apiVersion: string,
  ): JsonObject {
    const { resources, settings, world } = this.state;
    const scope =
      parent ?? (group === undefined ? ArmId.subscription(subscriptionId) : ArmId.resourceGroup(subscriptionId, group));
    const shown = listing(scope.canonical, request.query.get('$filter'));
    const keys = resources.ofSubscription(descriptor.type.toLowerCase(), subscriptionId);
    return listPage(
      request,
      settings.pageSize,
      (after, limit) => {
        const following = resources.records(keys.after(after, keys.size)).filter(shown);
        return following.slice(0, limit).map((resource) => resource.key);
      },
      (key) => renderResource(resources.get(key)!, descriptor, world, apiVersion),
    );
  }

  action(request: ArmRequest, target: ResourceTarget, name: string): ArmAnswer {
    const run = target.descriptor.actions.get(name);
    if (run === undefined) {
      throw new ArmError(
        404,
        'InvalidResourceType',
        `The resource type '${target.descriptor.type}' has no action '${name}'.`,
      );
    }
    const resource = this.#existing(target);
    if (!name.startsWith('list')) {
      this.#refuseDenied(target.id, `${target.descriptor.type}/${name}/action`);
      this.#refuseBusy(target, name);
      this.#checkPreconditions(request, target.descriptor, resource);
    }
    const outcome = run({
      resource,
      id: ArmId.parse(resource.id),
      at: this.state.now,
      requested: request.body.trim() === '' ? undefined : jsonBody(request),
      query: request.query,
      world: this.state.world,
      baseUrl: request.baseUrl,
    });
    switch (outcome.kind) {
      case 'answer':
        return { status: outcome.status, ...(outcome.body === undefined ? {} : { body: outcome.body }) };
      case 'operation':
        return this.#begin(request, target, outcome.plan, name, outcome.protocol, resource);
    }
  }

  #put(request: ArmRequest, target: ResourceTarget): ArmAnswer {
    const { descriptor, id, apiVersion } = target;
    const sent = checkedResource(withoutNulls(jsonBody(request)), descriptor);
    const existing = this.state.resources.get(id.canonical);
    this.#checkScope(id, descriptor);
    if (existing === undefined) descriptor.validateName(id.name);
    if (descriptor.tracked) checkLocation(id, descriptor, sent, existing);
    this.#refuseBusy(target, 'put');
    this.#checkPreconditions(request, descriptor, existing);
    const planned = descriptor.planPut({
      id,
      requested: writable(sent, descriptor),
      existing,
      apiVersion,
      world: this.state.world,
    });
    const plan = existing === undefined ? planned : withReadOnly(planned, existing, descriptor);
    return this.#begin(
      request,
      target,
      plan,
      existing === undefined ? 'create' : 'update',
      descriptor.protocols.put,
      existing,
    );
  }

  #patch(request: ArmRequest, target: ResourceTarget): ArmAnswer {
    const { descriptor, id, apiVersion } = target;
    // In a PATCH, null takes a member away.
    const sent = checkedResource(jsonBody(request), descriptor);
    const existing = this.#existing(target);
    this.#checkScope(id, descriptor);
    this.#refuseBusy(target, 'patch');
    this.#checkPreconditions(request, descriptor, existing);
    const requested = writable(sent, descriptor);
    const plan = descriptor.planPatch({ id, requested, existing, apiVersion, world: this.state.world });
    return this.#begin(request, target, plan, 'update', descriptor.protocols.patch, existing);
  }

  #delete(request: ArmRequest, target: ResourceTarget): ArmAnswer {
    const { descriptor } = target;
    const existing = this.state.resources.get(target.id.canonical);
    this.#refuseDenied(target.id, `${descriptor.type}/delete`);
    if (existing === undefined) return { status: 204 };
    this.#refuseBusy(target, 'delete');
    this.#checkPreconditions(request, descriptor, existing);
    const junk = descriptor.deleteNow?.(request.query);
    if (junk !== undefined) {
      this.engine.remove([existing.key], this.state.now);
      return { status: 200, body: junk };
    }
    const plan = descriptor.planDelete(existing, ArmId.parse(existing.id), this.state.world, request.query);
    return this.#begin(request, target, plan, 'delete', descriptor.protocols.delete, existing);
  }

  #begin(
    request: ArmRequest,
    target: ResourceTarget,
    plan: WritePlan,
    action: string,
    protocol: OperationProtocol,
    existing: StoredResource | undefined,
  ): ArmAnswer {
    if (protocol.immediate === true) return this.#writeNow(request, target, plan, protocol, existing);
    const operation = this.engine.begin({
      plan,
      action,
      actor: request.principal,
      // A `Location` URL of PATCH ends with the resource, as does one of an action that answers with it at first.
      result: action !== 'delete' && (action === 'update' || protocol.body === 'resource') ? 'resource' : 'nothing',
      ...(protocol.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: protocol.retryAfterSeconds }),
    });
    const status = protocol.status === 'created-or-ok' ? (existing === undefined ? 201 : 200) : protocol.status;
    const resource = this.#existing(target);
    const headers = {
      ...target.descriptor.headers?.(resource),
      ...this.operations.headers(request, operation, protocol),
    };
    switch (protocol.body) {
      case 'empty':
        return { status, headers };
      case 'null':
        return { status, headers, body: null };
      case 'resource':
        return { status, headers, body: this.#render(resource, target) };
    }
  }

  /** A deletion that is done at once still shows what there was. */
  #writeNow(
    request: ArmRequest,
    target: ResourceTarget,
    plan: WritePlan,
    protocol: OperationProtocol,
    existing: StoredResource | undefined,
  ): ArmAnswer {
    const shown = existing === undefined ? undefined : this.#render(existing, target);
    this.engine.writeNow(plan, request.principal);
    const status = protocol.status === 'created-or-ok' ? (existing === undefined ? 201 : 200) : protocol.status;
    if (protocol.body === 'empty') return { status };
    const after = this.state.resources.get(target.id.canonical);
    const body = after === undefined ? shown : this.#render(after, target);
    const headers = after === undefined ? undefined : target.descriptor.headers?.(after);
    return { status, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) };
  }

  #shown(target: ResourceTarget): ArmAnswer {
    const resource = this.#existing(target);
    const headers = target.descriptor.headers?.(resource);
    return { status: 200, body: this.#render(resource, target), ...(headers === undefined ? {} : { headers }) };
  }

  #existing(target: ResourceTarget): StoredResource {
    const resource = this.state.resources.get(target.id.canonical);
    if (resource !== undefined) return resource;
    const { descriptor, id } = target;
    const missing = resourceNotFound(descriptor.type, id.names, id.resourceGroup);
    // ARM knows tracked resources itself; about children it asks the provider, who answers in its own way.
    if (descriptor.tracked) throw missing;
    throw new ArmError(404, descriptor.errorShape === 'unwrapped' ? 'NotFound' : 'ResourceNotFound', missing.message, {
      shape: descriptor.errorShape,
    });
  }

  #render(resource: StoredResource, target: ResourceTarget): JsonObject {
    return renderResource(resource, target.descriptor, this.state.world, target.apiVersion);
  }

  /** The parent must be there, and the group must take writes. */
  #checkScope(id: ArmId, descriptor: ResourceTypeDescriptor): void {
    const parentKey = parentKeyOf(id);
    if (parentKey !== undefined && this.state.resources.get(parentKey) === undefined) {
      throw new ArmError(
        404,
        'ParentResourceNotFound',
        `Failed to perform 'write' on resource(s) of type '${descriptor.type.split('/').slice(1).join('/')}', because the ` +
          `parent resource '${id.parent?.toString()}' could not be found.`,
        { gateway: true },
      );
    }
    this.#refuseDenied(id, `${descriptor.type}/write`);
    const group = this.state.group(id.subscriptionId ?? '', id.resourceGroup ?? '');
    if (textAt(objectAt(group?.body, 'properties'), 'provisioningState') === 'Deleting') {
      throw new ArmError(
        409,
        'ResourceGroupBeingDeleted',
        `The resource group '${group?.name}' is in deprovisioning state and cannot perform this operation.`,
        { gateway: true },
      );
    }
  }

  #refuseDenied(id: ArmId, action: string): void {
    const group = this.state.group(id.subscriptionId ?? '', id.resourceGroup ?? '');
    if (group !== undefined) refuseManaged(group, action);
  }

  #refuseBusy({ id, descriptor }: ResourceTarget, intent: string): void {
    for (const running of this.state.operations.running(rootOf(id))) {
      const refusal = descriptor.conflict(id, intent, running);
      if (refusal !== undefined) throw refusal;
    }
  }

  #checkPreconditions(
    request: ArmRequest,
    descriptor: ResourceTypeDescriptor,
    existing: StoredResource | undefined,
  ): void {
    const { etag } = descriptor;
    if (etag?.mismatch === undefined) return;
    const match = request.headers.get('if-match');
    const noneMatch = request.headers.get('if-none-match');
    const current = existing === undefined ? undefined : bare(etag.format(existing));
    const matches = (wanted: string): boolean =>
      current !== undefined && (wanted.trim() === '*' || bare(wanted) === current);
    if (match !== undefined && match !== '' && !matches(match)) throw etag.mismatch();
    if (noneMatch !== undefined && noneMatch !== '' && matches(noneMatch)) throw etag.mismatch();
  }

  /** ARM's cache: resources made a moment ago are not in it yet, deleted ones still are. */
  #cachedList(type: string, subscriptionId: string, keys: readonly string[]): Map<string, StoredResource> {
    const horizon = this.state.now - this.state.settings.listLagSeconds * 1000;
    const known = this.state.resources.records(keys).filter((resource) => Date.parse(resource.createdAt) <= horizon);
    const gone = this.state
      .deletedSince(horizon)
      .filter(
        (resource) => resource.type === type && resource.subscriptionId.toLowerCase() === subscriptionId.toLowerCase(),
      );
    const all = [...gone, ...known].sort((left, right) => (left.key < right.key ? -1 : 1));
    return new Map(all.map((resource) => [resource.key, resource]));
  }
}

/** @throws ArmError InvalidRequestContent for what ARM itself cannot read. */
export function checkedResource(body: JsonObject, descriptor: ResourceTypeDescriptor): JsonObject {
  const foreign = Object.keys(body).find(
    (member) => !ALWAYS_KNOWN.includes(member) && !descriptor.members.includes(member),
  );
  if (foreign !== undefined) {
    throw invalidRequestContent(
      `Could not find member '${foreign}' on object of type 'ResourceDefinition'. Path '${foreign}'`,
    );
  }
  if (body.properties !== undefined && !isJsonObject(body.properties)) {
    throw invalidRequestContent("The value of the member 'properties' is no object. Path 'properties'");
  }
  if (body.location !== undefined && typeof body.location !== 'string') {
    throw invalidRequestContent("The value of the member 'location' is no string. Path 'location'");
  }
  const { tags } = body;
  const tagsAreText =
    tags === undefined ||
    tags === null ||
    (isJsonObject(tags) && Object.values(tags).every((tag) => tag === null || typeof tag === 'string'));
  if (!tagsAreText) throw invalidRequestContent("The values of the member 'tags' are no strings. Path 'tags'");
  return body;
}

/** Without what only Azure writes. */
export function writable(body: JsonObject, descriptor: ResourceTypeDescriptor): JsonObject {
  let result = withoutPath(omit(body, WRITTEN_BY_AZURE), 'properties.provisioningState');
  for (const path of descriptor.readOnly) result = withoutPath(result, path);
  return result;
}

/** Carries what only Azure writes from the resource as it is, where the plan does not say it anew. */
function withReadOnly(plan: WritePlan, existing: StoredResource, descriptor: ResourceTypeDescriptor): WritePlan {
  const [first, ...rest] = plan.writes;
  let { body } = first;
  if (existing.body.simulation !== undefined) body = { ...body, simulation: existing.body.simulation };
  for (const path of descriptor.readOnly) {
    const value = valueAt(existing.body, path);
    const holder = valueAt(body, path.slice(0, path.lastIndexOf('.')));
    if (value !== undefined && isJsonObject(holder) && valueAt(body, path) === undefined)
      body = withValueAt(body, path, value);
  }
  return { ...plan, writes: [{ ...first, body }, ...rest] };
}

function checkLocation(
  id: ArmId,
  descriptor: ResourceTypeDescriptor,
  body: JsonObject,
  existing: StoredResource | undefined,
): void {
  const location = textAt(body, 'location');
  if (location === undefined || location.trim() === '') throw locationRequired();
  const wanted = canonicalLocation(location);
  if (!LOCATIONS.has(wanted)) {
    throw new ArmError(
      400,
      'LocationNotAvailableForResourceType',
      `The provided location '${location}' is not available for resource type '${descriptor.type}'. ` +
        `List of available regions for the resource type is '${[...LOCATIONS.keys()].join(',')}'.`,
      { gateway: true },
    );
  }
  const present = textAt(existing?.body, 'location');
  if (present !== undefined && canonicalLocation(present) !== wanted) {
    throw new ArmError(
      409,
      'InvalidResourceLocation',
      `The resource '${id.name}' already exists in location '${present}' in resource group '${id.resourceGroup}'. A ` +
        `resource with the same name cannot be created in location '${location}'. Please select a new resource name.`,
      { gateway: true },
    );
  }
}

/** Callers quote an eTag or not, and may mark it weak. */
function bare(etag: string): string {
  return etag.trim().replace(/^W\//, '').replaceAll('"', '');
}
