import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { armErrorText, armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import { rawFlag, rawMember, rawText, rawTexts } from '../contract/raw-reader.js';
import { followsStrategy, ownedByFleet } from './fleet-child.js';

export const FLEET_AUTO_UPGRADE_PROFILE_TYPE = 'Microsoft.ContainerService/fleets/autoUpgradeProfiles';

const profileProperties = z.object({
  channel: z
    .string()
    .nullable()
    .describe('What the profile follows: `Stable`, `Rapid`, `NodeImage` or `TargetKubernetesVersion`.'),
  targetKubernetesVersion: z
    .string()
    .nullable()
    .describe('The minor version of the channel `TargetKubernetesVersion`, such as `1.33`.'),
  longTermSupport: z.boolean().describe('Whether versions with long-term support only are taken as well.'),
  disabled: z.boolean().describe('Whether the profile is switched off: it then makes no update runs.'),
  nodeImageSelection: z.string().nullable().describe('How node images are chosen: `Latest` or `Consistent`.'),
  updateStrategyId: z.string().nullable().describe('The ARM id of the strategy that its update runs follow.'),
  lastTriggeredAt: z.string().nullable().describe('When the profile last made, or tried to make, an update run.'),
  lastTriggerStatus: z.string().nullable().describe('How that went: `Succeeded` or `Failed`.'),
  lastTriggerError: z.string().nullable().describe('What Azure says about the failure, as code and message.'),
  lastTriggerVersions: z.array(z.string()).describe('The versions that the last update run was made for.'),
});

export const fleetAutoUpgradeProfileKind: KindDefinition<typeof profileProperties> = {
  name: 'FleetAutoUpgradeProfile',
  description: 'Makes and starts update runs of a fleet whenever a new Kubernetes version or node image comes out.',
  armType: FLEET_AUTO_UPGRADE_PROFILE_TYPE,
  properties: profileProperties,
  describe: (raw) => ({
    channel: rawText(raw, 'channel'),
    targetKubernetesVersion: rawText(raw, 'targetKubernetesVersion'),
    longTermSupport: rawFlag(raw, 'longTermSupport') ?? false,
    disabled: rawFlag(raw, 'disabled') ?? false,
    nodeImageSelection: rawText(raw, 'nodeImageSelection', 'type'),
    updateStrategyId: rawText(raw, 'updateStrategyId'),
    lastTriggeredAt: rawText(raw, 'autoUpgradeProfileStatus', 'lastTriggeredAt'),
    lastTriggerStatus: rawText(raw, 'autoUpgradeProfileStatus', 'lastTriggerStatus'),
    lastTriggerError: armErrorText(rawMember(raw, 'autoUpgradeProfileStatus', 'lastTriggerError')),
    lastTriggerVersions: rawTexts(raw, 'autoUpgradeProfileStatus', 'lastTriggerUpgradeVersions'),
  }),
  relations: [
    {
      name: 'fleet',
      description: 'The fleet of the profile.',
      type: 'owns',
      direction: 'incoming',
      kind: 'Fleet',
      cardinality: 'one',
    },
    {
      name: 'updateStrategy',
      description: 'The strategy that its update runs follow.',
      type: 'follows',
      direction: 'outgoing',
      kind: 'FleetUpdateStrategy',
      cardinality: 'one',
    },
    {
      name: 'updateRuns',
      description: 'The update runs that the profile has made.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'FleetUpdateRun',
      cardinality: 'many',
    },
  ],
};

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeFleetAutoUpgradeProfile(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  return armObservation(body, {
    ...reading,
    kind: fleetAutoUpgradeProfileKind.name,
    health: healthOf(body),
    relations: [...ownedByFleet(id), ...followsStrategy(id, body)],
    location: null,
  });
}

function healthOf(body: JsonObject): Health {
  const record = provisioningHealth(rawText(body, 'properties', 'provisioningState'), null, null);
  if (record.state !== 'Healthy') return record;
  const status = rawMember(body, 'properties', 'autoUpgradeProfileStatus');
  if (rawText(status, 'lastTriggerStatus')?.toLowerCase() === 'failed') {
    const reason = armErrorText(rawMember(status, 'lastTriggerError'));
    return { state: 'Degraded', reason: reason ?? 'Its last trigger failed; Azure gives no reason.' };
  }
  return rawFlag(body, 'properties', 'disabled') === true
    ? { state: 'Unknown', reason: 'It is switched off.' }
    : record;
}
