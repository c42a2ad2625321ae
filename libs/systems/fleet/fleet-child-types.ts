import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Reading } from '../contract/arm-observation.js';
import type { Observation } from '../contract/observation.js';
import {
  FLEET_AUTO_UPGRADE_PROFILE_TYPE,
  fleetAutoUpgradeProfileKind,
  observeFleetAutoUpgradeProfile,
} from './auto-upgrade-profile.kind.js';
import { FLEET_MEMBER_TYPE, fleetMemberKind, observeFleetMember } from './fleet.kinds.js';
import { FLEET_UPDATE_RUN_TYPE, fleetUpdateRunKind, observeFleetUpdateRun } from './update-run.kind.js';
import {
  FLEET_UPDATE_STRATEGY_TYPE,
  fleetUpdateStrategyKind,
  observeFleetUpdateStrategy,
} from './update-strategy.kind.js';

/** A type of what lies in fleets. */
export interface FleetChildType {
  type: string;
  kind: string;
  observe: (body: JsonObject, reading: Reading) => Observation;
}

export const FLEET_CHILD_TYPES: readonly FleetChildType[] = [
  { type: FLEET_MEMBER_TYPE, kind: fleetMemberKind.name, observe: observeFleetMember },
  { type: FLEET_UPDATE_RUN_TYPE, kind: fleetUpdateRunKind.name, observe: observeFleetUpdateRun },
  { type: FLEET_UPDATE_STRATEGY_TYPE, kind: fleetUpdateStrategyKind.name, observe: observeFleetUpdateStrategy },
  {
    type: FLEET_AUTO_UPGRADE_PROFILE_TYPE,
    kind: fleetAutoUpgradeProfileKind.name,
    observe: observeFleetAutoUpgradeProfile,
  },
];

export function fleetChildOf(id: ArmId): FleetChildType | undefined {
  return FLEET_CHILD_TYPES.find((child) => child.type.toLowerCase() === id.canonicalType);
}
