import { canonicalHash } from '#libs/kernel/canonical-json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import type { ArmErrorBody } from '../arm-error.js';
import { numberAt, objectAt, omit, pick, textAt } from '../json-merge.js';
import type { ResourceWorld } from '../resource-type.descriptor.js';
import { aksError, invalidParameter, propertyChangeNotAllowed } from './aks.errors.js';
import { coreUsage } from './core-usage.js';
import { compareVersions, runningKubernetesVersion } from './kubernetes-version.js';
import { FIRST_NODE_IMAGE } from './node-image.js';
import { coresOf } from './vm-size.js';

const NAME_PATTERN = /^[a-z][a-z0-9]{0,11}$/;
const MAXIMUM_COUNT = 1000;
const DEFAULT_VM_SIZE = 'Standard_D2s_v5';

/** Members that only AKS writes. */
export const POOL_READ_ONLY = [
  'provisioningState',
  'currentOrchestratorVersion',
  'nodeImageVersion',
  'eTag',
  'status',
  'virtualMachineNodesStatus',
];

/** Kept when a PUT leaves them out: they are part of what the pool is. Everything else that is left out is gone. */
const KEPT = [
  'count',
  'vmSize',
  'osType',
  'osSKU',
  'osDiskSizeGB',
  'osDiskType',
  'kubeletDiskType',
  'maxPods',
  'mode',
  'type',
  'vnetSubnetID',
  'podSubnetID',
  'availabilityZones',
  'orchestratorVersion',
  'powerState',
];

const IMMUTABLE = [
  'vmSize',
  'osType',
  'osDiskSizeGB',
  'osDiskType',
  'maxPods',
  'type',
  'vnetSubnetID',
  'podSubnetID',
  'availabilityZones',
];

/** What the simulator itself relies on; anything else passes through as sent. */
const poolSchema = z.looseObject({
  count: z.int().optional(),
  vmSize: z.string().optional(),
  mode: z.string().optional(),
  osType: z.string().optional(),
  maxPods: z.int().optional(),
  minCount: z.int().optional(),
  maxCount: z.int().optional(),
  enableAutoScaling: z.boolean().optional(),
  vnetSubnetID: z.string().optional(),
  orchestratorVersion: z.string().optional(),
  nodeLabels: z.record(z.string(), z.string()).optional(),
  nodeTaints: z.array(z.string()).optional(),
  tags: z.record(z.string(), z.string()).optional(),
  availabilityZones: z.array(z.string()).optional(),
});

/** What of its cluster a pool's defaults depend on. */
export interface PoolSurroundings {
  kubernetesVersion: string;
  networkPlugin: string;
  networkPluginMode: string | undefined;
}

/** @throws ArmError InvalidParameter. */
export function validatePoolName(name: string): void {
  if (!NAME_PATTERN.test(name)) {
    throw invalidParameter('agentPool.name', `Agent pool name ${name} does not match ${NAME_PATTERN.source}.`);
  }
}

/**
 * The pool's properties after a PUT: defaults for a new pool, what AKS keeps of an old one, then what was sent. What the
 * simulator does not know is stored as sent.
 * @throws ArmError when AKS would refuse.
 */
export function poolProperties(
  name: string,
  sent: JsonObject,
  existing: JsonObject | undefined,
  surroundings: PoolSurroundings,
): JsonObject {
  const parsed = poolSchema.safeParse(sent);
  if (!parsed.success) throw unmarshalError('agentPoolProfile', parsed.error);
  const requested = omit(sent, POOL_READ_ONLY);
  const properties: JsonObject = {
    ...defaultsFor(requested, surroundings),
    ...(existing === undefined ? {} : pick(existing, KEPT)),
    ...requested,
    ...(existing === undefined ? {} : pick(existing, POOL_READ_ONLY)),
  };
  if (existing === undefined) {
    const wanted = textAt(properties, 'orchestratorVersion') ?? surroundings.kubernetesVersion;
    properties.currentOrchestratorVersion = isOfVersion(surroundings.kubernetesVersion, wanted)
      ? surroundings.kubernetesVersion
      : runningKubernetesVersion(wanted, name);
    properties.nodeImageVersion = FIRST_NODE_IMAGE;
  }
  validateProperties(name, properties, existing);
  return properties;
}

