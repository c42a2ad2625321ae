import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AksHciClient } from './aks-hci.client.js';
import {
  PROVISIONED_CLUSTER_TYPE,
  PROVISIONED_POOL_TYPE,
  describeProvisionedCluster,
  describeProvisionedPool,
  observeProvisionedPool,
  provisionedAgentPoolKind,
  provisionedClusterKind,
} from './aks-hci.kinds.js';
import { MOST_NODES_OF_CLUSTER, MOST_POOLS_OF_CLUSTER } from './host.limits.js';
import { VERSION_FINDINGS, VM_SIZE_FINDINGS, judgeVersion, judgeVmSizes, readOffer } from './host.preflight.js';
import { freeAddresses } from './network.rules.js';
import { isConsistent, nodeCount, osSkuOf, poolFields, poolProperties, type PoolInput } from './node-pool.input.js';
import { failureOf, recognising } from './provisioning.failure.js';

const PERMISSION = 'hci/nodePools/write';
const TIMEOUT_SECONDS = 2 * 3600;

const commonFindings = {
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_BUSY: 'Another operation runs on the cluster or the pool; this one waits until it has ended.',
  NODE_LIMIT: 'The cluster would have more nodes than it can.',
  ADDRESSES_SHORT: 'The logical network has fewer free addresses than the new nodes need.',
  LINUX_NODE_MISSING: 'The agents of Azure need a Linux node: the last one cannot go.',
} as const satisfies Record<string, string>;
type CommonCode = keyof typeof commonFindings;

/** A cluster with its pools, as both were read. */
interface ClusterState {
  instance: JsonObject;
  pools: { name: string; body: JsonObject }[];
}

async function readCluster(
  client: AksHciClient,
  instanceId: ArmId,
  context: AzureCallContext,
): Promise<ClusterState | undefined> {
  const reading = await client.getInstance(instanceId, context);
  if (reading.state === 'missing') return undefined;
  const pools: ClusterState['pools'] = [];
  for await (const { items } of client.listPools(instanceId, context)) {
    pools.push(...items.map((body) => ({ name: rawText(body, 'name') ?? '', body })));
  }
  return { instance: reading.body, pools };
}

/** What every change of the number of nodes has to keep to. */
async function judgeNodes(
  client: AksHciClient,
  cluster: ClusterState,
  change: { pool: string; osType: string | null; count: number },
  context: AzureCallContext,
  say: FindingReporter<CommonCode>,
): Promise<void> {
  const own = cluster.pools.find(({ name }) => name === change.pool);
  const countOf = (body: JsonObject): number => describeProvisionedPool(propertiesOf(body)).count ?? 0;
  const others = cluster.pools.filter((pool) => pool !== own);
  const nodes = others.reduce((sum, { body }) => sum + countOf(body), 0) + change.count;
  const before = own === undefined ? 0 : countOf(own.body);
  if (change.count > before && nodes > MOST_NODES_OF_CLUSTER) {
    say('NODE_LIMIT', 'error', { nodes, limit: MOST_NODES_OF_CLUSTER });
  }
  const isLinux = (osType: string | null): boolean => osType?.toLowerCase() !== 'windows';
  const linux = others.some(({ body }) => {
    const { osType, count } = describeProvisionedPool(propertiesOf(body));
    return isLinux(osType) && (count ?? 0) > 0;
  });
  if (!linux && !(isLinux(change.osType) && change.count > 0)) {
    say(
      'LINUX_NODE_MISSING',
      'error',
      { pool: change.pool },
      'Leave a Linux node, or add another pool of Linux first.',
    );
  }
  const added = change.count - before;
  if (added > 0) await judgeAddresses(client, cluster.instance, added, context, say);
  const moving = [cluster.instance, ...cluster.pools.map(({ body }) => body)]
    .map((body) => rawText(body, 'properties', 'provisioningState'))
    .find((state) => provisioningPhase(state) === 'moving');
  if (moving !== undefined) say('CLUSTER_BUSY', 'warning', { provisioningState: moving });
}

