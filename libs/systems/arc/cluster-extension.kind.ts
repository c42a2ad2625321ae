import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { armErrorText, armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation } from '../contract/observation.js';
import { provisioningHealth, provisioningPhase } from '../contract/provisioning-state.js';
import { rawFlag, rawMember, rawObject, rawObjects, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { EXTENSION_TYPE } from './arc.types.js';

const extensionStatus = z
  .object({
    code: z.string().nullable().describe('The code, such as `InstallationFailed`.'),
    level: z.string().nullable().describe('`Information`, `Warning` or `Error`.'),
    message: z.string().nullable().describe('What the agents say.'),
    time: z.string().nullable().describe('When, as Azure writes it.'),
  })
  .meta({ id: 'ClusterExtensionStatus', description: 'What the agents in the cluster say about an extension.' });

const extensionProperties = z.object({
  extensionType: z.string().nullable().describe('The type, in lower case, such as `microsoft.web.appservice`.'),
  version: z.string().nullable().describe('The version that it is held at; null where Azure chooses.'),
  currentVersion: z.string().nullable().describe('The version that is installed.'),
  releaseTrain: z.string().nullable().describe('The release train, such as `Stable`.'),
  autoUpgrade: z.boolean().describe('Whether Azure upgrades it by itself.'),
  scope: z.string().nullable().describe('`cluster` or `namespace`.'),
  releaseNamespace: z.string().nullable().describe('The namespace that it is installed in.'),
  settings: z.record(z.string(), z.string()).describe('Its settings, without the secret ones.'),
  protectedSettings: z.array(z.string()).describe('The names of its secret settings, as far as Azure tells them.'),
  statuses: z.array(extensionStatus).describe('What the agents in the cluster say about it.'),
  isSystem: z.boolean().describe('Whether it came with the cluster and is nobody\u2019s to change.'),
  identityPrincipalId: z.string().nullable().describe('The object id of the identity of the extension.'),
  lastOperationError: z.string().nullable().describe('What Azure says about the last failure, as code and message.'),
});

export type ClusterExtensionProperties = z.output<typeof extensionProperties>;

export const clusterExtensionKind: KindDefinition<typeof extensionProperties> = {
  name: 'ClusterExtension',
  description: 'Software that Azure installs in a connected cluster and keeps up to date there.',
  armType: EXTENSION_TYPE,
  properties: extensionProperties,
  describe: describeClusterExtension,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster that it is installed in.',
      type: 'owns',
      direction: 'incoming',
      kind: 'ConnectedCluster',
      cardinality: 'one',
    },
    {
      name: 'customLocations',
      description: 'The custom locations that stand on it.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'CustomLocation',
      cardinality: 'many',
    },
  ],
};

export function describeClusterExtension(raw: JsonObject): ClusterExtensionProperties {
  const targetNamespace = rawText(raw, 'scope', 'namespace', 'targetNamespace');
  const releaseNamespace = rawText(raw, 'scope', 'cluster', 'releaseNamespace');
  return {
    extensionType: rawText(raw, 'extensionType')?.toLowerCase() ?? null,
    version: rawText(raw, 'version'),
    currentVersion: rawText(raw, 'currentVersion'),
    releaseTrain: rawText(raw, 'releaseTrain'),
    autoUpgrade: rawFlag(raw, 'autoUpgradeMinorVersion') ?? false,
    scope: targetNamespace !== null ? 'namespace' : rawObject(raw, 'scope', 'cluster') !== null ? 'cluster' : null,
    releaseNamespace: targetNamespace ?? releaseNamespace,
    settings: rawTextRecord(raw, 'configurationSettings'),
    protectedSettings: Object.keys(rawObject(raw, 'configurationProtectedSettings') ?? {}),
    statuses: rawObjects(raw, 'statuses').map((status) => ({
      code: rawText(status, 'code'),
      level: rawText(status, 'level'),
      message: rawText(status, 'message'),
      time: rawText(status, 'time'),
    })),
    isSystem: rawFlag(raw, 'isSystemExtension') ?? false,
    identityPrincipalId: rawText(raw, 'identity', 'principalId'),
    lastOperationError: armErrorText(rawMember(raw, 'errorInfo')),
  };
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeClusterExtension(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const { parent } = id;
  return armObservation(withoutSecrets(body), {
    ...reading,
    kind: clusterExtensionKind.name,
    health: extensionHealth(rawObject(body, 'properties') ?? {}),
    relations: parent === undefined ? [] : [{ type: 'owns', from: parent.canonical, to: id.canonical }],
    location: null,
    clusterUid: parent?.uid ?? null,
  });
}

/** As well as what it does in the cluster, and as long as it is at the version that it is held at. */
export function extensionHealth(raw: JsonObject): Health {
  const health = installationHealth(raw);
  const drift = health.state === 'Healthy' ? driftOf(describeClusterExtension(raw)) : null;
  return drift === null ? health : { state: 'Degraded', reason: drift };
}

function driftOf({ version, currentVersion, autoUpgrade }: ClusterExtensionProperties): string | null {
  if (version === null || currentVersion === null || version === currentVersion) return null;
  const why = autoUpgrade ? ': Azure upgrades it by itself' : '';
  return `It is to be held at the version ${version}, and ${currentVersion} is installed${why}.`;
}

/** What the agents report counts as well: the operation in Azure can have ended well before it failed in the cluster. */
export function installationHealth(raw: JsonObject): Health {
  const { statuses, lastOperationError } = describeClusterExtension(raw);
  const fault = statuses.find(({ level }) => level?.toLowerCase() === 'error');
  const said = lastOperationError ?? faultText(fault);
  const state = rawText(raw, 'provisioningState');
  if (provisioningPhase(state) === 'succeeded' && fault !== undefined) return { state: 'Degraded', reason: said };
  return provisioningHealth(state, said, null);
}

function faultText(fault: ClusterExtensionProperties['statuses'][number] | undefined): string | null {
  const parts = [fault?.code, fault?.message].filter((part) => part !== null && part !== undefined);
  return parts.length === 0 ? null : parts.join(': ');
}

/** Azure leaves the values out; were it ever to tell one, it would not be kept. */
function withoutSecrets(body: JsonObject): JsonObject {
  const secrets = rawObject(body, 'properties', 'configurationProtectedSettings');
  if (secrets === null) return body;
  const properties = rawObject(body, 'properties') ?? {};
  const blank = Object.fromEntries(Object.keys(secrets).map((name) => [name, '']));
  return { ...body, properties: { ...properties, configurationProtectedSettings: blank } };
}