/**
 * What becomes of a pool whose Kubernetes version was changed, once its nodes are made anew; undefined where it was not.
 * @throws ArmError when AKS would refuse the version: nodes are never newer than their control plane, and never go back.
 */
export function poolUpgrade(name: string, after: JsonObject, controlPlane: string): JsonObject | undefined {
  const running = textAt(after, 'currentOrchestratorVersion');
  const wanted = textAt(after, 'orchestratorVersion');
  if (running === undefined || wanted === undefined || isOfVersion(running, wanted)) return undefined;
  const version = isOfVersion(controlPlane, wanted) ? controlPlane : runningKubernetesVersion(wanted, name);
  if (compareVersions(version, controlPlane) > 0) {
    const message = `Node pool version ${version} and control plane version ${controlPlane} are incompatible. Minor version of node pool version ${version} is bigger than control plane version.`;
    throw aksError(400, 'NodePoolMcVersionIncompatible', message, { target: 'properties.orchestratorVersion' });
  }
  if (compareVersions(version, running) < 0) {
    const message = `Downgrading the agent pool's kubernetes version from ${running} to ${version} is not allowed.`;
    throw aksError(400, 'AgentPoolK8sVersionNotSupported', message, { target: 'properties.orchestratorVersion' });
  }
  return { properties: { currentOrchestratorVersion: version } };
}

/** Whether a full version is what was asked for, as a full version or as a minor one. */
function isOfVersion(full: string, wanted: string): boolean {
  return full === wanted || full.startsWith(`${wanted}.`);
}

/** Cores of all nodes of a pool. */
export function poolCores(properties: JsonObject): number {
  return (numberAt(properties, 'count') ?? 0) * coresOf(textAt(properties, 'vmSize') ?? '');
}

/** Whether anything but what AKS itself writes differs. */
export function poolDiffers(left: JsonObject, right: JsonObject): boolean {
  return canonicalHash(omit(left, POOL_READ_ONLY)) !== canonicalHash(omit(right, POOL_READ_ONLY));
}

/** The state while the change runs: AKS says `Scaling` when nothing but the number of nodes changes. */
export function poolChangeState(
  before: JsonObject,
  after: JsonObject,
): 'Scaling' | 'Starting' | 'Stopping' | 'Updating' | 'Upgrading' {
  const power = objectAt(after, 'powerState').code;
  if (power !== objectAt(before, 'powerState').code) return power === 'Stopped' ? 'Stopping' : 'Starting';
  const running = textAt(after, 'currentOrchestratorVersion') ?? '';
  const wanted = textAt(after, 'orchestratorVersion') ?? running;
  if (before.orchestratorVersion !== wanted && !isOfVersion(running, wanted)) {
    return 'Upgrading';
  }
  const countOnly = !poolDiffers(omit(before, ['count']), omit(after, ['count'])) && before.count !== after.count;
  return countOnly ? 'Scaling' : 'Updating';
}

/** @throws ArmError where the subscription may not have machines of the size of a new pool. */
export function requireMachineSize(world: ResourceWorld, properties: JsonObject, location: string): void {
  const vmSize = textAt(properties, 'vmSize') ?? '';
  if (world.offersMachines(vmSize)) return;
  const message = `The VM size of ${vmSize} is not allowed in your subscription in location '${location}'.`;
  throw aksError(400, 'BadRequest', message);
}

/** @throws ArmError QuotaExceeded when the region has not that many cores left. */
export function checkCoreQuota(
  world: ResourceWorld,
  subscriptionId: string,
  location: string,
  additional: number,
): void {
  const shortage = coreShortage(world, subscriptionId, location, additional);
  if (shortage !== undefined) {
    throw aksError(400, shortage.code, shortage.message, { subcode: 'InsufficientVCPUQuota' });
  }
}

/**
 * Why a region has not that many cores left. Only regions with a limit (from the estate or the fault API) run short.
 * @param except the key of a pool whose cores do not count: it is being made again
 */
