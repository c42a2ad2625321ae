import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt } from '../json-merge.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { AKS_API_VERSIONS } from './aks.api-versions.js';
import { aksError, invalidParameter } from './aks.errors.js';
import { isOpen, maintenanceWindowSchema, nextOpening, windowOf } from './maintenance-window.js';

const MAINTENANCE_TYPE = 'Microsoft.ContainerService/managedClusters/maintenanceConfigurations';

/** For releases of AKS, for Kubernetes versions, and for node images; the first has a shape of its own. */
export const VERSION_SCHEDULE = 'aksManagedAutoUpgradeSchedule';
export const NODE_IMAGE_SCHEDULE = 'aksManagedNodeOSUpgradeSchedule';
const NAMES = ['default', VERSION_SCHEDULE, NODE_IMAGE_SCHEDULE];

/** When a cluster may be upgraded. Made, changed and deleted at once. */
export const maintenanceConfigurationType: ResourceTypeDescriptor = {
  type: MAINTENANCE_TYPE,
  lowerCaseGroupSegment: true,
  apiVersions: AKS_API_VERSIONS,
  tracked: false,
  errorShape: 'unwrapped',
  members: [],
  readOnly: [],
  protocols: {
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: false, location: false, immediate: true },
    patch: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
    delete: { status: 200, body: 'empty', asyncOperation: false, location: false, immediate: true },
  },
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (NAMES.some((known) => known.toLowerCase() === name.toLowerCase())) return;
    throw invalidParameter('maintenanceConfigurationName', `The name ${name} is none of ${NAMES.join(', ')}.`);
  },
  planPut,
  planPatch(): never {
    throw aksError(405, 'MethodNotAllowed', 'A maintenance configuration is changed by PUT.');
  },
  planDelete: (configuration, id) => ({
    writes: [{ id, body: configuration.body, state: '' }],
    removes: [{ id, state: '' }],
  }),
  conflict: () => undefined,
};

function planPut({ id, requested }: WriteRequest): WritePlan {
  const properties = objectAt(requested, 'properties');
  if (id.name.toLowerCase() !== 'default') {
    const parsed = maintenanceWindowSchema.safeParse(properties.maintenanceWindow);
    const issue = parsed.error?.issues[0];
    if (issue !== undefined) {
      throw invalidParameter(['maintenanceWindow', ...issue.path].join('.'), issue.message);
    }
  }
  return { writes: [{ id, body: { properties }, state: '' }] };
}

/** Where a cluster stands with one of its schedules: closed until when, if it ever opens; undefined while it is open or has none. */
export function closedSchedule(
  clusterKey: string,
  schedule: string,
  at: number,
  world: ResourceWorld,
): { opensAt: number | undefined } | undefined {
  const configuration = world
    .children(clusterKey, MAINTENANCE_TYPE)
    .find((candidate) => candidate.name.toLowerCase() === schedule.toLowerCase());
  const properties: JsonObject = objectAt(configuration?.body, 'properties');
  const window = windowOf(properties);
  if (window === undefined || isOpen(window, at)) return undefined;
  return { opensAt: nextOpening(window, at) };
}
