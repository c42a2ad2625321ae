import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AccessQuestion, ClusterClient } from '#libs/kube/cluster-client.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawFlag, rawObject, rawText } from '../contract/raw-reader.js';
import { askPermission } from './cluster-permission.js';
import type { FleetParts } from './fleet-parts.js';
import { FLEET_TYPE, fleetKind } from './fleet.kinds.js';
import { referencedArmId } from '../contract/arm-reference.js';

export const hubFindings = {
  FLEET_NOT_FOUND: 'Azure does not know the fleet.',
  FLEET_HUBLESS: 'The fleet has no hub: nothing can be placed through it.',
  FLEET_NOT_READY: 'The fleet is not in a state in which its hub can be used.',
  HUB_ACCESS_DENIED:
    'The identity of Pilothouse has no role on the Kubernetes API of the hub: a role on the fleet in Azure, such as Contributor, is not enough.',
  HUB_UNREACHABLE: 'The API server of the hub does not answer.',
} as const satisfies Record<string, string>;
export type HubFindingCode = keyof typeof hubFindings;

/** The role to be given, by its Azure name. */
const ROLE_REMEDY =
  'Give it one with fleet.roleAssignment.create (Azure Kubernetes Fleet Manager RBAC Cluster Admin); a new role takes some minutes to work.';

/** The fleet that an operation is about. @throws ControlError INVALID_REQUEST */
export function fleetOf(context: Pick<OperationContext<unknown>, 'references'>): ArmId {
  return referencedArmId(context.references, 'fleet', FLEET_TYPE);
}

export function hubOf(parts: FleetParts, fleet: ArmId): ClusterClient {
  return parts.kube.cluster({ uid: fleet.uid, id: fleet.toString(), kind: fleetKind.name });
}

/** Looks whether the hub can be worked with; the hub, or undefined where something is in the way and said. */
export async function judgeHub(
  parts: FleetParts,
  fleet: ArmId,
  questions: readonly AccessQuestion[],
  context: OperationContext<unknown>,
  say: FindingReporter<HubFindingCode>,
): Promise<ClusterClient | undefined> {
  const reading = await parts.client.getFleet(fleet, context);
  if (reading.state === 'missing') {
    say('FLEET_NOT_FOUND', 'error', { fleet: fleet.toString() });
    return undefined;
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (rawObject(reading.body, 'properties', 'hubProfile') === null) {
    say('FLEET_HUBLESS', 'error', { fleet: fleet.toString() }, 'Use a fleet with a hub (fleet.create with hub).');
    return undefined;
  }
  if (rawText(reading.body, 'properties', 'hubProfile', 'fqdn') === null || isGoing(state)) {
    const evidence: JsonObject = { provisioningState: state };
    say('FLEET_NOT_READY', 'error', evidence, 'Wait until the fleet is Succeeded, or see its lastOperationError.');
    return undefined;
  }
  const hub = hubOf(parts, fleet);
  const permission = await askPermission(hub, questions, context);
  switch (permission.verdict) {
    case 'granted':
      return hub;
    case 'denied':
      say('HUB_ACCESS_DENIED', 'error', permission.evidence, ROLE_REMEDY);
      return undefined;
    case 'unreachable': {
      const privateCluster =
        rawFlag(reading.body, 'properties', 'hubProfile', 'apiServerAccessProfile', 'enablePrivateCluster') ?? false;
      const remedy = privateCluster
        ? 'The hub is private: run Pilothouse inside its virtual network, or use a fleet with a public hub.'
        : 'Check that Pilothouse can reach the host of the hub on port 443.';
      const fqdn = rawText(reading.body, 'properties', 'hubProfile', 'fqdn');
      say('HUB_UNREACHABLE', 'error', { ...permission.evidence, fqdn, privateCluster }, remedy);
      return undefined;
    }
  }
}

function isGoing(state: string | null): boolean {
  return provisioningPhase(state) === 'moving' && ['creating', 'deleting'].includes(state?.toLowerCase() ?? '');
}
