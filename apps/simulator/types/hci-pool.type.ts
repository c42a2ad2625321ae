import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { numberAt, objectAt, mergePatch, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { badRequest } from './arc.family.js';
import { parseRequest } from './fleet.family.js';
import { requireVersion, requireVmSize } from './hci.catalog.js';
import {
  HCI_API_VERSIONS,
  HCI_POOL_TYPE,
  HCI_PROTOCOLS,
  MOST_NODES,
  hciConflict,
  networksOf,
  poolsOfInstance,
} from './hci.family.js';
import { freeAddresses } from './logical-network.type.js';

const NAME_PATTERN = /^[a-z][a-z0-9]{2,11}$/;

const poolSchema = z.looseObject({
  count: z.int().min(0).optional(),
  vmSize: z.string().optional(),
  osType: z.enum(['Linux', 'Windows']).optional(),
  osSKU: z.enum(['CBLMariner', 'Windows2019', 'Windows2022']).optional(),
  nodeLabels: z.record(z.string(), z.string()).optional(),
  nodeTaints: z.array(z.string()).optional(),
  enableAutoScaling: z.boolean().optional(),
  minCount: z.int().optional(),
  maxCount: z.int().optional(),
  maxPods: z.int().optional(),
});

/** Node pools of a workload cluster on Azure Stack HCI. The instance shows them too, as `agentPoolProfiles`. */
export const hciPoolType: ResourceTypeDescriptor = {
  type: HCI_POOL_TYPE,
  apiVersions: HCI_API_VERSIONS,
  tracked: false,
  errorShape: 'standard',
  members: ['extendedLocation'],
  readOnly: ['properties.kubernetesVersion', 'properties.status'],
  protocols: HCI_PROTOCOLS,
  polling: 'provider-hub',
  recordsLastOperation: false,
  shownInParent: true,
  actions: new Map(),
  validateName: validatePoolName,
  planPut,
  planPatch: ({ id, requested, existing, world, ...rest }) =>
    planPut({ ...rest, id, requested: mergePatch(existing.body, requested), existing, world }),
  planDelete: (pool, id) => ({
    writes: [{ id, body: pool.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict: hciConflict,
  present: (pool, world) => ({ ...pool.body, properties: shownProperties(pool, world) }),
  failed: (properties, error) => ({ ...properties, status: { errorMessage: error.message } }),
};

export function validatePoolName(name: string): void {
  if (NAME_PATTERN.test(name)) return;
  throw badRequest('InvalidResourceName', `The name '${name}' must match ${NAME_PATTERN.source}.`, 'name');
}

/** What is asked for, with what Azure puts where nothing was said. @throws ArmError */
export function checkedPool(asked: JsonObject, kubernetesVersion: string): JsonObject {
  parseRequest(poolSchema, asked);
  const osType = textAt(asked, 'osType') ?? 'Linux';
  const osSKU = textAt(asked, 'osSKU') ?? (osType === 'Linux' ? 'CBLMariner' : 'Windows2022');
  if ((osSKU === 'CBLMariner') !== (osType === 'Linux')) {
    throw badRequest('InvalidOsSku', `The OS SKU '${osSKU}' does not go with the OS type '${osType}'.`, 'osSKU');
  }
  const vmSize = textAt(asked, 'vmSize') ?? 'Standard_A4_v2';
  requireVmSize(vmSize);
  requireVersion(kubernetesVersion, [osSKU]);
  return { count: 1, enableAutoScaling: false, maxPods: 110, ...asked, vmSize, osType, osSKU };
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const instance = world.get(id.parent?.canonical ?? '');
  if (instance === undefined) throw new TypeError(`The pool ${id.toString()} has no cluster`);
  const version = textAt(objectAt(instance.body, 'properties'), 'kubernetesVersion') ?? '';
  const before = existing === undefined ? undefined : objectAt(existing.body, 'properties');
  const after = checkedPool(objectAt(requested, 'properties'), version);
  for (const member of ['vmSize', 'osType', 'osSKU']) {
    if (before === undefined || before[member] === after[member]) continue;
    throw badRequest('PropertyChangeNotAllowed', `The property '${member}' of a pool cannot be changed.`, member);
  }
  const nodes = poolsOfInstance(instance, world)
    .filter(({ key }) => key !== id.canonical)
    .reduce(
      (sum, pool) => sum + (numberAt(objectAt(pool.body, 'properties'), 'count') ?? 0),
      numberAt(after, 'count') ?? 0,
    );
  if (nodes > MOST_NODES) throw badRequest('NodeLimitExceeded', `A cluster can have at most ${MOST_NODES} nodes.`);
  const added = (numberAt(after, 'count') ?? 0) - (numberAt(before, 'count') ?? 0);
  const body: JsonObject = { ...requested, properties: { ...after, kubernetesVersion: version, status: {} } };
  const fails = outOfAddresses(instance, added, world);
  const state = existing === undefined ? 'Creating' : 'Updating';
  return { writes: [{ id, body, state }], ...(fails === undefined ? {} : { fails }) };
}

/** The host only finds out when it makes the machines. */
export function outOfAddresses(instance: Pick<StoredResource, 'body'>, needed: number, world: ResourceWorld) {
  for (const key of networksOf(instance.body)) {
    const network = world.get(key);
    const free = network === undefined ? undefined : freeAddresses(network, world);
    if (free !== undefined && needed > 0 && free < needed) {
      return {
        code: 'MachineCreationFailed',
        message: `Creating the machines failed: no available IP address in the logical network '${network?.name}'.`,
      };
    }
  }
  return undefined;
}

/** With the state as the host tells it. */
function shownProperties(pool: StoredResource, world: ResourceWorld): JsonObject {
  const properties = objectAt(pool.body, 'properties');
  const state = textAt(properties, 'provisioningState') ?? 'Succeeded';
  const instance = world.get(ArmId.parse(pool.id).parent?.canonical ?? '');
  const version =
    textAt(properties, 'kubernetesVersion') ?? textAt(objectAt(instance?.body, 'properties'), 'kubernetesVersion');
  const replicas =
    state === 'Succeeded'
      ? [
          {
            count: numberAt(properties, 'count') ?? 0,
            vmSize: textAt(properties, 'vmSize') ?? '',
            kubernetesVersion: version ?? '',
          },
        ]
      : [];
  return { ...properties, status: { ...objectAt(properties, 'status'), currentState: state, readyReplicas: replicas } };
}
