import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { armIdOf } from '../contract/arm-observation.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { OperationContext, OperationDefinition } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { FLEET_AUTO_UPGRADE_PROFILE_TYPE } from './auto-upgrade-profile.kind.js';
import type { FleetClient } from './fleet.client.js';
import { FLEET_TYPE } from './fleet.kinds.js';
import { ACTIVE_STATES } from './update-run-control.operations.js';
import { FLEET_UPDATE_RUN_TYPE, updateRunOf } from './update-run.kind.js';
import {
  fleetChildName,
  refuseViolations,
  sameStages,
  stageViolations,
  strategyBody,
  updateStages,
} from './update-strategy.input.js';
import {
  FLEET_UPDATE_STRATEGY_TYPE,
  describeStages,
  fleetUpdateStrategyKind,
  observeFleetUpdateStrategy,
} from './update-strategy.kind.js';

const applyInput = z.strictObject({
  fleet: resourceReference('The fleet of the strategy'),
  name: fleetChildName.describe('The name of the strategy: 1 to 50 lower-case letters, digits and hyphens.'),
  stages: updateStages.describe('The stages, in their order.'),
});
type ApplyInput = z.output<typeof applyInput>;

const applyFindings = {
  FLEET_NOT_FOUND: 'Azure does not know the fleet.',
  STRATEGY_EXISTS: 'The strategy is there already as it was asked for.',
  STRATEGY_CHANGES: 'The strategy is there and is changed.',
  RUNS_KEEP_THEIR_COPY:
    'Update runs are under way that were made from the strategy: they go on with the copy they have.',
  GROUP_WITHOUT_MEMBERS:
    'No member of the fleet is in an update group of the strategy: no run can be made from it yet.',
} as const satisfies Record<string, string>;

export function applyUpdateStrategy(client: FleetClient): OperationDefinition<typeof applyInput> {
  return {
    type: 'fleet.updateStrategy.apply',
    title: 'Create or change an update strategy',
    description:
      'Creates the sequence of stages and groups in which update runs take the members of a fleet, or changes it for the runs to come.',
    permission: 'fleets/updateStrategies/write',
    input: applyInput,
    references: { fleet: ['Fleet'] },
    timeoutSeconds: 3600,
    findings: applyFindings,
    target(input, references) {
      refuseViolations(stageViolations(input.stages, 'stages'));
      const id = newStrategyId(input, references);
      return { id: id.toString(), kind: fleetUpdateStrategyKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightApply(client, context),
    steps: [
      {
        name: 'apply',
        description: 'Asks Fleet Manager for the strategy.',
        run(context) {
          const { input } = context;
          const id = newStrategyId(input, context.references);
          const wanted = {
            working: `Fleet Manager is recording the update strategy ${id.name}.`,
            read: () => client.get(id, context),
            judge: (reading: ArmReading) => judgeApply(id, input, reading),
            write: (reading: ArmReading) =>
              reading.state === 'missing'
                ? client.create(id, { properties: { strategy: strategyBody(input.stages) } }, context)
                : client.change(
                    id,
                    reading,
                    (body) => (memberObject(body, 'properties').strategy = strategyBody(input.stages)),
                    context,
                  ),
          };
          return reachDesiredState(client.arm, context.resumeToken, wanted, context);
        },
      },
    ],
    async verify(context) {
      const id = newStrategyId(context.input, context.references);
      const reading = await client.get(id, context);
      if (reading.state === 'missing') return { verdict: 'missed', message: `The strategy ${id.name} is not there.` };
      const verdict = judgeApply(id, context.input, reading);
      if (verdict.verdict === 'underway') {
        return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
      }
      if (verdict.verdict !== 'reached') {
        return { verdict: 'missed', message: `The strategy ${id.name} is not as it was asked for.` };
      }
      const { observedAt } = reading;
      return {
        verdict: 'reached',
        result: { strategy: id.toString(), uid: id.uid, name: id.name },
        observations: [observeFleetUpdateStrategy(reading.body, { observedAt, source: 'OPERATION' })],
        absent: [],
      };
    },
  };
}

function judgeApply(id: ArmId, input: ApplyInput, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  const isSame = sameStages(input.stages, describeStages(rawObject(reading.body, 'properties') ?? {}));
  switch (provisioningPhase(state)) {
    case 'moving':
      return isSame
        ? { verdict: 'underway', message: `The strategy ${id.name} is ${state}.` }
        : { verdict: 'busy', message: `The strategy ${id.name} is being changed by someone else (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Recording ${id.name}`, reading.body) };
    case 'succeeded':
    case 'unknown':
      return isSame ? { verdict: 'reached', message: `The strategy ${id.name} is there.` } : { verdict: 'different' };
  }
}

async function preflightApply(client: FleetClient, context: OperationContext<ApplyInput>): Promise<Finding[]> {
  const { input, references } = context;
  const fleet = referencedArmId(references, 'fleet', FLEET_TYPE);
  const id = newStrategyId(input, references);
  const findings: Finding[] = [];
  const say = findingReporter(applyFindings, findings);
  const reading = await client.getFleet(fleet, context);
  if (reading.state === 'missing') {
    say('FLEET_NOT_FOUND', 'error', { fleet: fleet.toString() });
    return findings;
  }
  const existing = await client.get(id, context);
  if (existing.state === 'found') {
    const isSame = sameStages(input.stages, describeStages(rawObject(existing.body, 'properties') ?? {}));
    if (isSame) {
      say('STRATEGY_EXISTS', 'info', { strategy: id.toString() });
      return findings;
    }
    say('STRATEGY_CHANGES', 'info', { strategy: id.toString() });
    const runs = await activeRunsOf(client, id, context);
    const remedy = 'Stop such a run and create another, if the change is meant for it too.';
    if (runs.length > 0) say('RUNS_KEEP_THEIR_COPY', 'warning', { updateRuns: runs }, remedy);
  }
  const present = new Set<string>();
  for await (const page of client.listMembers(fleet, context)) {
    for (const body of page.items) present.add(rawText(body, 'properties', 'group') ?? '');
  }
  const empty = input.stages
    .flatMap((stage) => stage.groups.map((group) => group.name))
    .filter((group) => !present.has(group));
  if (empty.length > 0) say('GROUP_WITHOUT_MEMBERS', 'warning', { groups: empty });
  return findings;
}

/** The ids of the runs under way that were made from a strategy. */
async function activeRunsOf(
  client: FleetClient,
  strategy: ArmId,
  context: OperationContext<unknown>,
): Promise<string[]> {
  const runs: string[] = [];
  if (strategy.parent === undefined) return runs;
  for await (const page of client.listChildren(strategy.parent, FLEET_UPDATE_RUN_TYPE, context)) {
    for (const body of page.items) {
      const run = updateRunOf(body);
      const isOfStrategy = run.updateStrategyId?.toLowerCase() === strategy.canonical;
      if (isOfStrategy && ACTIVE_STATES.has(run.state)) runs.push(armIdOf(body).toString());
    }
  }
  return runs;
}

function newStrategyId(input: ApplyInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'fleet', FLEET_TYPE).child('updateStrategies', input.name);
}

