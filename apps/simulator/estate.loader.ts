import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from './arm-error.js';
import type { AzureState } from './azure.state.js';
import { deterministicUuid } from './deterministic-id.js';
import { EstateError } from './estate.schema.js';
import type { Estate, EstateResource } from './estate.schema.js';
import { checkedResource, writable } from './handlers/resource.handler.js';
import { mergePatch, omit } from './json-merge.js';
import { withValueAt } from './json-path.js';
import { parentKeyOf } from './resource.engine.js';
import type { ResourceEngine } from './resource.engine.js';
import { withoutNulls } from './resource.renderer.js';
import type { ResourceTypeDescriptor, WritePlan } from './resource-type.descriptor.js';
import { CUSTOM_LOCATION_TYPE } from './types/arc.family.js';
import { LOCATIONS } from './resource-type.registry.js';

/** Who made what is there from the start. */
const ACTOR = deterministicUuid('estate');

/**
 * Puts an estate in place of everything: each resource goes through the same planning as a PUT, so what a caller could
 * not create cannot stand in an estate either, and what Azure makes beside a resource is made here too.
 * @throws EstateError naming every fault; the state is then undefined.
 */
export function loadEstate(estate: Estate, state: AzureState, engine: ResourceEngine): void {
  const faults: string[] = [];
  const at = estate.createdAt === undefined ? state.now : Date.parse(estate.createdAt);
  state.clear();
  state.tenantId = estate.tenantId;
  state.workloads = estate.workloads;
  state.load(() => {
    const resources: { id: string; resource: EstateResource }[] = [];
    for (const subscription of estate.subscriptions) {
      const { subscriptionId } = subscription;
      if (state.subscription(subscriptionId) !== undefined) faults.push(`subscription ${subscriptionId}: occurs twice`);
      faults.push(...putSubscription(subscription, state, engine, at));
      for (const group of subscription.resourceGroups) {
        faults.push(...putGroup(subscriptionId, group, state, engine, at));
        for (const resource of group.resources)
          resources.push({ id: idText(subscriptionId, group.name, resource), resource });
      }
    }
    // Parents before children, clusters before the members that point at them, places before what is placed on them.
    resources.sort(
      (left, right) =>
        placementOf(left.resource) - placementOf(right.resource) || depthOf(left.resource) - depthOf(right.resource),
    );
    for (const { id, resource } of resources) faults.push(...putResource(id, resource, state, engine, at));
  });
  if (faults.length > 0) throw new EstateError(faults);
  for (const { subscriptionId, coreQuotas } of estate.subscriptions) {
    for (const { location, cores } of coreQuotas) state.setCoreQuota(subscriptionId, location, cores);
  }
}

function putSubscription(
  subscription: Estate['subscriptions'][number],
  state: AzureState,
  engine: ResourceEngine,
  at: number,
): string[] {
  const { subscriptionId, displayName, tags, registeredProviders, registeredFeatures } = subscription;
  const body: JsonObject = {
    displayName,
    state: 'Enabled',
    subscriptionPolicies: {
      locationPlacementId: 'Public_2014-09-01',
      quotaId: 'PayAsYouGo_2014-09-01',
      spendingLimit: 'Off',
    },
    ...(tags === undefined ? {} : { tags }),
  };
  engine.writeScope(ArmId.subscription(subscriptionId), body, ACTOR, at);
  for (const namespace of registeredProviders) state.providers.set(subscriptionId, namespace, { state: 'Registered' });
  for (const feature of registeredFeatures) state.features.set(subscriptionId, feature, { state: 'Registered' });
  return registeredProviders
    .filter((namespace) => state.registry.namespace(namespace) === undefined)
    .map((namespace) => `provider ${namespace}: there is no such provider`);
}

function putGroup(
  subscriptionId: string,
  group: { name: string; location: string; tags?: Record<string, string> | undefined },
  state: AzureState,
  engine: ResourceEngine,
  at: number,
): string[] {
  const what = `resource group ${group.name}`;
  const id = ArmId.tryParse(`/subscriptions/${subscriptionId}/resourceGroups/${group.name}`);
  if (id === undefined) return [`${what}: the name is not allowed`];
  if (state.resources.get(id.canonical) !== undefined) return [`${what}: occurs twice`];
  const location = canonicalLocation(group.location);
  const tags = group.tags === undefined ? {} : { tags: group.tags };
  engine.writeScope(id, { location, ...tags, properties: { provisioningState: 'Succeeded' } }, ACTOR, at);
  return LOCATIONS.has(location) ? [] : [`${what}: there is no location '${group.location}'`];
}

