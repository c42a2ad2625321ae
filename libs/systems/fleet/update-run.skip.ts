import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { reachDesiredState } from '#libs/azure/desired-state.js';
import type { StepContext, StepOutcome } from '../contract/operation-definition.js';
import type { FleetClient } from './fleet.client.js';
import { existingRun } from './update-run.follow.js';
import { membersIn, type FleetUpdateRunProperties } from './update-run.kind.js';
import { fleetChildName } from './update-strategy.input.js';

const MOST_TARGETS = 100;
/** What has begun and goes on is not skipped. */
const SKIPPABLE = new Set(['NotStarted', 'Pending', 'Stopped', 'Failed']);

const skipTarget = z
  .strictObject({
    type: z
      .enum(['Member', 'Group', 'Stage', 'AfterStageWait'])
      .describe('What is skipped; `AfterStageWait` is the waiting after a stage.'),
    name: fleetChildName.describe('The name of the member, the group or the stage.'),
  })
  .meta({ id: 'UpdateRunSkipTarget', description: 'A part of an update run that is left out.' });

export const skipTargets = z.array(skipTarget).min(1).max(MOST_TARGETS);
export type SkipTarget = z.output<typeof skipTarget>;

/** What a run has under a name: nothing, or so much that is still to be skipped and so much that runs. */
export function lookAt(run: FleetUpdateRunProperties, { type, name }: SkipTarget) {
  if (type === 'AfterStageWait') {
    const wait = run.stages.find((stage) => stage.name === name);
    if (wait === undefined || wait.waitSeconds === null) return undefined;
    return { open: wait.waitState === 'Completed' || wait.waitState === 'Skipped' ? 0 : 1, running: 0, done: 0 };
  }
  const groups = run.stages.flatMap((stage) => stage.groups);
  const holder = type === 'Stage' ? run.stages : type === 'Group' ? groups : run.stages.flatMap(membersIn);
  const found = holder.find((each) => each.name === name);
  if (found === undefined) return undefined;
  const members = 'groups' in found ? membersIn(found) : 'members' in found ? found.members : [found];
  const count = (fits: (state: string) => boolean): number => members.filter((each) => fits(each.state ?? '')).length;
  return {
    open: count((state) => SKIPPABLE.has(state)),
    running: count((state) => state === 'Running' || state === 'Stopping'),
    done: count((state) => state === 'Completed'),
  };
}

export function runSkip(
  client: FleetClient,
  id: ArmId,
  targets: readonly SkipTarget[],
  context: StepContext<unknown>,
): Promise<StepOutcome> {
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Fleet Manager is skipping parts of the update run ${id.name}.`,
      read: () => client.get(id, context),
      judge: (reading) => {
        const run = existingRun(id, reading);
        const unknown = targets.filter((target) => lookAt(run, target) === undefined);
        if (unknown.length > 0) {
          const named = unknown.map(({ type, name }) => `${type} ${name}`).join(', ');
          throw new ControlError('CONFLICT', `The update run ${id.name} has no such parts: ${named}.`);
        }
        return isSkipped(run, targets)
          ? { verdict: 'reached', message: 'What had not begun is skipped.' }
          : { verdict: 'different' };
      },
      write: () => client.act(id, 'skip', { targets: targets.map(({ type, name }) => ({ type, name })) }, context),
    },
    context,
  );
}

export function isSkipped(run: FleetUpdateRunProperties, targets: readonly SkipTarget[]): boolean {
  return targets.every((target) => (lookAt(run, target)?.open ?? 0) === 0);
}
