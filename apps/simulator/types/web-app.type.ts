import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { deterministicHex } from '../deterministic-id.js';
import { mergePatch, numberAt, objectAt, objectsAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  PlannedWrite,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import { bindingProperties, checkThumbprint } from './host-name-binding.type.js';
import {
  APP_SERVICE_EXTENSION,
  AT_ONCE,
  BY_LOCATION,
  DELETED_AT_ONCE,
  HOST_NAME_BINDING_TYPE,
  PLAN_TYPE,
  SITE_TYPE,
  WEB_API_VERSIONS,
  customLocationOf,
  extendedLocationBody,
  hostOf,
  idAt,
  isSucceeded,
  refuseOtherExtendedLocation,
  shownLocation,
  validateWebName,
  webConflict,
  webError,
  withoutState,
} from './app-service.family.js';
import { isOnKubernetes } from './app-service-plan.type.js';

const NAME_LENGTH = 60;
/** Members of the body that are resources of their own. */
const CHILDREN = ['siteConfig', 'hostNameSslStates'];
/** Kept beside the body and shown to nobody: how often the app was started anew. */
const RESTARTS = 'restarts';

/** A web app. Its configuration, its settings and its host names are resources of their own. */
export const webAppType: ResourceTypeDescriptor = {
  type: SITE_TYPE,
  apiVersions: WEB_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation', 'kind', 'identity'],
  readOnly: [
    'properties.availabilityState',
    'properties.customDomainVerificationId',
    'properties.defaultHostName',
    'properties.enabledHostNames',
    'properties.hostNames',
    'properties.repositorySiteName',
    'properties.resourceGroup',
    'properties.state',
    'properties.usageState',
  ],
  hidesSystemData: true,
  protocols: { put: BY_LOCATION, patch: AT_ONCE, delete: DELETED_AT_ONCE },
  recordsLastOperation: false,
  actions: new Map([['restart', restart]]),

  validateName: (name) => validateWebName('The site name', NAME_LENGTH, name),
  planPut,
  planPatch,
  planDelete,
  conflict: webConflict,
  // A plan tells how many sites it has.
  shownElsewhere: (body) => [textAt(objectAt(body, 'properties'), 'serverFarmId')?.toLowerCase() ?? ''],
  references: (body) => {
    const plan = textAt(objectAt(body, 'properties'), 'serverFarmId');
    return [plan?.toLowerCase(), customLocationOf(body)].filter((key) => key !== undefined);
  },
  present,
};

function present(site: StoredResource, world: ResourceWorld): JsonObject {
  const properties = withoutState(objectAt(site.body, 'properties'));
  const bindings = world.children(site.key, HOST_NAME_BINDING_TYPE);
  const hostNames = bindings.map(({ name }) => name);
  return {
    ...omit(site.body, [RESTARTS]),
    location: shownLocation(textAt(site.body, 'location')),
    properties: {
      ...properties,
      state: properties.enabled === false ? 'Stopped' : 'Running',
      usageState: 'Normal',
      availabilityState: 'Normal',
      hostNames,
      enabledHostNames: hostNames,
      repositorySiteName: site.name,
      resourceGroup: site.resourceGroup ?? '',
      hostNameSslStates: bindings.map((binding) => {
        const { sslState, thumbprint } = objectAt(binding.body, 'properties');
        return {
          name: binding.name,
          hostType: 'Standard',
          sslState: sslState ?? 'Disabled',
          ...(thumbprint === undefined ? {} : { thumbprint }),
        };
      }),
    },
  };
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  refuseOtherExtendedLocation(id, requested, existing);
  const sent = objectAt(requested, 'properties');
  const plan = planOf(requested, sent, world);
  const defaultHostName = hostNameOf(id, plan, world);
  const body: JsonObject = {
    ...omit(requested, ['properties', 'extendedLocation']),
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    ...extendedLocationBody(requested),
    ...(existing?.body[RESTARTS] === undefined ? {} : { [RESTARTS]: existing.body[RESTARTS] }),
    properties: {
      enabled: true,
      reserved: true,
      customDomainVerificationId: deterministicHex(`verification|${id.subscriptionId ?? ''}`, 64).toUpperCase(),
      ...omit(sent, CHILDREN),
      defaultHostName,
    },
  };
  const own: PlannedWrite[] =
    existing === undefined
      ? [
          planned(id.child('hostNameBindings', defaultHostName), bindingProperties(id.name, {})),
          planned(id.child('config', 'web'), { numberOfWorkers: 1, alwaysOn: false, linuxFxVersion: '' }),
          planned(id.child('config', 'appsettings'), {}),
        ]
      : [];
  return { writes: [{ id, body, state: 'InProgress' }, ...merged(own, childrenWrites(id, sent, world), world)] };
}

function planPatch({ id, requested, existing, world }: WriteRequest & { existing: StoredResource }): WritePlan {
  const location = textAt(requested, 'location') ?? textAt(existing.body, 'location') ?? '';
  if (requested.extendedLocation !== undefined || requested.location !== undefined) {
    refuseOtherExtendedLocation(id, { ...requested, location }, existing);
  }
  const sent = objectAt(requested, 'properties');
  const properties = mergePatch(objectAt(existing.body, 'properties'), omit(sent, CHILDREN));
  const tags = mergePatch(objectAt(existing.body, 'tags'), objectAt(requested, 'tags'));
  const body = { ...existing.body, properties, ...(Object.keys(tags).length === 0 ? {} : { tags }) };
  return { writes: [{ id, body, state: 'Succeeded' }, ...merged([], childrenWrites(id, sent, world), world)] };
}

/** The last site of a plan takes the plan along, unless the caller says otherwise. */
function planDelete(
  site: StoredResource,
  id: ArmId,
  world: ResourceWorld,
  query: ReadonlyMap<string, string>,
): WritePlan {
  const state = 'Deleting';
  const planId = idAt(objectAt(site.body, 'properties'), 'serverFarmId');
  const isLast = planId !== undefined && world.referring(SITE_TYPE, planId.canonical).length === 1;
  const keeps = query.get('deleteemptyserverfarm')?.toLowerCase() === 'false';
  return {
    writes: [{ id, body: site.body, state }],
    removes: [{ id, state }, ...(isLast && !keeps ? [{ id: planId, state }] : [])],
  };
}

/** @throws ArmError where the plan is not there or cannot take the app. */
function planOf(requested: JsonObject, sent: JsonObject, world: ResourceWorld): StoredResource {
  const planId = idAt(sent, 'serverFarmId');
  const plan = planId === undefined ? undefined : world.get(planId);
  if (plan?.type !== PLAN_TYPE.toLowerCase()) {
    throw webError(404, 'NotFound', `Cannot find ServerFarm with name ${planId?.name ?? ''}.`, 'serverFarmId');
  }
  if (customLocationOf(plan.body) !== customLocationOf(requested)) {
    throw webError(400, 'BadRequest', 'The extended location of the site is not that of its ServerFarm.');
  }
  if (!isOnKubernetes(plan.body)) return plan;
  const { extension } = hostOf(requested, SITE_TYPE, APP_SERVICE_EXTENSION, world);
  if (!isSucceeded(extension)) {
    throw webError(400, 'BadRequest', 'The required app service pods in not present in the kubernetes cluster.');
  }
  return plan;
}

function hostNameOf(id: ArmId, plan: StoredResource, world: ResourceWorld): string {
  const environment = idAt(objectAt(objectAt(plan.body, 'properties'), 'kubeEnvironmentProfile'), 'id');
  const domain = environment === undefined ? undefined : world.get(environment)?.body.properties;
  const suffix = isJsonObject(domain) ? textAt(domain, 'defaultDomain') : undefined;
  return `${id.name.toLowerCase()}.${suffix ?? 'azurewebsites.net'}`;
}

/** What a body of the site says of its configuration, settings and host names. */
function childrenWrites(id: ArmId, sent: JsonObject, world: ResourceWorld): PlannedWrite[] {
  const writes: PlannedWrite[] = [];
  if (isJsonObject(sent.siteConfig)) {
    const config = omit(sent.siteConfig, ['appSettings']);
    if (Object.keys(config).length > 0) writes.push(planned(id.child('config', 'web'), config));
    if (sent.siteConfig.appSettings !== undefined) {
      const settings = objectsAt(sent.siteConfig, 'appSettings').map((setting): [string, Json] => [
        textAt(setting, 'name') ?? '',
        textAt(setting, 'value') ?? '',
      ]);
      writes.push(planned(id.child('config', 'appsettings'), Object.fromEntries(settings)));
    }
  }
  for (const state of objectsAt(sent, 'hostNameSslStates').filter(({ toUpdate }) => toUpdate === true)) {
    writes.push(bindingWrite(id, state, world));
  }
  return writes;
}

function bindingWrite(site: ArmId, state: JsonObject, world: ResourceWorld): PlannedWrite {
  const name = textAt(state, 'name') ?? '';
  const binding = world.get(site.child('hostNameBindings', name));
  if (binding === undefined) {
    throw webError(400, 'BadRequest', `Cannot find the host name '${name}' among those of the site '${site.name}'.`);
  }
  const { sslState = 'Disabled', thumbprint } = state;
  const properties = {
    ...omit(withoutState(objectAt(binding.body, 'properties')), ['thumbprint']),
    sslState,
    ...(thumbprint === undefined || sslState === 'Disabled' ? {} : { thumbprint }),
  };
  checkThumbprint(site, properties, world);
  return planned(ArmId.parse(binding.id), properties);
}

/** What was sent laid over what a new site has, and over what an existing one has. */
function merged(own: readonly PlannedWrite[], sent: readonly PlannedWrite[], world: ResourceWorld): PlannedWrite[] {
  const byKey = new Map(own.map((write) => [write.id.canonical, write]));
  for (const write of sent) {
    const below = byKey.get(write.id.canonical)?.body ?? world.get(write.id)?.body;
    const isSettings = write.id.name === 'appsettings';
    const properties = isSettings
      ? objectAt(write.body, 'properties')
      : mergePatch(withoutState(objectAt(below, 'properties')), objectAt(write.body, 'properties'));
    byKey.set(write.id.canonical, planned(write.id, properties));
  }
  return [...byKey.values()];
}

function planned(id: ArmId, properties: JsonObject): PlannedWrite {
  return { id, body: { properties }, state: 'Succeeded' };
}

function restart({ resource, id }: ActionRequest): ActionOutcome {
  const restarts = numberAt(resource.body, RESTARTS) ?? 0;
  return {
    kind: 'operation',
    plan: { writes: [{ id, body: { ...resource.body, [RESTARTS]: restarts + 1 }, state: 'Succeeded' }] },
    protocol: DELETED_AT_ONCE,
  };
}

/** How often an app was started anew: its pods are others after each time. */
export function restartsOf(site: StoredResource): number {
  return numberAt(site.body, RESTARTS) ?? 0;
}
