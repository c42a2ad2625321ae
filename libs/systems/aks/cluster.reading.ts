import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Observation } from '../contract/observation.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AksClient } from './aks.client.js';
import {
  AGENT_POOL_TYPE,
  MANAGED_CLUSTER_TYPE,
  agentPoolKind,
  describeAgentPool,
  managedClusterKind,
  observeManagedCluster,
  type AgentPoolProperties,
} from './aks.kinds.js';

export type FoundReading = Extract<ArmReading, { state: 'found' }>;

/** A pool of a cluster as both were read in one answer. */
export interface PoolInCluster {
  cluster: JsonObject;
  poolRaw: JsonObject;
  pool: AgentPoolProperties;
}

/** @throws ControlError INVALID_REQUEST when the reference is missing or names something else. */
export function clusterId(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'cluster', MANAGED_CLUSTER_TYPE);
}

/** @throws ControlError INVALID_REQUEST when the reference is missing or names something else. */
export function nodePoolId(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'nodePool', AGENT_POOL_TYPE);
}

/** @throws ControlError AZURE_NOT_FOUND. */
export function presentCluster(reading: ArmReading, id: ArmId): FoundReading {
  if (reading.state === 'found') return reading;
  throw new ControlError('AZURE_NOT_FOUND', `The cluster ${id.name} is not there any more.`);
}

/** @throws ControlError AZURE_NOT_FOUND. */
export function presentPool(reading: ArmReading, id: ArmId): FoundReading {
  if (reading.state === 'found') return reading;
  throw new ControlError('AZURE_NOT_FOUND', `The pool ${id.name} is not there any more.`);
}

/** The cluster and its pools, for looking at them only. */
export function partsOf(clusterBody: JsonObject): Observation[] {
  return observeManagedCluster(clusterBody, { observedAt: new Date(0), source: 'ARM' });
}

/** The pools of a cluster, each with its name. */
export function poolsOf(clusterBody: JsonObject): { name: string; state: string | null; pool: AgentPoolProperties }[] {
  return partsOf(clusterBody)
    .filter(({ kind }) => kind === agentPoolKind.name)
    .map(({ name, properties, provisioningState }) => ({
      name,
      state: provisioningState,
      pool: describeAgentPool(properties),
    }));
}

export function findPool(clusterBody: JsonObject, id: ArmId): PoolInCluster | undefined {
  const parts = partsOf(clusterBody);
  const pool = parts.find((part) => part.canonicalId === id.canonical);
  const cluster = parts.find((part) => part.kind === managedClusterKind.name);
  if (pool === undefined || cluster === undefined) return undefined;
  return { cluster: cluster.properties, poolRaw: pool.properties, pool: describeAgentPool(pool.properties) };
}

/** What of the cluster and its pools is being changed, in words; undefined when all of it is at rest. */
export function changeUnderWay(clusterBody: JsonObject): string | undefined {
  const moving = partsOf(clusterBody).find((part) => provisioningPhase(part.provisioningState) === 'moving');
  return moving === undefined
    ? undefined
    : `Another operation runs on the cluster: ${moving.name} is ${moving.provisioningState}.`;
}

/** As `changeUnderWay`, of a cluster that is read for it. */
export async function otherChangeOf(
  client: AksClient,
  cluster: ArmId,
  context: AzureCallContext,
): Promise<string | undefined> {
  const reading = await client.getCluster(cluster, context);
  return reading.state === 'missing' ? undefined : changeUnderWay(reading.body);
}
