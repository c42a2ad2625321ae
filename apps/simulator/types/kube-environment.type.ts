import { type ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmErrorBody } from '../arm-error.js';
import { deterministicHex } from '../deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { hasRelayListener } from '../kubernetes/arc.agents.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import {
  APP_SERVICE_EXTENSION,
  AT_ONCE,
  BY_LOCATION,
  KUBE_ENVIRONMENT_TYPE,
  PLAN_TYPE,
  WEB_API_VERSIONS,
  checkRegion,
  customLocationOf,
  extendedLocationBody,
  hostOf,
  isSucceeded,
  refuseOtherExtendedLocation,
  validateWebName,
  webConflict,
  webError,
} from './app-service.family.js';

const NAME_LENGTH = 63;

/** The environment of App Service in a custom location: the address and the domain of its web apps. */
export const kubeEnvironmentType: ResourceTypeDescriptor = {
  type: KUBE_ENVIRONMENT_TYPE,
  apiVersions: WEB_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation', 'kind'],
  readOnly: ['properties.defaultDomain', 'properties.deploymentErrors'],
  hidesSystemData: true,
  protocols: {
    // It is there at once, in a state of its own; `Location` is named but the object itself is what callers look at.
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: false, location: true },
    patch: AT_ONCE,
    delete: { ...BY_LOCATION, body: 'empty' },
  },
  recordsLastOperation: false,
  actions: new Map(),

  validateName: (name) => validateWebName('The environment name', NAME_LENGTH, name),
  planPut,
  planPatch({ id, requested, existing }) {
    const properties = mergePatch(objectAt(existing.body, 'properties'), objectAt(requested, 'properties'));
    return { writes: [{ id, body: { ...existing.body, properties }, state: 'Succeeded' }] };
  },
  planDelete(environment, id, world): WritePlan {
    const plan = world.referring(PLAN_TYPE, environment.key)[0];
    if (plan !== undefined) {
      throw webError(409, 'Conflict', `The environment '${environment.name}' is used by the plan '${plan.name}'.`);
    }
    const state = 'ScheduledForDelete';
    return { writes: [{ id, body: environment.body, state }], removes: [{ id, state }] };
  },
  conflict: webConflict,
  references: (body) => [customLocationOf(body)].filter((key) => key !== undefined),
  failed: (properties, error) => ({ ...properties, deploymentErrors: error.message }),
};

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  refuseOtherExtendedLocation(id, requested, existing);
  const location = textAt(requested, 'location') ?? '';
  checkRegion(location, 'kubeEnvironments');
  const { customLocation, extension } = hostOf(requested, KUBE_ENVIRONMENT_TYPE, APP_SERVICE_EXTENSION, world);
  const other = world.referring(KUBE_ENVIRONMENT_TYPE, customLocation.key).find(({ key }) => key !== id.canonical);
  if (other !== undefined) {
    throw webError(409, 'Conflict', `The custom location has the environment '${other.name}' already.`);
  }
  const body: JsonObject = {
    ...omit(requested, ['properties', 'extendedLocation']),
    location: canonicalLocation(location),
    ...extendedLocationBody(requested),
    properties: { ...objectAt(requested, 'properties') },
  };
  const writes: WritePlan['writes'] = [{ id, body, state: 'InitializationInProgress' }];
  const fails = refusalInCluster(customLocation, extension, world);
  if (fails !== undefined) return { writes, fails };
  const isServed = clusterNameOf(extension)?.toLowerCase() === id.name.toLowerCase();
  return {
    writes,
    // The agents of the extension look for the environment whose name they were given, and for no other.
    ...(isServed
      ? { merges: [{ id, patch: { properties: { defaultDomain: domainOf(id, location), deploymentErrors: null } } }] }
      : { finalState: 'Waiting' }),
  };
}

/** The provider goes through the relay and looks for the pods of the extension. The codes of these errors are not known. */
function refusalInCluster(
  customLocation: StoredResource,
  extension: StoredResource,
  world: ResourceWorld,
): ArmErrorBody | undefined {
  const properties = objectAt(customLocation.body, 'properties');
  const cluster = world.cluster((textAt(properties, 'hostResourceId') ?? '').toLowerCase());
  if (cluster === undefined || !hasRelayListener(cluster.objects)) {
    return {
      code: 'BadRequest',
      message:
        'Error when checking initialize status of K8SE stamp with kubectl Unexpected output from kubectl.exe when getting pod statuses',
    };
  }
  const scope = objectAt(objectAt(objectAt(extension.body, 'properties'), 'scope'), 'cluster');
  if (isSucceeded(extension) && textAt(scope, 'releaseNamespace') === textAt(properties, 'namespace')) return undefined;
  return {
    code: 'BadRequest',
    message: 'The required app service pods in not present in the kubernetes cluster.',
  };
}

function clusterNameOf(extension: StoredResource): string | undefined {
  return textAt(objectAt(objectAt(extension.body, 'properties'), 'configurationSettings'), 'clusterName');
}

/** `{environment}-{hash}.{region}.k4apps.io` */
function domainOf(id: ArmId, location: string): string {
  const hash = deterministicHex(`kube environment|${id.canonical}`, 10);
  return `${id.name.toLowerCase()}-${hash}.${canonicalLocation(location)}.k4apps.io`;
}
