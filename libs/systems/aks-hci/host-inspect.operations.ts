import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { Json } from '#libs/kernel/json.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { OperationContext, OperationDefinition, Verification } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AksHciClient } from './aks-hci.client.js';
import { CUSTOM_LOCATION_TYPE } from './aks-hci.kinds.js';
import {
  CONTROL_PLANE_COUNTS,
  MOST_CLUSTERS_OF_HOST,
  MOST_NODES_OF_CLUSTER,
  MOST_POOLS_OF_CLUSTER,
} from './host.limits.js';
import { fetchOffer } from './host-offer.step.js';
import { clustersOfHost, readOffer } from './host.preflight.js';

const inspectInput = z.strictObject({
  customLocation: resourceReference('The custom location, which stands for the host'),
});
type InspectInput = z.output<typeof inspectInput>;

const inspectFindings = {
  CUSTOM_LOCATION_NOT_FOUND: 'Azure does not know the custom location.',
  CUSTOM_LOCATION_NOT_READY: 'The last operation on the custom location has not succeeded.',
} as const satisfies Record<string, string>;

export function inspectHost(client: AksHciClient): OperationDefinition<typeof inspectInput> {
  return {
    type: 'hci.host.inspect',
    title: 'Inspect an Azure Stack HCI host',
    description:
      'Changes nothing that runs: lets Azure ask the host which versions of Kubernetes and which machines it has, and answers them with the clusters that it carries and its limits.',
    permission: 'hci/hosts/read',
    input: inspectInput,
    references: { customLocation: ['CustomLocation'] },
    timeoutSeconds: 1800,
    findings: inspectFindings,
    target(_input, references) {
      const id = customLocationOf(references);
      return { id: id.toString(), kind: 'CustomLocation', lock: `${id.canonical}/inspection` };
    },
    preflight: (context) => preflightInspect(client, context),
    steps: [
      {
        name: 'versions',
        description: 'Lets Azure ask the host which versions of Kubernetes it has.',
        run: (context) => fetchOffer(client, customLocationOf(context.references), 'kubernetesVersions', context),
      },
      {
        name: 'vm-sizes',
        description: 'Lets Azure ask the host which machines it offers.',
        run: (context) => fetchOffer(client, customLocationOf(context.references), 'vmSizes', context),
      },
    ],
    verify: (context) => verifyInspect(client, context),
  };
}

async function preflightInspect(client: AksHciClient, context: OperationContext<InspectInput>): Promise<Finding[]> {
  const id = customLocationOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(inspectFindings, findings);
  const reading = await client.getCustomLocation(id, context);
  if (reading.state === 'missing') {
    say('CUSTOM_LOCATION_NOT_FOUND', 'error', { customLocation: id.toString() });
    return findings;
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'failed') say('CUSTOM_LOCATION_NOT_READY', 'warning', { provisioningState: state });
  return findings;
}

async function verifyInspect(client: AksHciClient, context: OperationContext<InspectInput>): Promise<Verification> {
  const id = customLocationOf(context.references);
  const { versions, vmSizes } = await readOffer(client, id, context);
  if (versions === undefined || vmSizes === undefined) {
    return { verdict: 'missed', message: 'Azure does not tell what the host has.' };
  }
  const clusters = await clustersOfHost(client, id.subscriptionId ?? '', id, context);
  const result: Json = {
    customLocation: id.toString(),
    kubernetesVersions: versions.map((version) => ({
      ...version,
      readiness: version.readiness.map((each) => ({ ...each })),
    })),
    vmSizes: vmSizes.map((size) => ({ ...size, capabilities: { ...size.capabilities } })),
    clusters: clusters.map(({ id: cluster }) => cluster.toString()),
    limits: {
      clusters: MOST_CLUSTERS_OF_HOST,
      nodePoolsOfCluster: MOST_POOLS_OF_CLUSTER,
      nodesOfCluster: MOST_NODES_OF_CLUSTER,
      controlPlaneCounts: [...CONTROL_PLANE_COUNTS],
    },
  };
  return { verdict: 'reached', result, observations: [], absent: [] };
}

function customLocationOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'customLocation', CUSTOM_LOCATION_TYPE);
}
