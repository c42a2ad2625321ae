import type { ArmId } from '#libs/kernel/arm-id.js';
import type { ControlError, Diagnosis, RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { findReleaseRecords } from '#libs/kube/release-records.js';
import { freeingOf } from '../contract/left-release.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { diagnosed } from '../contract/recognition.js';
import { podRefusal } from './arc-agents.js';
import type { ArcParts } from './arc-parts.js';
import { describeClusterExtension } from './cluster-extension.kind.js';
import { clientOf, listObjects, seenIfAny } from './reached-cluster.js';

const POD = { group: '', kind: 'Pod' };
const SERVICE = { group: '', kind: 'Service' };
const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
/** Of each sort. */
const MOST_NAMED = 20;

/**
 * What the cluster adds to the failure of an extension: which records of its release are left, or what of it does not become
 * ready. Without a way into the cluster the failure stays as Azure tells it.
 * @param namespace of the release, as far as the caller knows it; the extension itself knows better
 * @param again what failed, ready to be sent once more; undefined where it held secrets
 */
export async function withRelease(
  parts: ArcParts,
  error: ControlError,
  extension: ArmId,
  namespace: string | undefined,
  again: RemedyOperation | undefined,
  context: OperationContext<unknown>,
): Promise<ControlError> {
  const { diagnosis } = error;
  switch (diagnosis?.code) {
    case 'RELEASE_BUSY':
      return again === undefined ? error : diagnosed(error, { ...diagnosis, operations: [again] });
    case 'RELEASE_NAME_IN_USE':
    case 'PODS_NOT_READY': {
      const cluster = extension.parent ?? extension;
      const present = await seenIfAny(() => presentNamespace(parts, extension, context));
      const seen = await seenIfAny(() =>
        look(clientOf(parts, cluster), diagnosis, cluster, extension.name, present ?? namespace, context),
      );
      return seen === undefined ? error : diagnosed(error, seen.diagnosis, seen.remedy);
    }
    default:
      return error;
  }
}

async function presentNamespace(
  parts: ArcParts,
  extension: ArmId,
  context: OperationContext<unknown>,
): Promise<string | undefined> {
  const reading = await parts.client.get(extension, context);
  if (reading.state === 'missing') return undefined;
  return describeClusterExtension(rawObject(reading.body, 'properties') ?? {}).releaseNamespace ?? undefined;
}

interface Seen {
  diagnosis: Diagnosis;
  /** Where it is another than that of the failure alone. */
  remedy?: string;
}

async function look(
  client: ClusterClient,
  diagnosis: Diagnosis,
  cluster: ArmId,
  release: string,
  namespace: string | undefined,
  context: OperationContext<unknown>,
): Promise<Seen> {
  // A release of the same name in another namespace is in nobody's way.
  if (namespace === undefined) return { diagnosis };
  if (diagnosis.code === 'RELEASE_NAME_IN_USE') {
    const records = await findReleaseRecords(client, release, namespace, context);
    if (records.length === 0) return { diagnosis };
    const secrets = records.map(({ metadata }) => `${namespace}/${metadata.name}`);
    const { remedy, operations } = freeingOf(cluster, { name: release, namespace, records });
    return { diagnosis: { ...diagnosis, evidence: { ...diagnosis.evidence, secrets }, operations }, remedy };
  }
  const [pods, services, deployments] = await Promise.all([
    listObjects(client, POD, namespace, context),
    listObjects(client, SERVICE, namespace, context),
    listObjects(client, DEPLOYMENT, namespace, context),
  ]);
  const evidence: JsonObject = {
    ...diagnosis.evidence,
    namespace,
    pods: pods.flatMap((pod) => unready(pod, cluster)).slice(0, MOST_NAMED),
    services: services.flatMap(withoutAddress).slice(0, MOST_NAMED),
    refused: deployments.flatMap(refusedPods).slice(0, MOST_NAMED),
  };
  return { diagnosis: { ...diagnosis, evidence } };
}

/** With its uid in Pilothouse: under that it is asked for advice. */
function unready(pod: KubernetesObject, cluster: ArmId): JsonObject[] {
  const { name, namespace } = pod.metadata;
  const conditions = rawObjects(pod, 'status', 'conditions');
  const isTrue = (type: string): boolean =>
    conditions.some((each) => rawText(each, 'type') === type && rawText(each, 'status') === 'True');
  if (rawText(pod, 'status', 'phase') === 'Succeeded' || isTrue('Ready')) return [];
  const waiting = [
    ...rawObjects(pod, 'status', 'initContainerStatuses'),
    ...rawObjects(pod, 'status', 'containerStatuses'),
  ].flatMap((status) => rawObject(status, 'state', 'waiting') ?? []);
  const unscheduled = conditions.find(
    (each) => rawText(each, 'type') === 'PodScheduled' && rawText(each, 'status') === 'False',
  );
  const why = unscheduled ?? waiting[0];
  const { uid } = KubernetesId.of({ clusterUid: cluster.uid, group: '', kind: 'Pod', namespace, name });
  return [
    {
      pod: name,
      uid,
      reason: rawText(why, 'reason') ?? rawText(pod, 'status', 'phase'),
      message: rawText(why, 'message'),
    },
  ];
}

function withoutAddress(service: KubernetesObject): JsonObject[] {
  const hasAddress = rawObjects(service, 'status', 'loadBalancer', 'ingress').length > 0;
  if (rawText(service, 'spec', 'type') !== 'LoadBalancer' || hasAddress) return [];
  return [{ service: service.metadata.name, wanted: rawText(service, 'spec', 'loadBalancerIP') }];
}

/** Of pods that are kept out there is nothing to see but this. */
function refusedPods(deployment: KubernetesObject): JsonObject[] {
  const message = podRefusal(deployment);
  return message === null ? [] : [{ deployment: deployment.metadata.name, message }];
}
