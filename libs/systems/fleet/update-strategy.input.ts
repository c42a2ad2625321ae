import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { FLEET_NAME_PATTERN, LONGEST_MEMBER_NAME } from './default-member-name.js';
import type { FleetUpdateStrategyStage } from './update-strategy.kind.js';

/** What Fleet Manager allows. */
const MOST_GROUPS = 50;
const MOST_STAGES = 50;
const LONGEST_WAIT_SECONDS = 90 * 86_400;

export const fleetChildName = z
  .string()
  .max(LONGEST_MEMBER_NAME)
  .regex(FLEET_NAME_PATTERN, 'must be lower-case letters, digits and hyphens, with no hyphen at either end');

const concurrency = z
  .string()
  .regex(/^([1-9]\d*|([1-9]\d?|100)%)$/, 'must be a number such as `3`, or a share such as `25%`');

const updateGroup = z
  .strictObject({
    name: fleetChildName.describe('The update group of the members that are meant.'),
    maxConcurrency: concurrency
      .optional()
      .describe('How many of its members are updated at the same time: `3`, or `25%` of them; one where absent.'),
  })
  .meta({ id: 'UpdateGroup', description: 'An update group of a stage.' });

const updateStage = z
  .strictObject({
    name: fleetChildName.describe('The name of the stage.'),
    groups: z
      .array(updateGroup)
      .min(1)
      .max(MOST_GROUPS)
      .describe('The update groups of the stage, which are updated side by side.'),
    maxConcurrency: concurrency
      .optional()
      .describe('How many members of the stage are updated at the same time: `10`, or `25%` of them.'),
    afterStageWaitSeconds: z
      .int()
      .min(0)
      .max(LONGEST_WAIT_SECONDS)
      .optional()
      .describe('How long is waited before the next stage begins. Seconds.'),
  })
  .meta({ id: 'UpdateStage', description: 'A stage of an update; one comes after the other.' });

export const updateStages = z.array(updateStage).min(1).max(MOST_STAGES);
export type UpdateStages = z.output<typeof updateStages>;

/** What a name that occurs twice breaks: each member is in one group, and a stage is skipped by its name. */
export function stageViolations(stages: UpdateStages, path: string): Violation[] {
  const violations: Violation[] = [];
  const [stageNames, groupNames] = [new Set<string>(), new Set<string>()];
  for (const [index, stage] of stages.entries()) {
    if (stageNames.has(stage.name)) {
      violations.push({ path: `${path}.${index}.name`, message: 'is the name of another stage' });
    }
    stageNames.add(stage.name);
    for (const [position, group] of stage.groups.entries()) {
      if (groupNames.has(group.name)) {
        violations.push({ path: `${path}.${index}.groups.${position}.name`, message: 'is in the sequence already' });
      }
      groupNames.add(group.name);
    }
  }
  return violations;
}

/** @throws ControlError INVALID_REQUEST when there are any. */
export function refuseViolations(violations: readonly Violation[]): void {
  if (violations.length === 0) return;
  throw new ControlError('INVALID_REQUEST', 'The parts of the input do not go together.', {
    violations: [...violations],
  });
}

/** As Fleet Manager takes it. */
export function strategyBody(stages: UpdateStages): JsonObject {
  return {
    stages: stages.map((stage) => ({
      name: stage.name,
      groups: stage.groups.map((group) => ({
        name: group.name,
        ...(group.maxConcurrency === undefined ? {} : { maxConcurrency: group.maxConcurrency }),
      })),
      ...(stage.maxConcurrency === undefined ? {} : { maxConcurrency: stage.maxConcurrency }),
      ...(stage.afterStageWaitSeconds === undefined ? {} : { afterStageWaitInSeconds: stage.afterStageWaitSeconds }),
    })),
  };
}

/** Whether what is there is what was asked for; Azure may show what was left out as its default. */
export function sameStages(wanted: UpdateStages, present: readonly FleetUpdateStrategyStage[]): boolean {
  if (wanted.length !== present.length) return false;
  return wanted.every((stage, index) => {
    const other = present[index];
    if (other?.name !== stage.name || other.groups.length !== stage.groups.length) return false;
    if ((other.afterStageWaitSeconds ?? 0) !== (stage.afterStageWaitSeconds ?? 0)) return false;
    if (stage.maxConcurrency !== undefined && other.maxConcurrency !== stage.maxConcurrency) return false;
    return stage.groups.every((group, position) => {
      const there = other.groups[position];
      const sameLimit = group.maxConcurrency === undefined || there?.maxConcurrency === group.maxConcurrency;
      return there?.name === group.name && sameLimit;
    });
  });
}

/** @throws ControlError INVALID_REQUEST when the one does not lie in the other. */
export function requireSameFleet(field: string, child: ArmId, fleet: ArmId | undefined): void {
  if (child.parent !== undefined && fleet !== undefined && child.parent.equals(fleet)) return;
  refuseViolations([{ path: field, message: 'must be of the same fleet' }]);
}