function putResource(
  idOfResource: string,
  resource: EstateResource,
  state: AzureState,
  engine: ResourceEngine,
  at: number,
): string[] {
  const what = `${resource.type} ${resource.name}`;
  const id = ArmId.tryParse(idOfResource);
  if (id === undefined) return [`${what}: the name does not fit the type`];
  const descriptor = state.registry.find(resource.type);
  if (descriptor === undefined) return [`${what}: the type is not simulated`];
  if (state.resources.get(id.canonical) !== undefined) return [`${what}: occurs twice`];
  const parentKey = parentKeyOf(id);
  if (parentKey !== undefined && state.resources.get(parentKey) === undefined)
    return [`${what}: the parent is missing`];
  const location = resource.location === undefined ? undefined : canonicalLocation(resource.location);
  if (descriptor.tracked && !LOCATIONS.has(location ?? ''))
    return [`${what}: there is no location '${resource.location ?? ''}'`];
  try {
    applyPlan(started(planOf(id, resource, descriptor, state), resource), state, engine, at);
  } catch (error) {
    if (error instanceof ArmError) return [`${what}: ${error.code}: ${error.message}`];
    throw error;
  }
  return [];
}

function planOf(id: ArmId, resource: EstateResource, descriptor: ResourceTypeDescriptor, state: AzureState): WritePlan {
  descriptor.validateName(id.name);
  const body = checkedResource(
    withoutNulls(omit(resource as JsonObject, ['name', 'type', 'scope', 'readOnly', 'simulation'])),
    descriptor,
  );
  const apiVersion = descriptor.apiVersions.at(-1)!;
  return descriptor.planPut({
    id,
    requested: writable(body, descriptor),
    existing: undefined,
    apiVersion,
    world: state.world,
  });
}

/** With what the estate says about the resource beyond what a caller could. */
function started(plan: WritePlan, { readOnly, simulation }: EstateResource): WritePlan {
  const [first, ...rest] = plan.writes;
  const patch: JsonObject = {
    ...(readOnly === undefined ? {} : { properties: readOnly }),
    ...(simulation === undefined ? {} : { simulation }),
  };
  return { ...plan, writes: [{ ...first, body: mergePatch(first.body, patch) }, ...rest] };
}

/** The plan as if its operation had succeeded long ago. */
function applyPlan(plan: WritePlan, state: AzureState, engine: ResourceEngine, at: number): void {
  const target = plan.writes[0].id;
  for (const group of plan.groups ?? []) engine.makeGroup(target, group, ACTOR, at);
  for (const { id, body } of plan.writes) {
    const merged = (plan.merges ?? [])
      .filter((merge) => merge.id.equals(id))
      .reduce((whole, { patch }) => mergePatch(whole, patch), body);
    const immediate = state.registry.get(id.type).protocols.put.immediate === true;
    const settled = immediate ? merged : withValueAt(merged, 'properties.provisioningState', 'Succeeded');
    const records = state.registry.get(id.type).recordsLastOperation;
    const operationId = deterministicUuid(`operation|${id.canonical}`);
    engine.write(
      id,
      records ? withValueAt(settled, 'properties.status', { lastOperationId: operationId }) : settled,
      ACTOR,
      at,
    );
  }
}

/** A custom location rests on extensions of its host, and what is placed on it rests on it. */
function placementOf(resource: EstateResource): number {
  if (resource.extendedLocation !== undefined) return 2;
  return resource.type.toLowerCase() === CUSTOM_LOCATION_TYPE.toLowerCase() ? 1 : 0;
}

function depthOf(resource: EstateResource): number {
  return resource.type.split('/').length + (resource.scope?.split('/').length ?? 0);
}

function idText(subscriptionId: string, group: string, resource: EstateResource): string {
  const [namespace, ...types] = resource.type.split('/');
  const names = resource.name.split('/');
  const path = types.map((type, index) => `${type}/${names[index] ?? ''}`).join('/');
  const surplus = names.length > types.length ? `/${names.slice(types.length).join('/')}` : '';
  const extended = resource.scope === undefined ? '' : `/providers/${resource.scope}`;
  return `/subscriptions/${subscriptionId}/resourceGroups/${group}${extended}/providers/${namespace}/${path}${surplus}`;
}