async function judgeAddresses(
  client: AksHciClient,
  instance: JsonObject,
  needed: number,
  context: AzureCallContext,
  say: FindingReporter<CommonCode>,
): Promise<void> {
  for (const network of describeProvisionedCluster(propertiesOf(instance)).logicalNetworkIds) {
    const reading = await client.getLogicalNetwork(ArmId.parse(network), context);
    const available = reading.state === 'missing' ? null : freeAddresses(reading.body);
    if (available === null || available >= needed) continue;
    const evidence = { logicalNetwork: network, available, needed };
    say('ADDRESSES_SHORT', 'warning', evidence, 'Extend the address pool of the logical network.');
  }
}

const putInput = z.strictObject({
  cluster: resourceReference('The provisioned cluster that has the pool, or gets it'),
  ...poolFields,
});
type PutInput = z.output<typeof putInput>;

const putFindings = {
  ...commonFindings,
  POOL_LIMIT: 'The cluster has as many pools as it can.',
  POOL_EXISTS: 'The pool exists already; it is brought to what is asked for.',
  POOL_DIFFERS: 'The pool exists and differs in what cannot be changed.',
  OS_SKU_MISMATCH: 'The operating system is not one of the kind that was asked for.',
  ...VERSION_FINDINGS,
  ...VM_SIZE_FINDINGS,
} as const satisfies Record<string, string>;

export function putNodePool(client: AksHciClient): OperationDefinition<typeof putInput> {
  return {
    type: 'hci.nodePool.put',
    title: 'Add or change a node pool on Azure Stack HCI',
    description: 'Adds a node pool to a provisioned cluster, or brings one that is there to what is asked for.',
    permission: PERMISSION,
    input: putInput,
    references: { cluster: [provisionedClusterKind.name] },
    timeoutSeconds: TIMEOUT_SECONDS,
    findings: putFindings,
    target(input, references) {
      const instance = referencedArmId(references, 'cluster', PROVISIONED_CLUSTER_TYPE);
      return poolTarget(instance.child('agentPools', input.name));
    },
    preflight: (context) => preflightPut(client, context),
    plan: (context) => planPut(client, context),
    steps: [
      {
        name: 'pool',
        description: 'Asks for the pool and waits until its nodes are there.',
        run: (context) => runPut(client, context),
      },
    ],
    verify: (context) => verifyPool(client, putPoolId(context), context, (pool) => isAsWanted(pool, context.input)),
  };
}

async function preflightPut(client: AksHciClient, context: OperationContext<PutInput>): Promise<Finding[]> {
  const { input } = context;
  const id = putPoolId(context);
  const findings: Finding[] = [];
  const say = findingReporter(putFindings, findings);
  if (!isConsistent(input)) say('OS_SKU_MISMATCH', 'error', { osType: input.osType, osSku: osSkuOf(input) });
  const cluster = await readCluster(client, instanceIdOf(id), context);
  if (cluster === undefined) {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: instanceIdOf(id).toString() });
    return findings;
  }
  const existing = cluster.pools.find(({ name }) => name === input.name);
  if (existing === undefined) {
    if (cluster.pools.length >= MOST_POOLS_OF_CLUSTER) {
      say('POOL_LIMIT', 'error', { pools: cluster.pools.length, limit: MOST_POOLS_OF_CLUSTER });
    }
  } else {
    const difference = immutableDifference(existing.body, input);
    if (difference === undefined) say('POOL_EXISTS', 'info', { nodePool: id.toString() });
    else say('POOL_DIFFERS', 'error', difference, 'Use another name, or delete the pool first.');
  }
  const customLocation = ArmId.tryParse(rawText(cluster.instance, 'extendedLocation', 'name') ?? '');
  if (customLocation !== undefined) {
    const offer = await readOffer(client, customLocation, context);
    const version = rawText(cluster.instance, 'properties', 'kubernetesVersion');
    if (version !== null && existing === undefined) {
      judgeVersion(offer.versions, version, [{ osType: input.osType, osSku: osSkuOf(input) }], say);
    }
    judgeVmSizes(offer.vmSizes, [input.vmSize], customLocation, say);
  }
  await judgeNodes(client, cluster, { pool: input.name, osType: input.osType, count: input.count }, context, say);
  return findings;
}

