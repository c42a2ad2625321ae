import type { ArmId } from '#libs/kernel/arm-id.js';
import type { ControlError, Diagnosis } from '#libs/kernel/control-error.js';
import { grant } from '../contract/cluster-work.failures.js';
import { rawText } from '../contract/raw-reader.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { diagnosed } from '../contract/recognition.js';
import { agentFault } from './agent-faults.js';
import { belongsElsewhere, isBound, lookAtAgents, type AgentPicture } from './arc-agents.js';
import type { ArcParts } from './arc-parts.js';
import { FAILURES } from './arc.failures.js';
import { clientOf, seenIfAny } from './reached-cluster.js';

/**
 * What the cluster adds to a failure: what keeps its agents from listening, or whom the rights of the provider were given to
 * instead. Without a way into the cluster the failure stays as Azure tells it.
 * @param objectId of the provider, where the caller has said it; Azure names it in some of its words.
 */
export async function withAgents(
  parts: ArcParts,
  error: ControlError,
  cluster: ArmId,
  objectId: string | undefined,
  context: OperationContext<unknown>,
): Promise<ControlError> {
  const { diagnosis } = error;
  if (diagnosis?.code !== 'PROVIDER_NOT_GRANTED' && diagnosis?.code !== 'CLUSTER_CONNECT_OFF') return error;
  const seen = await seenIfAny(() => lookAtAgents(clientOf(parts, cluster), context));
  // A kubeconfig can be that of another cluster, of which nothing follows for this one.
  const picture = seen === undefined || belongsElsewhere(seen, cluster) ? undefined : seen;
  return diagnosis.code === 'CLUSTER_CONNECT_OFF'
    ? withFault(error, diagnosis, picture)
    : withBoundObjects(error, diagnosis, cluster, objectId, picture);
}

/** What is not switched off, and does not work: to switch it on once more would change nothing. */
function withFault(error: ControlError, diagnosis: Diagnosis, picture: AgentPicture | undefined): ControlError {
  const fault = picture === undefined ? undefined : agentFault(picture);
  if (fault === undefined) return error;
  const evidence = { ...diagnosis.evidence, ...fault.evidence };
  return diagnosed(error, { code: fault.code, cause: FAILURES[fault.code], evidence, operations: [] }, fault.remedy);
}

function withBoundObjects(
  error: ControlError,
  diagnosis: Diagnosis,
  cluster: ArmId,
  objectId: string | undefined,
  picture: AgentPicture | undefined,
): ControlError {
  const evidence = {
    ...diagnosis.evidence,
    ...(picture === undefined ? {} : { boundObjectIds: [...picture.boundObjectIds] }),
  };
  const known = rawText(diagnosis.evidence, 'objectId') ?? objectId;
  if (known === undefined) return diagnosed(error, { ...diagnosis, evidence, ...mendedForBound(cluster, picture) });
  const mended = { evidence: { ...evidence, objectId: known }, operations: [grant(cluster, known)] };
  if (picture === undefined || picture.boundObjectIds.length === 0 || isBound(picture, known)) {
    return diagnosed(error, { ...diagnosis, ...mended });
  }
  const remedy = 'Give the rights to the object id of the provider (arc.customLocation.grant), then try again.';
  return diagnosed(error, { code: 'WRONG_OBJECT_BOUND', cause: FAILURES.WRONG_OBJECT_BOUND, ...mended }, remedy);
}

/**
 * Nobody has said the object id but the chart of the agents: that object may lack rights which the chart does not give. One
 * that Pilothouse has given them already needs no second time.
 */
function mendedForBound(cluster: ArmId, picture: AgentPicture | undefined) {
  const { chartObjectIds = [], grantedObjectIds = [] } = picture ?? {};
  const [objectId] = chartObjectIds.filter((id) => !grantedObjectIds.includes(id));
  return objectId === undefined ? {} : { operations: [grant(cluster, objectId)] };
}