const deleteInput = z.strictObject({ strategy: resourceReference('The update strategy to delete') });

const deleteFindings = {
  STRATEGY_NOT_FOUND: 'The strategy is gone already.',
  RUNS_KEEP_THEIR_COPY:
    'Update runs are under way that were made from the strategy: they go on with the copy they have.',
  PROFILES_USE_IT: 'Auto-upgrade profiles name the strategy: they can make no update runs without it.',
} as const satisfies Record<string, string>;

export function deleteUpdateStrategy(client: FleetClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'fleet.updateStrategy.delete',
    title: 'Delete an update strategy',
    description: 'Deletes an update strategy. Update runs that were made from it keep their copy.',
    permission: 'fleets/updateStrategies/delete',
    input: deleteInput,
    references: { strategy: [fleetUpdateStrategyKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target(_input, references) {
      const id = strategyIdOf(references);
      return { id: id.toString(), kind: fleetUpdateStrategyKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const id = strategyIdOf(context.references);
      const findings: Finding[] = [];
      const say = findingReporter(deleteFindings, findings);
      if ((await client.get(id, context)).state === 'missing') {
        say('STRATEGY_NOT_FOUND', 'info', { strategy: id.toString() });
        return findings;
      }
      const runs = await activeRunsOf(client, id, context);
      if (runs.length > 0) say('RUNS_KEEP_THEIR_COPY', 'info', { updateRuns: runs });
      const profiles = await profilesOf(client, id, context);
      const remedy = 'Give these profiles another strategy first (fleet.autoUpgradeProfile.apply).';
      if (profiles.length > 0) say('PROFILES_USE_IT', 'warning', { profiles }, remedy);
      return findings;
    },
    steps: [
      {
        name: 'delete',
        description: 'Asks Fleet Manager to delete the strategy and waits until it is gone.',
        run(context) {
          const id = strategyIdOf(context.references);
          const wanted = {
            working: `Fleet Manager is deleting the update strategy ${id.name}.`,
            read: () => client.get(id, context),
            judge: (reading: ArmReading) => judgeRemoval(`The strategy ${id.name}`, reading, failedOperationError),
            write: () => client.delete(id, context),
          };
          return reachDesiredState(client.arm, context.resumeToken, wanted, context);
        },
      },
    ],
    async verify(context) {
      const id = strategyIdOf(context.references);
      const reading = await client.get(id, context);
      return verifyRemoval(`The strategy ${id.name}`, reading, context.target, client.arm.pollIntervalSeconds);
    },
  };
}

async function profilesOf(client: FleetClient, strategy: ArmId, context: OperationContext<unknown>): Promise<string[]> {
  const profiles: string[] = [];
  if (strategy.parent === undefined) return profiles;
  for await (const page of client.listChildren(strategy.parent, FLEET_AUTO_UPGRADE_PROFILE_TYPE, context)) {
    for (const body of page.items) {
      const named = rawText(body, 'properties', 'updateStrategyId')?.toLowerCase();
      if (named === strategy.canonical) profiles.push(armIdOf(body).toString());
    }
  }
  return profiles;
}

function strategyIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'strategy', FLEET_UPDATE_STRATEGY_TYPE);
}