async function planPut(client: AksHciClient, context: OperationContext<PutInput>): Promise<Json> {
  const id = putPoolId(context);
  const reading = await client.getPool(id, context);
  const action = reading.state === 'missing' ? 'create' : isAsWanted(reading.body, context.input) ? 'none' : 'change';
  return { nodePool: id.toString(), action, properties: poolProperties(context.input) };
}

function runPut(client: AksHciClient, context: StepContext<PutInput>): Promise<StepOutcome> {
  const { input } = context;
  return runPool(client, putPoolId(context), context, {
    working: `The host is bringing the pool ${input.name} to what is asked for.`,
    isThere: (body) => isAsWanted(body, input),
    async write(id, reading) {
      if (reading.state === 'found') {
        return client.changePool(
          id,
          reading.body,
          (body) => Object.assign(memberObject(body, 'properties'), wantedOf(input)),
          context,
        );
      }
      const instance = presentBody(await client.getInstance(instanceIdOf(id), context), instanceIdOf(id));
      const extendedLocation = rawObject(instance, 'extendedLocation');
      const body = { ...(extendedLocation === null ? {} : { extendedLocation }), properties: poolProperties(input) };
      return client.putPool(id, body, context);
    },
  });
}

const scaleInput = z.strictObject({
  nodePool: resourceReference('The node pool to scale'),
  count: nodeCount.describe('The number of nodes that the pool shall have.'),
});
type ScaleInput = z.output<typeof scaleInput>;

const scaleFindings = {
  ...commonFindings,
  NODE_POOL_NOT_FOUND: 'The cluster has no node pool of this name.',
  AUTOSCALER_ENABLED: 'The cluster autoscaler decides the number of nodes of this pool.',
  ALREADY_AT_COUNT: 'The pool has this number of nodes already.',
} as const satisfies Record<string, string>;

export function scaleNodePool(client: AksHciClient): OperationDefinition<typeof scaleInput> {
  return {
    type: 'hci.nodePool.scale',
    title: 'Scale a node pool on Azure Stack HCI',
    description: 'Sets the number of nodes of a node pool of a provisioned cluster.',
    permission: PERMISSION,
    input: scaleInput,
    references: { nodePool: [provisionedAgentPoolKind.name] },
    timeoutSeconds: TIMEOUT_SECONDS,
    findings: scaleFindings,
    target: (_input, references) => poolTarget(poolIdOf(references)),
    preflight: (context) => preflightScale(client, context),
    plan: (context) => planScale(client, context),
    steps: [
      {
        name: 'scale',
        description: 'Asks for the number of nodes and waits until they are there.',
        run: (context) => runScale(client, context),
      },
    ],
    verify: (context) =>
      verifyPool(client, poolIdOf(context.references), context, (body) => countOfPool(body) === context.input.count),
  };
}

async function preflightScale(client: AksHciClient, context: OperationContext<ScaleInput>): Promise<Finding[]> {
  const id = poolIdOf(context.references);
  const { count } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(scaleFindings, findings);
  const cluster = await readCluster(client, instanceIdOf(id), context);
  if (cluster === undefined) {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: instanceIdOf(id).toString() });
    return findings;
  }
  const found = cluster.pools.find(({ name }) => name.toLowerCase() === id.name.toLowerCase());
  if (found === undefined) {
    say('NODE_POOL_NOT_FOUND', 'error', { nodePool: id.toString() });
    return findings;
  }
  const pool = describeProvisionedPool(propertiesOf(found.body));
  if (pool.autoscaling) {
    const remedy = 'Change the limits of the autoscaler (hci.nodePool.put) instead.';
    say('AUTOSCALER_ENABLED', 'error', { minCount: pool.minCount, maxCount: pool.maxCount }, remedy);
  }
  if (pool.count === count) say('ALREADY_AT_COUNT', 'info', { count });
  await judgeNodes(client, cluster, { pool: found.name, osType: pool.osType, count }, context, say);
  return findings;
}

async function planScale(client: AksHciClient, context: OperationContext<ScaleInput>): Promise<Json> {
  const id = poolIdOf(context.references);
  const reading = await client.getPool(id, context);
  const before = reading.state === 'missing' ? null : countOfPool(reading.body);
  const after = context.input.count;
  return { nodePool: id.toString(), action: before === null || before === after ? 'none' : 'scale', before, after };
}

