import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import { rawInteger, rawObjects, rawText } from '../contract/raw-reader.js';
import { ownedByFleet, withoutPreviewMembers } from './fleet-child.js';

export const FLEET_UPDATE_STRATEGY_TYPE = 'Microsoft.ContainerService/fleets/updateStrategies';

const strategyGroup = z
  .object({
    name: z.string().nullable().describe('The update group of the members that are meant.'),
    maxConcurrency: z
      .string()
      .nullable()
      .describe('How many of its members are updated at the same time, as a number or a share; one where absent.'),
  })
  .meta({ id: 'FleetUpdateStrategyGroup', description: 'An update group of a stage.' });

const strategyStage = z
  .object({
    name: z.string().nullable().describe('The name of the stage.'),
    groups: z.array(strategyGroup).describe('The update groups of the stage, which are updated side by side.'),
    maxConcurrency: z
      .string()
      .nullable()
      .describe('How many members of the stage are updated at the same time, as a number or a share.'),
    afterStageWaitSeconds: z.int().nullable().describe('How long is waited before the next stage begins. Seconds.'),
  })
  .meta({ id: 'FleetUpdateStrategyStage', description: 'A stage of an update strategy; one comes after the other.' });

export const strategyStages = z.array(strategyStage);
export type FleetUpdateStrategyStage = z.output<typeof strategyStage>;

const updateStrategyProperties = z.object({
  stages: strategyStages.describe('The stages, in their order.'),
});

export const fleetUpdateStrategyKind: KindDefinition<typeof updateStrategyProperties> = {
  name: 'FleetUpdateStrategy',
  description:
    'The sequence in which update runs take the members of a fleet. A run copies it when it is created: later changes do not reach it.',
  armType: FLEET_UPDATE_STRATEGY_TYPE,
  properties: updateStrategyProperties,
  describe: (raw) => ({ stages: describeStages(raw) }),
  relations: [
    {
      name: 'fleet',
      description: 'The fleet of the strategy.',
      type: 'owns',
      direction: 'incoming',
      kind: 'Fleet',
      cardinality: 'one',
    },
    {
      name: 'updateRuns',
      description: 'The update runs that were made from the strategy.',
      type: 'follows',
      direction: 'incoming',
      kind: 'FleetUpdateRun',
      cardinality: 'many',
    },
    {
      name: 'autoUpgradeProfiles',
      description: 'The auto-upgrade profiles whose update runs follow the strategy.',
      type: 'follows',
      direction: 'incoming',
      kind: 'FleetAutoUpgradeProfile',
      cardinality: 'many',
    },
  ],
};

/** The stages of what has a `strategy`: a strategy itself, or a run with its copy. */
export function describeStages(raw: JsonObject): FleetUpdateStrategyStage[] {
  return rawObjects(raw, 'strategy', 'stages').map((stage) => ({
    name: rawText(stage, 'name'),
    groups: rawObjects(stage, 'groups').map((group) => ({
      name: rawText(group, 'name'),
      maxConcurrency: rawText(group, 'maxConcurrency'),
    })),
    maxConcurrency: rawText(stage, 'maxConcurrency'),
    afterStageWaitSeconds: rawInteger(stage, 'afterStageWaitInSeconds'),
  }));
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeFleetUpdateStrategy(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  return armObservation(withoutPreviewMembers(body), {
    ...reading,
    kind: fleetUpdateStrategyKind.name,
    health: provisioningHealth(rawText(body, 'properties', 'provisioningState'), null, null),
    relations: ownedByFleet(id),
    location: null,
  });
}
