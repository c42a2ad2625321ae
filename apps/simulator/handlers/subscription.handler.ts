import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import { objectAt, omit, pick, textAt } from '../json-merge.js';
import { ArmError } from '../arm-error.js';
import { listPage } from '../list.page.js';
import type { StoredResource } from '../resource.store.js';
import { renderResource } from '../resource.renderer.js';
import { LOCATIONS, SUBSCRIPTION_TYPE } from '../resource-type.registry.js';

/** Tenants, subscriptions, their locations, and the lists of all tracked resources. */
export class SubscriptionHandler {
  constructor(private readonly state: AzureState) {}

  tenants(): ArmAnswer {
    const { tenantId } = this.state;
    return {
      status: 200,
      body: {
        value: [
          { id: `/tenants/${tenantId}`, tenantId, countryCode: 'US', displayName: 'Simulated', tenantCategory: 'Home' },
        ],
      },
    };
  }

  subscriptions(request: ArmRequest): ArmAnswer {
    const keys = this.state.resources.ofType(SUBSCRIPTION_TYPE);
    const page = listPage(
      request,
      this.state.settings.pageSize,
      (after, limit) => keys.after(after, limit),
      (key) => this.#render(this.state.resources.get(key)!),
    );
    return { status: 200, body: { ...page, count: { type: 'Total', value: keys.size } } };
  }

  subscription(subscription: StoredResource): ArmAnswer {
    return { status: 200, body: this.#render(subscription) };
  }

  locations(subscription: StoredResource): ArmAnswer {
    const value = [...LOCATIONS].map(([name, displayName]) => ({
      id: `${subscription.id}/locations/${name}`,
      name,
      type: 'Region',
      displayName,
      regionalDisplayName: displayName,
      metadata: { regionType: 'Physical', regionCategory: 'Recommended' },
    }));
    return { status: 200, body: { value } };
  }

  /** `GET …/resources`: what ARM itself knows of every tracked resource. Properties are the providers' business. */
  resources(request: ArmRequest, subscriptionId: string, group: string | undefined): ArmAnswer {
    const wanted = filterOf(request);
    const { resources, settings } = this.state;
    const keys = resources.tracked(subscriptionId, group);
    const body = listPage(
      request,
      settings.pageSize,
      (after, limit) => {
        if (wanted === undefined) return keys.after(after, limit);
        const matching = resources.records(keys.after(after, keys.size)).filter(wanted);
        return matching.slice(0, limit).map((resource) => resource.key);
      },
      (key) => this.#summary(resources.get(key)!),
    );
    return { status: 200, body };
  }

  #summary(resource: StoredResource): JsonObject {
    const rendered = renderResource(resource, this.state.registry.get(resource.type), this.state.world);
    const { provisioningState } = objectAt(rendered, 'properties');
    return {
      ...omit(rendered, ['properties', 'systemData', 'eTag']),
      ...(provisioningState === undefined ? {} : { provisioningState }),
    };
  }

  #render(subscription: StoredResource): JsonObject {
    return {
      id: subscription.id,
      authorizationSource: 'RoleBased',
      managedByTenants: [],
      subscriptionId: subscription.subscriptionId,
      tenantId: this.state.tenantId,
      ...pick(subscription.body, ['displayName', 'state', 'subscriptionPolicies', 'tags']),
    };
  }
}

/** `resourceType eq 'x'`, `resourceGroup eq 'x'`, `location eq 'x'`, `tagName eq 'x' and tagValue eq 'y'`, joined by `and`. */
function filterOf(request: ArmRequest): ((resource: StoredResource) => boolean) | undefined {
  const text = request.query.get('$filter');
  if (text === undefined || text.trim() === '') return undefined;
  const wanted = new Map<string, string>();
  for (const clause of text.split(/\s+and\s+/i)) {
    const match = /^\s*(resourceType|resourceGroup|location|name|tagName|tagValue)\s+eq\s+'([^']*)'\s*$/i.exec(clause);
    if (match === null) {
      throw new ArmError(400, 'InvalidFilterInQueryString', `Invalid $filter '${text}' specified in the query string.`);
    }
    wanted.set(match[1]!.toLowerCase(), match[2]!);
  }
  return (resource) => [...wanted].every(([name, value]) => matches(resource, name, value, wanted));
}

function matches(resource: StoredResource, name: string, value: string, wanted: ReadonlyMap<string, string>): boolean {
  const same = (text: string | undefined): boolean => text?.toLowerCase() === value.toLowerCase();
  const tags = objectAt(resource.body, 'tags');
  switch (name) {
    case 'resourcetype':
      return same(resource.type);
    case 'resourcegroup':
      return same(resource.resourceGroup);
    case 'location':
      return same(textAt(resource.body, 'location'));
    case 'name':
      return same(resource.name);
    case 'tagname':
      return tags[value] !== undefined;
    default:
      return tags[wanted.get('tagname') ?? ''] === value;
  }
}
