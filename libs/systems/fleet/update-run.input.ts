import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { Violation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { referencedArmId } from '../contract/arm-reference.js';
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { FLEET_TYPE } from './fleet.kinds.js';
import { updateRunOf } from './update-run.kind.js';
import { waitFor } from './update-run-control.operations.js';
import { skipTargets } from './update-run.skip.js';
import { FLEET_UPDATE_STRATEGY_TYPE, describeStages } from './update-strategy.kind.js';
import {
  fleetChildName,
  refuseViolations,
  requireSameFleet,
  sameStages,
  stageViolations,
  strategyBody,
  updateStages,
} from './update-strategy.input.js';

const MOST_IMAGES = 50;

const upgrade = z
  .strictObject({
    type: z
      .enum(['Full', 'ControlPlaneOnly', 'NodeImageOnly'])
      .describe('`Full` takes Kubernetes and the node images, the others one of them.'),
    kubernetesVersion: z
      .string()
      .regex(/^\d+\.\d+\.\d+$/, 'must be a full version such as `1.33.5`')
      .optional()
      .describe(
        'The version to go to, such as `1.33.5`; needed for `Full` and `ControlPlaneOnly`, and for these only.',
      ),
  })
  .meta({ id: 'UpdateRunUpgrade', description: 'What an update run upgrades.' });

export const createRunInput = z.strictObject({
  fleet: resourceReference('The fleet whose members are updated'),
  name: fleetChildName.describe('The name of the run: 1 to 50 lower-case letters, digits and hyphens.'),
  upgrade: upgrade.describe('What is upgraded.'),
  nodeImageSelection: z
    .enum(['Latest', 'Consistent', 'Custom'])
    .optional()
    .describe(
      'How node images are chosen: the latest of each region, the latest that all regions have, or those given; `Latest` where absent.',
    ),
  nodeImageVersions: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(MOST_IMAGES)
    .optional()
    .describe('The node images of `Custom`, one for each family of images that the node pools have.'),
  strategy: resourceReference(
    'The update strategy to follow; it is copied, so that later changes do not reach the run. Where neither it nor stages are given, the members are updated one by one',
  ).optional(),
  stages: updateStages.optional().describe('The sequence, in place of a strategy.'),
  skip: skipTargets.optional().describe('What is left out from the beginning, such as a cluster that is stopped.'),
  start: z.boolean().default(true).describe('Whether the run is started: a run that is only created does nothing.'),
  waitFor,
});
export type CreateRunInput = z.output<typeof createRunInput>;

/** @throws ControlError INVALID_REQUEST where the parts do not go together, as Azure would say later. */
export function refuseContradictions(
  input: CreateRunInput,
  references: Readonly<Record<string, ResourceTarget>>,
): void {
  const violations: Violation[] = [...stageViolations(input.stages ?? [], 'stages')];
  const say = (path: string, message: string): number => violations.push({ path, message });
  const { type, kubernetesVersion } = input.upgrade;
  if (type === 'NodeImageOnly' && kubernetesVersion !== undefined) {
    say('upgrade.kubernetesVersion', 'must be left out where node images alone are upgraded');
  }
  if (type !== 'NodeImageOnly' && kubernetesVersion === undefined) {
    say('upgrade.kubernetesVersion', `is needed for ${type}`);
  }
  if (type === 'ControlPlaneOnly' && input.nodeImageSelection !== undefined) {
    say('nodeImageSelection', 'must be left out where the control plane alone is upgraded');
  }
  if ((input.nodeImageSelection === 'Custom') !== (input.nodeImageVersions !== undefined)) {
    say('nodeImageVersions', 'are needed for the selection Custom, and for no other');
  }
  if (input.strategy !== undefined && input.stages !== undefined) {
    say('stages', 'cannot be given beside a strategy');
  }
  if (!input.start && input.waitFor === 'completed') {
    say('waitFor', 'cannot be `completed` for a run that is not started');
  }
  refuseViolations(violations);
  const strategy = strategyIdOf(input, references);
  if (strategy !== undefined) requireSameFleet('strategy', strategy, fleetOf(references));
}

export function fleetOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'fleet', FLEET_TYPE);
}

export function newRunId(input: CreateRunInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return fleetOf(references).child('updateRuns', input.name);
}

export function strategyIdOf(
  input: CreateRunInput,
  references: Readonly<Record<string, ResourceTarget>>,
): ArmId | undefined {
  return input.strategy === undefined ? undefined : referencedArmId(references, 'strategy', FLEET_UPDATE_STRATEGY_TYPE);
}

export function runBody(input: CreateRunInput, strategy: ArmId | undefined): JsonObject {
  const { type, kubernetesVersion } = input.upgrade;
  const selection: JsonObject = {
    type: input.nodeImageSelection ?? 'Latest',
    ...(input.nodeImageVersions === undefined
      ? {}
      : { customNodeImageVersions: input.nodeImageVersions.map((version) => ({ version })) }),
  };
  return {
    properties: {
      ...(strategy === undefined ? {} : { updateStrategyId: strategy.toString() }),
      ...(input.stages === undefined ? {} : { strategy: strategyBody(input.stages) }),
      managedClusterUpdate: {
        upgrade: { type, ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }) },
        ...(type === 'ControlPlaneOnly' ? {} : { nodeImageSelection: selection }),
      },
    },
  };
}

/** Whether a run that is there is the one that was asked for. */
export function isAsWanted(body: JsonObject, input: CreateRunInput, strategy: ArmId | undefined): boolean {
  const run = updateRunOf(body);
  const { type, kubernetesVersion } = input.upgrade;
  if (run.upgradeType !== type || (run.kubernetesVersion ?? undefined) !== kubernetesVersion) return false;
  if (type !== 'ControlPlaneOnly' && (run.nodeImageSelection ?? 'Latest') !== (input.nodeImageSelection ?? 'Latest')) {
    return false;
  }
  if (!sameImages(body, input.nodeImageVersions ?? [])) return false;
  if (strategy !== undefined) return run.updateStrategyId?.toLowerCase() === strategy.canonical;
  if (run.updateStrategyId !== null) return false;
  const present = describeStages(rawObject(body, 'properties') ?? {});
  return input.stages === undefined ? present.length === 0 : sameStages(input.stages, present);
}

function sameImages(body: JsonObject, wanted: readonly string[]): boolean {
  const selection = rawObject(body, 'properties', 'managedClusterUpdate', 'nodeImageSelection');
  const present = rawObjects(selection, 'customNodeImageVersions').map((image) => rawText(image, 'version'));
  return present.length === wanted.length && wanted.every((version) => present.includes(version));
}