function runScale(client: AksHciClient, context: StepContext<ScaleInput>): Promise<StepOutcome> {
  const { count } = context.input;
  const id = poolIdOf(context.references);
  return runPool(client, id, context, {
    working: `The host is scaling the pool ${id.name} to ${count} nodes.`,
    isThere: (body) => countOfPool(body) === count,
    write(pool, reading) {
      const body = presentBody(reading, pool);
      if (describeProvisionedPool(propertiesOf(body)).autoscaling) {
        throw new ControlError('CONFLICT', `The autoscaler has been switched on for the pool ${pool.name}.`, {
          remedy: 'Change the limits of the autoscaler instead.',
        });
      }
      return client.changePool(
        pool,
        body,
        (changed) => Object.assign(memberObject(changed, 'properties'), { count }),
        context,
      );
    },
  });
}

const deleteInput = z.strictObject({ nodePool: resourceReference('The node pool to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  ...commonFindings,
  NODE_POOL_NOT_FOUND: 'The pool is gone already.',
} as const satisfies Record<string, string>;

export function deleteNodePool(client: AksHciClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'hci.nodePool.delete',
    title: 'Delete a node pool on Azure Stack HCI',
    description: 'Deletes a node pool of a provisioned cluster with its nodes. Pods go where they find a place.',
    permission: 'hci/nodePools/delete',
    input: deleteInput,
    references: { nodePool: [provisionedAgentPoolKind.name] },
    timeoutSeconds: TIMEOUT_SECONDS,
    findings: deleteFindings,
    target: (_input, references) => poolTarget(poolIdOf(references)),
    preflight: (context) => preflightDelete(client, context),
    steps: [
      {
        name: 'delete',
        description: 'Deletes the pool and waits until it is gone.',
        run: (context) => runDelete(client, context),
      },
    ],
    async verify(context) {
      const id = poolIdOf(context.references);
      const reading = await client.getPool(id, context);
      return verifyRemoval(`The pool ${id.name}`, reading, [context.target], client.arm.pollIntervalSeconds);
    },
  };
}

async function preflightDelete(client: AksHciClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = poolIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const cluster = await readCluster(client, instanceIdOf(id), context);
  const found = cluster?.pools.find(({ name }) => name.toLowerCase() === id.name.toLowerCase());
  if (cluster === undefined || found === undefined) {
    say('NODE_POOL_NOT_FOUND', 'info', { nodePool: id.toString() });
    return findings;
  }
  const { osType } = describeProvisionedPool(propertiesOf(found.body));
  await judgeNodes(client, cluster, { pool: found.name, osType, count: 0 }, context, say);
  return findings;
}

function runDelete(client: AksHciClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = poolIdOf(context.references);
  const cluster = clusterIdOf(id);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `The host is deleting the pool ${id.name}.`,
      read: () => client.getPool(id, context),
      judge: (reading) => judgeRemoval(`The pool ${id.name}`, reading, (done, body) => failureOf(done, body, cluster)),
      write: () => client.deletePool(id, context),
    },
    context,
  );
}

/** How a pool is brought to what is wanted. */
interface PoolChange {
  working: string;
  isThere(body: JsonObject): boolean;
  write(id: ArmId, reading: ArmReading): ReturnType<AksHciClient['putPool']>;
}

function runPool(
  client: AksHciClient,
  id: ArmId,
  context: StepContext<unknown>,
  change: PoolChange,
): Promise<StepOutcome> {
  return recognising(clusterIdOf(id), () =>
    reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: change.working,
        read: () => client.getPool(id, context),
        judge: (reading) => judgePool(client, id, reading, context, change),
        write: (reading) => change.write(id, reading),
      },
      context,
    ),
  );
}