export function coreShortage(
  world: ResourceWorld,
  subscriptionId: string,
  location: string,
  additional: number,
  except?: string,
): ArmErrorBody | undefined {
  const limit = world.coreQuota(subscriptionId, location);
  if (limit === undefined || additional <= 0) return undefined;
  const used = coreUsage(world, subscriptionId, location, except);
  if (used + additional <= limit) return undefined;
  return {
    code: 'QuotaExceeded',
    message:
      'Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional ' +
      `details - Deployment Model: Resource Manager, Location: ${location}, Current Limit: ${limit}, Current Usage: ` +
      `${used}, Additional Required: ${additional}, (Minimum) New Limit Required: ${used + additional}.`,
  };
}

/** AKS says where its decoder stopped. */
export function unmarshalError(entity: string, error: z.ZodError): Error {
  const issue = error.issues[0];
  const path = [entity, ...(issue?.path ?? [])].join('.');
  return aksError(
    400,
    'UnmarshalError',
    `UnmarshalEntity encountered error: ${path}: ${issue?.message ?? 'invalid'}.`,
    {
      target: path,
    },
  );
}

function defaultsFor(requested: JsonObject, surroundings: PoolSurroundings): JsonObject {
  return {
    count: 1,
    vmSize: DEFAULT_VM_SIZE,
    osDiskSizeGB: 128,
    osDiskType: 'Managed',
    kubeletDiskType: 'OS',
    maxPods: defaultMaxPods(surroundings),
    type: 'VirtualMachineScaleSets',
    enableAutoScaling: false,
    scaleDownMode: 'Delete',
    powerState: { code: 'Running' },
    orchestratorVersion: surroundings.kubernetesVersion,
    enableNodePublicIP: false,
    mode: 'User',
    osType: 'Linux',
    osSKU: requested.osType === 'Windows' ? 'Windows2022' : 'Ubuntu',
    upgradeSettings: { maxSurge: '10%', maxUnavailable: '0' },
    enableFIPS: false,
    securityProfile: { enableVTPM: false, enableSecureBoot: false },
  };
}

function defaultMaxPods({ networkPlugin, networkPluginMode }: PoolSurroundings): number {
  if (networkPlugin !== 'azure') return 110;
  return networkPluginMode === 'overlay' ? 250 : 30;
}

function validateProperties(name: string, properties: JsonObject, existing: JsonObject | undefined): void {
  if (properties.osType === 'Windows' && name.length > 6) {
    throw invalidParameter('agentPool.name', 'Windows agent pool names can have at most 6 characters.');
  }
  if (textAt(properties, 'vmSize') === '') throw invalidParameter('agentPoolProfile.vmSize', 'The VM size is empty.');
  if (!['System', 'User', 'Gateway'].includes(textAt(properties, 'mode') ?? '')) {
    throw invalidParameter('agentPoolProfile.mode', 'The mode is one of System, User and Gateway.');
  }
  validateCount(properties);
  for (const property of existing === undefined ? [] : IMMUTABLE) {
    const before = existing?.[property];
    if (before !== undefined && canonicalHash(before) !== canonicalHash(properties[property])) {
      throw propertyChangeNotAllowed(`properties.${property}`);
    }
  }
}

function validateCount(properties: JsonObject): void {
  const count = numberAt(properties, 'count') ?? 0;
  const minimum = properties.mode === 'System' ? 1 : 0;
  if (count < minimum || count > MAXIMUM_COUNT) {
    const why = `The count ${count} is not between ${minimum} and ${MAXIMUM_COUNT} for a pool of mode ${textAt(properties, 'mode')}.`;
    throw invalidParameter('agentPoolProfile.count', why);
  }
  if (properties.enableAutoScaling !== true) return;
  const lowest = numberAt(properties, 'minCount');
  const highest = numberAt(properties, 'maxCount');
  if (lowest === undefined || highest === undefined || lowest > highest) {
    throw invalidParameter('agentPoolProfile.minCount', 'Auto scaling needs minCount <= maxCount.');
  }
  if (count < lowest || count > highest) {
    throw invalidParameter('agentPoolProfile.count', `The count ${count} is not between minCount and maxCount.`);
  }
}
