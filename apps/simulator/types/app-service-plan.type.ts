import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { mergePatch, numberAt, objectAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import {
  AT_ONCE,
  BY_LOCATION,
  DELETED_AT_ONCE,
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  SITE_TYPE,
  WEB_API_VERSIONS,
  customLocationOf,
  extendedLocationBody,
  idAt,
  isSucceeded,
  refuseOtherExtendedLocation,
  shownLocation,
  validateWebName,
  webConflict,
  webError,
} from './app-service.family.js';

const NAME_LENGTH = 40;
/** The one size that there is on Kubernetes. */
const KUBERNETES_SKU = 'K1';

/** A plan: where web apps run. On Kubernetes it only points at the environment. */
export const appServicePlanType: ResourceTypeDescriptor = {
  type: PLAN_TYPE,
  apiVersions: WEB_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation', 'kind', 'sku', 'identity'],
  readOnly: [
    'properties.status',
    'properties.numberOfSites',
    'properties.numberOfWorkers',
    'properties.maximumNumberOfWorkers',
    'properties.geoRegion',
    'properties.resourceGroup',
    'properties.subscription',
  ],
  hidesSystemData: true,
  protocols: { put: BY_LOCATION, patch: AT_ONCE, delete: DELETED_AT_ONCE },
  recordsLastOperation: false,
  actions: new Map(),

  validateName: (name) => validateWebName('The plan name', NAME_LENGTH, name),
  planPut,
  planPatch({ id, requested, existing }) {
    const properties = mergePatch(objectAt(existing.body, 'properties'), objectAt(requested, 'properties'));
    return { writes: [{ id, body: { ...existing.body, properties }, state: 'Succeeded' }] };
  },
  planDelete(plan, id, world) {
    const sites = world.referring(SITE_TYPE, plan.key).map(({ name }) => name);
    if (sites.length > 0) {
      throw webError(
        409,
        'Conflict',
        `Server farm '${plan.name}' cannot be deleted because it has web app(s) ${sites.join(', ')} assigned to it.`,
      );
    }
    return { writes: [{ id, body: plan.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
  },
  conflict: webConflict,
  references: (body) => {
    const environment = textAt(objectAt(objectAt(body, 'properties'), 'kubeEnvironmentProfile'), 'id');
    return [environment?.toLowerCase(), customLocationOf(body)].filter((key) => key !== undefined);
  },
  present,
};

function present(plan: StoredResource, world: ResourceWorld): JsonObject {
  const properties = objectAt(plan.body, 'properties');
  const capacity = numberAt(objectAt(plan.body, 'sku'), 'capacity') ?? 1;
  return {
    ...plan.body,
    location: shownLocation(textAt(plan.body, 'location')),
    properties: {
      ...properties,
      geoRegion: shownLocation(textAt(plan.body, 'location')),
      numberOfSites: world.referring(SITE_TYPE, plan.key).length,
      numberOfWorkers: capacity,
      resourceGroup: plan.resourceGroup ?? '',
      status: properties.provisioningState === 'Succeeded' ? 'Ready' : 'Pending',
      subscription: plan.subscriptionId,
    },
  };
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  refuseOtherExtendedLocation(id, requested, existing);
  const properties = objectAt(requested, 'properties');
  const location = canonicalLocation(textAt(requested, 'location') ?? '');
  if (customLocationOf(requested) !== undefined || isOnKubernetes(requested)) {
    checkKubernetesPlan(requested, properties, world);
  }
  const body: JsonObject = {
    ...omit(requested, ['properties', 'extendedLocation']),
    location,
    ...extendedLocationBody(requested),
    properties: { ...properties },
  };
  return { writes: [{ id, body, state: 'InProgress' }] };
}

/** @throws ArmError BadRequest */
function checkKubernetesPlan(requested: JsonObject, properties: JsonObject, world: ResourceWorld): void {
  const sku = textAt(objectAt(requested, 'sku'), 'name');
  if (sku !== KUBERNETES_SKU) {
    throw webError(400, 'BadRequest', `Cannot find SkuName with name ${sku ?? ''}.`, 'sku.name');
  }
  const environmentId = idAt(objectAt(properties, 'kubeEnvironmentProfile'), 'id');
  const environment = environmentId === undefined ? undefined : world.get(environmentId);
  const isThere = environment?.type === KUBE_ENVIRONMENT_TYPE.toLowerCase() && isSucceeded(environment);
  if (!isThere || customLocationOf(environment.body) !== customLocationOf(requested)) {
    throw webError(
      400,
      'BadRequest',
      'Unable to find Kube Environment associated to the Custom Location.',
      'kubeEnvironmentProfile',
    );
  }
}

export function isOnKubernetes(body: JsonObject): boolean {
  return textAt(body, 'kind')?.toLowerCase().split(',').includes('kubernetes') === true;
}
