import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation } from '../contract/observation.js';
import { provisioningHealth, provisioningPhase } from '../contract/provisioning-state.js';
import { rawFlag, rawInteger, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { CONNECTED_CLUSTER_TYPE } from './arc.types.js';

/** The agents renew their certificate well before this: one that has less left could not be renewed. */
const RENEWAL_MS = 45 * 86_400_000;

const agentError = z
  .object({
    component: z.string().nullable().describe('The agent that reports it.'),
    severity: z.string().nullable().describe('How much it matters.'),
    message: z.string().nullable().describe('What it says.'),
    time: z.string().nullable().describe('When, as Azure writes it.'),
  })
  .meta({ id: 'ArcAgentError', description: 'A fault that an agent of Azure Arc reports.' });

const connectedClusterProperties = z.object({
  connectivityStatus: z
    .string()
    .nullable()
    .describe(
      '`Connecting` until the agents run, then `Connected`; `Offline` after about 15 minutes without a sign of them, `Expired` when their certificate has run out.',
    ),
  lastConnectivityTime: z.string().nullable().describe('When Azure last heard of the agents.'),
  certificateExpiresAt: z
    .string()
    .nullable()
    .describe('When the certificate of the agents runs out; they renew it by themselves while they are connected.'),
  agentVersion: z.string().nullable().describe('The version of the agents in the cluster.'),
  agentAutoUpgrade: z.string().nullable().describe('Whether the agents upgrade themselves: `Enabled` or `Disabled`.'),
  agentErrors: z.array(agentError).describe('What the agents complain about.'),
  distribution: z.string().nullable().describe('The distribution of Kubernetes, such as `aks_workload` or `k3s`.'),
  distributionVersion: z.string().nullable().describe('The version of the distribution.'),
  infrastructure: z.string().nullable().describe('What the cluster stands on, such as `azure_stack_hci`.'),
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version that the agents report.'),
  nodeCount: z.int().nullable().describe('The number of nodes that the agents report.'),
  coreCount: z.int().nullable().describe('The number of cores that the agents report.'),
  features: z
    .array(z.string())
    .describe(
      'The features that Azure itself knows to be on. What was switched on in the cluster alone (cluster connect, custom locations) is known to the cluster.',
    ),
  azureRbac: z.boolean().describe('Whether Azure role assignments decide what a caller may do inside the cluster.'),
  privateLink: z.boolean().describe('Whether the agents talk to Azure by private link alone.'),
  azureHybridBenefit: z.string().nullable().describe('The licence benefit: `True`, `False` or `NotApplicable`.'),
  offering: z.string().nullable().describe('The offering that the cluster is part of.'),
  provisioned: z.boolean().describe('Whether Azure made the cluster itself (AKS enabled by Azure Arc).'),
  identityPrincipalId: z.string().nullable().describe('The object id of the identity of the agents.'),
  oidcIssuerUrl: z.string().nullable().describe('The OpenID Connect issuer of the cluster, where it is switched on.'),
});

export type ConnectedClusterProperties = z.output<typeof connectedClusterProperties>;

export const connectedClusterKind: KindDefinition<typeof connectedClusterProperties> = {
  name: 'ConnectedCluster',
  description: 'A Kubernetes cluster anywhere that is connected to Azure by Azure Arc.',
  armType: CONNECTED_CLUSTER_TYPE,
  properties: connectedClusterProperties,
  describe: describeConnectedCluster,
  relations: [
    {
      name: 'extensions',
      description: 'The software that Azure has installed in the cluster.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'ClusterExtension',
      cardinality: 'many',
    },
    {
      name: 'fluxConfigurations',
      description: 'The repositories that the cluster follows.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'FluxConfiguration',
      cardinality: 'many',
    },
    {
      name: 'customLocations',
      description: 'The custom locations in the cluster.',
      type: 'hosts',
      direction: 'outgoing',
      kind: 'CustomLocation',
      cardinality: 'many',
    },
    {
      name: 'fleetMember',
      description: 'The membership of the cluster in a fleet, where it has one.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'FleetMember',
      cardinality: 'one',
    },
  ],
};

export function describeConnectedCluster(raw: JsonObject): ConnectedClusterProperties {
  const azureRbac = rawFlag(raw, 'aadProfile', 'enableAzureRBAC') ?? false;
  return {
    connectivityStatus: rawText(raw, 'connectivityStatus'),
    lastConnectivityTime: rawText(raw, 'lastConnectivityTime'),
    certificateExpiresAt: rawText(raw, 'managedIdentityCertificateExpirationTime'),
    agentVersion: rawText(raw, 'agentVersion'),
    agentAutoUpgrade: rawText(raw, 'arcAgentProfile', 'agentAutoUpgrade'),
    agentErrors: rawObjects(raw, 'arcAgentProfile', 'agentErrors').map((error) => ({
      component: rawText(error, 'component'),
      severity: rawText(error, 'severity'),
      message: rawText(error, 'message'),
      time: rawText(error, 'time'),
    })),
    distribution: rawText(raw, 'distribution'),
    distributionVersion: rawText(raw, 'distributionVersion'),
    infrastructure: rawText(raw, 'infrastructure'),
    kubernetesVersion: rawText(raw, 'kubernetesVersion'),
    nodeCount: rawInteger(raw, 'totalNodeCount'),
    coreCount: rawInteger(raw, 'totalCoreCount'),
    features: featuresOf(raw, azureRbac),
    azureRbac,
    privateLink: rawText(raw, 'privateLinkState')?.toLowerCase() === 'enabled',
    azureHybridBenefit: rawText(raw, 'azureHybridBenefit'),
    offering: rawText(raw, 'offering'),
    provisioned: rawText(raw, 'kind')?.toLowerCase() === 'provisionedcluster',
    identityPrincipalId: rawText(raw, 'identity', 'principalId'),
    oidcIssuerUrl: rawText(raw, 'oidcIssuerProfile', 'issuerUrl'),
  };
}

function featuresOf(raw: JsonObject, azureRbac: boolean): string[] {
  const configured = rawObjects(raw, 'arcAgentryConfigurations').map((entry) => rawText(entry, 'feature'));
  const features = [
    ...configured,
    azureRbac ? 'azure-rbac' : null,
    rawFlag(raw, 'securityProfile', 'workloadIdentity', 'enabled') === true ? 'workload-identity' : null,
  ].filter((feature) => feature !== null);
  return [...new Set(features)];
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeConnectedCluster(body: JsonObject, reading: Reading): Observation {
  return armObservation(body, {
    ...reading,
    kind: connectedClusterKind.name,
    health: connectivityHealth(rawObject(body, 'properties') ?? {}, reading.observedAt),
    relations: [],
  });
}

/** A cluster that Azure is done with is as well as its agents are. */
export function connectivityHealth(raw: JsonObject, at: Date): Health {
  const state = rawText(raw, 'provisioningState');
  const phase = provisioningPhase(state);
  if (phase !== 'succeeded' && phase !== 'unknown') return provisioningHealth(state, null, null);
  const connectivity = rawText(raw, 'connectivityStatus');
  switch (connectivity?.toLowerCase()) {
    case 'connected':
      return certificateHealth(rawText(raw, 'managedIdentityCertificateExpirationTime'), at);
    case 'connecting':
      return { state: 'Progressing', reason: 'Azure waits for the agents in the cluster.' };
    case 'agentnotinstalled':
      return { state: 'Progressing', reason: 'No agents have been installed in the cluster.' };
    case 'offline':
      return {
        state: 'Degraded',
        reason: 'Azure hears nothing of the agents: the cluster is down or cannot reach Azure.',
      };
    case 'expired':
      return {
        state: 'Degraded',
        reason: 'The certificate of the agents has run out: the cluster has to be disconnected and connected anew.',
      };
    default:
      return { state: 'Unknown', reason: 'Azure does not say whether the cluster is connected.' };
  }
}

function certificateHealth(expiresAt: string | null, at: Date): Health {
  const left = expiresAt === null ? Number.NaN : Date.parse(expiresAt) - at.getTime();
  if (Number.isNaN(left) || left >= RENEWAL_MS) return { state: 'Healthy', reason: null };
  return {
    state: 'Degraded',
    reason: `The certificate of the agents runs out at ${expiresAt} and should have been renewed by now.`,
  };
}
