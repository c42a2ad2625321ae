import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState } from '#libs/azure/desired-state.js';
import { armIdOf } from '../contract/arm-observation.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { AksClient } from './aks.client.js';
import { managedClusterKind } from './aks.kinds.js';
import { clusterFindings, judgeCluster, judgeVirtualNodes, virtualNodeFindings } from './cluster.preflight.js';
import { clusterId } from './cluster.reading.js';

const deleteInput = z.strictObject({ cluster: resourceReference('The AKS cluster to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  ...clusterFindings,
  ...virtualNodeFindings,
  CLUSTER_GONE: 'The cluster is gone already.',
  NODES_ARE_DELETED: 'The nodes are deleted with the cluster, and with them all that runs on them.',
  FLEET_MEMBER: 'The cluster is a member of a fleet, which would be left with a member that is not there.',
  MEMBERSHIP_UNKNOWN: 'It could not be read whether the cluster is a member of a fleet.',
} as const satisfies Record<string, string>;

export function deleteCluster(client: AksClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'aks.cluster.delete',
    title: 'Delete an AKS cluster',
    description:
      'Deletes an AKS cluster, its nodes and the resource group that Azure made for them, and waits until they are gone. Waits first while another operation runs on the cluster, which Azure would break off.',
    permission: 'aks/clusters/delete',
    input: deleteInput,
    references: { cluster: [managedClusterKind.name] },
    timeoutSeconds: 5400,
    findings: deleteFindings,
    target(_input, references) {
      const id = clusterId(references);
      return { id: id.toString(), kind: managedClusterKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightDelete(client, context),
    steps: [
      {
        name: 'delete',
        description: 'Asks AKS to delete the cluster and waits until it is gone.',
        run: (context) => runDelete(client, context),
      },
    ],
    verify: (context) => verifyDelete(client, context),
  };
}

async function preflightDelete(client: AksClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = clusterId(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing') {
    say('CLUSTER_GONE', 'info', { cluster: id.toString() });
    return findings;
  }
  const cluster = judgeCluster(reading.body, say);
  judgeVirtualNodes(cluster, id.toString(), say);
  const { nodeCount, nodePoolCount, nodeResourceGroup } = cluster;
  say('NODES_ARE_DELETED', 'warning', { nodeCount, nodePoolCount, nodeResourceGroup });
  try {
    for (const member of await membershipsOf(client, id, context)) {
      say('FLEET_MEMBER', 'warning', { member }, 'Let the cluster leave the fleet first.', [
        { type: 'fleet.member.leave', input: { member } },
      ]);
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('MEMBERSHIP_UNKNOWN', 'info', { code: error.externalCode ?? error.code });
  }
  return findings;
}

async function membershipsOf(client: AksClient, id: ArmId, context: OperationContext<unknown>): Promise<string[]> {
  const members: string[] = [];
  for await (const page of client.discoverMemberships(id, context)) {
    members.push(...page.rows.map((row) => armIdOf(row).toString()));
  }
  return members;
}

function runDelete(client: AksClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = clusterId(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting the cluster ${id.name}.`,
      read: () => client.getCluster(id, context),
      judge: (reading) => judgeRemoval(`The cluster ${id.name}`, reading, failedOperationError),
      write: () => client.deleteCluster(id, context),
    },
    context,
  );
}

async function verifyDelete(client: AksClient, context: OperationContext<DeleteInput>): Promise<Verification> {
  const id = clusterId(context.references);
  const reading = await client.getCluster(id, context);
  return verifyRemoval(`The cluster ${id.name}`, reading, context.target, client.arm.pollIntervalSeconds);
}