async function judgePool(
  client: AksHciClient,
  id: ArmId,
  reading: ArmReading,
  context: AzureCallContext,
  change: PoolChange,
): Promise<DesiredStateVerdict> {
  const state = reading.state === 'missing' ? null : rawText(reading.body, 'properties', 'provisioningState');
  const phase = provisioningPhase(state);
  if (reading.state === 'found' && change.isThere(reading.body)) {
    switch (phase) {
      case 'succeeded':
      case 'unknown':
        return { verdict: 'reached', message: `The pool ${id.name} is as it was asked for.` };
      case 'moving':
        return { verdict: 'underway', message: `The pool ${id.name} is on its way (${state}).` };
      case 'failed':
      case 'canceled':
        return { verdict: 'failed', error: failureOf(`Changing ${id.name}`, reading.body, clusterIdOf(id)) };
    }
  }
  if (phase === 'moving') {
    return { verdict: 'busy', message: `The pool ${id.name} is being changed by someone else (${state}).` };
  }
  // The host takes one change of a cluster at a time.
  const instance = await client.getInstance(instanceIdOf(id), context);
  const around = instance.state === 'missing' ? null : rawText(instance.body, 'properties', 'provisioningState');
  return provisioningPhase(around) === 'moving'
    ? { verdict: 'busy', message: `Another operation runs on the cluster (${around}).` }
    : { verdict: 'different' };
}

async function verifyPool(
  client: AksHciClient,
  id: ArmId,
  context: OperationContext<unknown>,
  isThere: (body: JsonObject) => boolean,
): Promise<Verification> {
  const reading = await client.getPool(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The pool ${id.name} is not there.` };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'moving') {
    return {
      verdict: 'pending',
      message: `The pool ${id.name} is ${state}.`,
      retryAfterSeconds: client.arm.pollIntervalSeconds,
    };
  }
  if (!isThere(reading.body) || provisioningPhase(state) === 'failed') {
    return {
      verdict: 'missed',
      message: `The pool ${id.name} is ${state ?? 'in no known state'}, and not as asked for.`,
    };
  }
  const connected = await client.getConnectedCluster(clusterIdOf(id), context);
  const location = connected.state === 'missing' ? null : rawText(connected.body, 'location');
  return {
    verdict: 'reached',
    result: { nodePool: id.toString(), uid: id.uid, count: countOfPool(reading.body) },
    observations: [
      observeProvisionedPool(reading.body, { observedAt: reading.observedAt, source: 'OPERATION', location }),
    ],
    absent: [],
  };
}

/** What is asked for of a pool that is there: what was not said stays. */
function wantedOf(input: PoolInput): JsonObject {
  const { vmSize: _vmSize, osType: _osType, osSKU: _osSku, ...changeable } = poolProperties(input);
  return changeable;
}

function isAsWanted(body: JsonObject, input: PoolInput): boolean {
  const properties = propertiesOf(body);
  const wanted = Object.entries(wantedOf(input));
  // Where the autoscaler decides, the number of nodes is its business.
  return wanted.every(
    ([name, value]) =>
      (name === 'count' && input.autoscaler !== undefined) || canonicalJson(properties[name]) === canonicalJson(value),
  );
}

function immutableDifference(body: JsonObject, input: PoolInput): JsonObject | undefined {
  const { vmSize, osType } = describeProvisionedPool(propertiesOf(body));
  if (vmSize !== null && vmSize.toLowerCase() !== input.vmSize.toLowerCase()) return { vmSize };
  return osType !== null && osType.toLowerCase() !== input.osType.toLowerCase() ? { osType } : undefined;
}

function countOfPool(body: JsonObject): number | null {
  return describeProvisionedPool(propertiesOf(body)).count;
}

function propertiesOf(body: JsonObject): JsonObject {
  return rawObject(body, 'properties') ?? {};
}

function presentBody(reading: ArmReading, id: ArmId): JsonObject {
  if (reading.state === 'found') return reading.body;
  throw new ControlError('AZURE_NOT_FOUND', `${id.name} is not there any more.`);
}

function poolTarget(id: ArmId) {
  return { id: id.toString(), kind: provisionedAgentPoolKind.name, lock: clusterIdOf(id).canonical };
}

function putPoolId({ input, references }: OperationContext<PutInput>): ArmId {
  return referencedArmId(references, 'cluster', PROVISIONED_CLUSTER_TYPE).child('agentPools', input.name);
}

function poolIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'nodePool', PROVISIONED_POOL_TYPE);
}

function instanceIdOf(pool: ArmId): ArmId {
  return pool.parent ?? pool;
}

function clusterIdOf(pool: ArmId): ArmId {
  return instanceIdOf(pool).parent ?? pool;
}
