import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { reachDesiredState } from '#libs/azure/desired-state.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AksHciClient } from './aks-hci.client.js';
import { PROVISIONED_CLUSTER_TYPE, provisionedClusterKind } from './aks-hci.kinds.js';
import { failureOf } from './provisioning.failure.js';

const deleteInput = z.strictObject({ cluster: resourceReference('The provisioned cluster to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  CLUSTER_NOT_FOUND: 'The cluster is gone already.',
  CLUSTER_BUSY: 'Another operation runs on the cluster; the deletion waits until it has ended.',
  WORKLOADS_ARE_DELETED: 'Everything that runs on the cluster is deleted with its machines and their disks.',
} as const satisfies Record<string, string>;

export function deleteCluster(client: AksHciClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'hci.cluster.delete',
    title: 'Delete a workload cluster on Azure Stack HCI',
    description:
      'Deletes the machines of a provisioned cluster, then the connected cluster that they belong to. The other way round the machines would be left on the host.',
    permission: 'hci/clusters/delete',
    input: deleteInput,
    references: { cluster: [provisionedClusterKind.name] },
    timeoutSeconds: 2 * 3600,
    findings: deleteFindings,
    target(_input, references) {
      const id = instanceIdOf(references);
      return { id: id.toString(), kind: provisionedClusterKind.name, lock: clusterOf(id).canonical };
    },
    preflight: (context) => preflightDelete(client, context),
    steps: [
      {
        name: 'machines',
        description: 'Deletes the machines and waits until they are gone.',
        run: (context) => runMachines(client, context),
      },
      {
        name: 'connected-cluster',
        description: 'Deletes the connected cluster and waits until it is gone.',
        run: (context) => runConnectedCluster(client, context),
      },
    ],
    verify: (context) => verifyDelete(client, context),
  };
}

async function preflightDelete(client: AksHciClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = instanceIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const [instance, connected] = await Promise.all([
    client.getInstance(id, context),
    client.getConnectedCluster(clusterOf(id), context),
  ]);
  if (instance.state === 'missing') {
    if (connected.state === 'missing') say('CLUSTER_NOT_FOUND', 'info', { cluster: id.toString() });
    return findings;
  }
  const state = rawText(instance.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'moving') say('CLUSTER_BUSY', 'warning', { provisioningState: state });
  say('WORKLOADS_ARE_DELETED', 'warning', { cluster: clusterOf(id).name });
  return findings;
}

function runMachines(client: AksHciClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = instanceIdOf(context.references);
  const cluster = clusterOf(id);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `The host is deleting the machines of ${cluster.name}.`,
      read: () => client.getInstance(id, context),
      judge: (reading) =>
        judgeRemoval(`What the host has of ${cluster.name}`, reading, (done, body) => failureOf(done, body, cluster)),
      write: () => client.deleteInstance(id, context),
    },
    context,
  );
}

async function runConnectedCluster(client: AksHciClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = instanceIdOf(context.references);
  const cluster = clusterOf(id);
  // Without its connected cluster nobody could ask the host for the machines any more.
  if (context.resumeToken === undefined && (await client.getInstance(id, context)).state === 'found') {
    throw new ControlError('CONFLICT', `The host still has machines of ${cluster.name}.`, {
      remedy: 'Start the deletion again: what is gone stays gone.',
    });
  }
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting the connected cluster ${cluster.name}.`,
      read: () => client.getConnectedCluster(cluster, context),
      judge: (reading) =>
        judgeRemoval(`The connected cluster ${cluster.name}`, reading, (done, body) => failureOf(done, body, cluster)),
      write: () => client.deleteConnectedCluster(cluster, context),
    },
    context,
  );
}

async function verifyDelete(client: AksHciClient, context: OperationContext<DeleteInput>): Promise<Verification> {
  const id = instanceIdOf(context.references);
  const cluster = clusterOf(id);
  const instance = await client.getInstance(id, context);
  const pause = client.arm.pollIntervalSeconds;
  if (instance.state === 'found') return verifyRemoval(`What the host has of ${cluster.name}`, instance, [], pause);
  const connected = await client.getConnectedCluster(cluster, context);
  const gone: ResourceTarget[] = [
    context.target,
    { id: cluster.toString(), uid: cluster.uid, kind: 'ConnectedCluster' },
  ];
  return verifyRemoval(`The connected cluster ${cluster.name}`, connected, gone, pause);
}

function instanceIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'cluster', PROVISIONED_CLUSTER_TYPE);
}

function clusterOf(instance: ArmId): ArmId {
  return instance.parent ?? instance;
}
