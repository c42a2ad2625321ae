import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation } from '../contract/observation.js';
import { provisioningHealth, provisioningPhase } from '../contract/provisioning-state.js';
import { rawFlag, rawObject, rawText } from '../contract/raw-reader.js';
import { FLUX_CONFIGURATION_TYPE } from './arc.types.js';

const SOURCES = ['gitRepository', 'bucket', 'azureBlob', 'ociRepository'];

const fluxProperties = z.object({
  sourceKind: z.string().nullable().describe('`GitRepository`, `Bucket`, `AzureBlob` or `OCIRepository`.'),
  sourceUrl: z.string().nullable().describe('Where the source lies.'),
  branch: z.string().nullable().describe('The branch that is followed, where it is a Git repository.'),
  ownNamespace: z.string().nullable().describe('The namespace that the configuration itself lies in.'),
  scope: z.string().nullable().describe('`cluster`, or `namespace` where it may change its namespace alone.'),
  suspended: z.boolean().describe('Whether the cluster has been told to stop following.'),
  complianceState: z.string().nullable().describe('`Compliant`, `Non-Compliant`, `Pending`, `Suspended` or `Unknown`.'),
  syncedCommitId: z.string().nullable().describe('What was last brought into the cluster.'),
  kustomizations: z.array(z.string()).describe('The names of its parts.'),
  errorMessage: z.string().nullable().describe('What goes wrong, where something does.'),
});

export type FluxConfigurationProperties = z.output<typeof fluxProperties>;

export const fluxConfigurationKind: KindDefinition<typeof fluxProperties> = {
  name: 'FluxConfiguration',
  description: 'A repository that a connected cluster follows by GitOps.',
  armType: FLUX_CONFIGURATION_TYPE,
  properties: fluxProperties,
  describe: describeFluxConfiguration,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster that follows.',
      type: 'owns',
      direction: 'incoming',
      kind: 'ConnectedCluster',
      cardinality: 'one',
    },
  ],
};

export function describeFluxConfiguration(raw: JsonObject): FluxConfigurationProperties {
  const source = SOURCES.map((name) => rawObject(raw, name)).find((candidate) => candidate !== null);
  return {
    sourceKind: rawText(raw, 'sourceKind'),
    sourceUrl: rawText(source, 'url'),
    branch: rawText(raw, 'gitRepository', 'repositoryRef', 'branch'),
    ownNamespace: rawText(raw, 'namespace'),
    scope: rawText(raw, 'scope'),
    suspended: rawFlag(raw, 'suspend') ?? false,
    complianceState: rawText(raw, 'complianceState'),
    syncedCommitId: rawText(raw, 'sourceSyncedCommitId'),
    kustomizations: Object.keys(rawObject(raw, 'kustomizations') ?? {}),
    errorMessage: rawText(raw, 'errorMessage'),
  };
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeFluxConfiguration(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const { parent } = id;
  return armObservation(body, {
    ...reading,
    kind: fluxConfigurationKind.name,
    health: complianceHealth(rawObject(body, 'properties') ?? {}),
    relations: parent === undefined ? [] : [{ type: 'owns', from: parent.canonical, to: id.canonical }],
    location: null,
    clusterUid: parent?.uid ?? null,
  });
}

export function complianceHealth(raw: JsonObject): Health {
  const { complianceState, errorMessage } = describeFluxConfiguration(raw);
  const state = rawText(raw, 'provisioningState');
  if (provisioningPhase(state) !== 'succeeded') return provisioningHealth(state, errorMessage, null);
  switch (complianceState?.toLowerCase()) {
    case 'compliant':
      return { state: 'Healthy', reason: null };
    case 'non-compliant':
      return { state: 'Degraded', reason: errorMessage ?? 'The cluster is not as the repository wants it.' };
    case 'pending':
      return { state: 'Progressing', reason: 'The cluster is being brought to what the repository wants.' };
    case 'suspended':
      return { state: 'Unknown', reason: 'The cluster does not follow the repository at present.' };
    default:
      return { state: 'Unknown', reason: 'Azure does not say whether the cluster is as the repository wants it.' };
  }
}
