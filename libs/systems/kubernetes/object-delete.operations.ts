import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { Secret } from '#libs/kernel/secret.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { isFleetHub, isReservedOnHub } from '#libs/kube/manifest/fleet-hub.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import { groupOf } from '../contract/kubernetes-observation.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawFlag, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterObject } from './cluster-object.js';
import { isDeleting } from './condition.properties.js';
import { kubernetesKinds } from './kubernetes.kinds.js';
import { CLUSTER_KINDS, referencedCluster } from './kubernetes-reference.js';
import { namespaceKind } from './namespace.kind.js';
import { nodeKind } from './node.kind.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';

const IDENTIFY_STEP = 'identify';
const PAUSE_SECONDS = 3;
/** Kubernetes itself protects only some of them, and nothing works without the others. */
const SYSTEM_NAMESPACES = new Set(['default', 'kube-node-lease', 'kube-public', 'kube-system']);
const FLEET_MEMBERSHIP_GROUP = 'cluster.kubernetes-fleet.io';

const deleteInput = z.strictObject({
  cluster: resourceReference(
    'The cluster that the object is in: an AKS cluster, a connected cluster, a fleet (its hub) or an attached one',
  ),
  apiVersion: z
    .string()
    .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?v[a-z0-9]+$/, 'must be an apiVersion such as v1 or apps/v1')
    .max(317)
    .describe('The apiVersion of the object, such as `apps/v1`; any version that the cluster serves.'),
  kind: z
    .string()
    .regex(/^[A-Z][A-Za-z0-9]*$/, 'must be a kind such as Deployment')
    .max(63)
    .describe('The kind of the object in Kubernetes, such as `Deployment`.'),
  name: z.string().min(1).max(253).describe('The name of the object.'),
  namespace: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('The namespace of the object; absent for objects of the cluster itself.'),
  propagation: z
    .enum(['Background', 'Foreground', 'Orphan'])
    .default('Background')
    .describe(
      'What becomes of what the object owns: it goes afterwards (`Background`) or before (`Foreground`), or stays (`Orphan`).',
    ),
  waitForRemoval: z
    .boolean()
    .default(true)
    .describe(
      'Whether the operation ends only when the object is really gone, not when its deletion has begun. Who keeps it, such as a finalizer, may never let it go.',
    ),
});
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  KIND_NOT_SERVED: 'The cluster does not serve this kind in this version.',
  NAMESPACE_MISSING: 'Objects of this kind are in a namespace: it has to be named.',
  NAMESPACE_NOT_ALLOWED: 'Objects of this kind belong to the whole cluster, not to a namespace.',
  OBJECT_NOT_FOUND: 'The object is gone already.',
  OBJECT_DELETING: 'The object is being deleted already.',
  NAMESPACE_RESERVED: 'The cluster needs this namespace for itself.',
  RESERVED_ON_HUB: 'The hub needs this namespace, and what is in it, for itself.',
  NODE_OF_CLUSTER: 'The node belongs to a node pool: its machine would go on, and the node would come back or be lost.',
  MEMBERSHIP_OF_FLEET: 'The hub keeps this object for the membership of a cluster in the fleet.',
  NAMESPACE_WITH_CONTENT: 'Everything in the namespace goes with it.',
  MADE_AGAIN: 'The object is kept by another one, which makes it anew.',
  FINALIZERS: 'The object stays until whoever has put finalizers on it has taken them away.',
  DELETE_REFUSED: 'The cluster would refuse to delete the object.',
} as const satisfies Record<string, string>;
type DeleteFindingCode = keyof typeof deleteFindings;

/** The object as it was when the operation began: its successor of the same name is not to go too. */
const identifyOutput = z.object({ uid: z.string().nullable() });

export function deleteObject(kube: Kube): OperationDefinition<typeof deleteInput> {
  return {
    type: 'kubernetes.object.delete',
    title: 'Delete an object of a cluster',
    description: 'Deletes an object, whatever its kind, and waits until it is really gone unless it is told not to.',
    permission: 'kubernetes/objects/delete',
    input: deleteInput,
    references: { cluster: CLUSTER_KINDS },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target(input, references) {
      const cluster = referencedCluster(references, 'cluster');
      const id = objectIdOf(input, references);
      const kind = kindOf(id);
      return kind === undefined
        ? { id: cluster.id, kind: cluster.kind, lock: id.canonical }
        : { id: id.canonical, kind, lock: id.canonical };
    },
    preflight: (context) => preflightDelete(kube, context),
    plan: (context) => planDelete(kube, context),
    steps: [
      {
        name: IDENTIFY_STEP,
        description: 'Looks which object it is, so that none of the same name that comes after it is deleted too.',
        async run(context) {
          const object = await (await locate(kube, context)).read();
          const uid = object?.metadata.uid ?? null;
          const message = object === undefined ? 'The object is gone already.' : `It is the object ${uid}.`;
          return { outcome: 'done', message, output: { uid } };
        },
      },
      {
        name: 'delete',
        description: 'Deletes the object and waits until it is gone.',
        run: (context) => runDelete(kube, context),
      },
    ],
    verify: (context) => verifyDelete(kube, context),
  };
}

async function preflightDelete(kube: Kube, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const { input } = context;
  const id = objectIdOf(input, context.references);
  const cluster = referencedCluster(context.references, 'cluster');
  const client = kube.cluster(cluster);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const type = { group: id.group, version: input.apiVersion.slice(input.apiVersion.indexOf('/') + 1), kind: id.kind };
  const resource = await client.findResource(type, context);
  if (resource === undefined) {
    say('KIND_NOT_SERVED', 'error', { apiVersion: input.apiVersion, kind: input.kind });
    return findings;
  }
  if (resource.namespaced !== (id.namespace !== undefined)) {
    if (resource.namespaced) say('NAMESPACE_MISSING', 'error', { kind: id.kind }, 'Say the namespace of the object.');
    else say('NAMESPACE_NOT_ALLOWED', 'error', { kind: id.kind }, 'Leave the namespace out.');
    return findings;
  }
  judgeReserved(id, cluster, await isFleetHub(client, context), say);
  const located = await ClusterObject.of(client, id, context);
  const object = await located.read();
  if (object === undefined) {
    say('OBJECT_NOT_FOUND', 'info', { object: id.canonical });
    return findings;
  }
  judgeObject(object, id, cluster, say);
  if (!isDeleting(object)) await judgeRefusal(located, input, context, say);
  return findings;
}

function judgeReserved(
  id: KubernetesId,
  cluster: ResourceTarget,
  onHub: boolean,
  say: FindingReporter<DeleteFindingCode>,
): void {
  const isNamespace = kindOf(id) === namespaceKind.name;
  const namespace = isNamespace ? id.name : id.namespace;
  if (isNamespace && SYSTEM_NAMESPACES.has(id.name)) say('NAMESPACE_RESERVED', 'error', { namespace: id.name });
  else if (onHub && namespace !== undefined && isReservedOnHub(namespace)) {
    say('RESERVED_ON_HUB', 'error', { namespace }, 'Change the fleet instead.');
  } else if (isNamespace) say('NAMESPACE_WITH_CONTENT', 'warning', { namespace: id.name });
  if (onHub && id.group === FLEET_MEMBERSHIP_GROUP) {
    // Azure makes the members of its own hubs; those of another one are made and deleted by hand.
    const severity = cluster.kind === 'AttachedCluster' ? 'warning' : 'error';
    const remedy =
      'Where it is a fleet of Azure, let the cluster leave it (fleet.member.leave): the hub then deletes it.';
    say('MEMBERSHIP_OF_FLEET', severity, { object: id.canonical }, remedy);
  }
}

function judgeObject(
  object: KubernetesObject,
  id: KubernetesId,
  cluster: ResourceTarget,
  say: FindingReporter<DeleteFindingCode>,
): void {
  const isOfPool = cluster.kind !== 'AttachedCluster' && virtualNatureOf(object).nature === 'none';
  if (kindOf(id) === nodeKind.name && isOfPool) {
    say('NODE_OF_CLUSTER', 'error', { node: id.name }, 'Scale the node pool (aks.nodePool.scale), or cordon the node.');
  }
  if (isDeleting(object)) {
    say('OBJECT_DELETING', 'info', { deletionTimestamp: rawText(object, 'metadata', 'deletionTimestamp') });
  }
  const finalizers = rawTexts(object, 'metadata', 'finalizers');
  if (finalizers.length > 0) say('FINALIZERS', 'warning', { finalizers });
  const owner = rawObjects(object, 'metadata', 'ownerReferences').find((each) => rawFlag(each, 'controller') === true);
  if (owner !== undefined) {
    const [kind, name] = [rawText(owner, 'kind'), rawText(owner, 'name')];
    say('MADE_AGAIN', 'warning', { kind, name }, 'Delete or change its owner where it shall not come back.');
  }
}

async function judgeRefusal(
  located: ClusterObject,
  { propagation }: DeleteInput,
  context: OperationContext<DeleteInput>,
  say: FindingReporter<DeleteFindingCode>,
): Promise<void> {
  const { client, resource, id } = located;
  try {
    await client.delete(resource, id.namespace, id.name, { propagation, dryRun: true }, context);
  } catch (error) {
    if (!(error instanceof ControlError) || !isRefusal(error)) throw error;
    say('DELETE_REFUSED', 'error', { code: error.code, detail: error.message }, error.remedy);
  }
}

function isRefusal(error: ControlError): boolean {
  return error.code === 'KUBERNETES_FORBIDDEN' || error.code === 'KUBERNETES_REJECTED';
}

async function planDelete(kube: Kube, context: OperationContext<DeleteInput>): Promise<Json> {
  const located = await locate(kube, context);
  const object = await located.read();
  return {
    object: located.id.canonical,
    action: object === undefined ? 'none' : 'delete',
    uid: object?.metadata.uid ?? null,
    finalizers: object === undefined ? [] : rawTexts(object, 'metadata', 'finalizers'),
    propagation: context.input.propagation,
  };
}

async function runDelete(kube: Kube, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const { uid } = identifyOutput.parse(context.outputs[IDENTIFY_STEP]);
  const located = await locate(kube, context);
  const object = await located.read();
  if (uid === null || object?.metadata.uid !== uid) {
    return { outcome: 'done', message: 'The object is gone.' };
  }
  if (!isDeleting(object)) {
    const { client, resource, id } = located;
    const { propagation } = context.input;
    const answer = await client.delete(resource, id.namespace, id.name, { propagation, uid }, context);
    if (answer !== 'deleting') return { outcome: 'done', message: 'The object is gone.' };
  }
  const message = `The object is being deleted.${obstaclesOf(object)}`;
  if (!context.input.waitForRemoval) return { outcome: 'done', message };
  return {
    outcome: 'wait',
    message,
    retryAfterSeconds: PAUSE_SECONDS,
    resumeToken: new Secret(uid),
  };
}

/** What keeps an object that is being deleted: its finalizers, and what the namespace controller says. */
function obstaclesOf(object: KubernetesObject): string {
  const finalizers = finalizersOf(object);
  const words = rawObjects(object, 'status', 'conditions')
    .filter((condition) => rawText(condition, 'status') === 'True')
    .filter((condition) => rawText(condition, 'type')?.startsWith('Namespace') === true)
    .map((condition) => rawText(condition, 'message'))
    .filter((message) => message !== null);
  const waited = finalizers.length === 0 ? [] : [`It waits for its finalizers: ${finalizers.join(', ')}.`];
  return [...waited, ...words].map((sentence) => ` ${sentence}`).join('');
}

/** Namespaces have theirs in the specification as well: the namespace controller's, of which no cluster without one gets rid. */
function finalizersOf(object: KubernetesObject): string[] {
  const ofNamespace = object.kind === namespaceKind.name ? rawTexts(object, 'spec', 'finalizers') : [];
  return [...rawTexts(object, 'metadata', 'finalizers'), ...ofNamespace];
}

async function verifyDelete(kube: Kube, context: OperationContext<DeleteInput>): Promise<Verification> {
  const { uid } = identifyOutput.parse(context.outputs[IDENTIFY_STEP]);
  const { id, object } = await readLocated(kube, context);
  const reached = (state: 'gone' | 'made-again' | 'deleting', finalizers: string[] = []): Verification => ({
    verdict: 'reached',
    result: { object: id.canonical, uid, state, finalizers },
    observations: [],
    absent: state === 'gone' && kindOf(id) !== undefined ? [context.target] : [],
  });
  if (object === undefined) return reached('gone');
  if (object.metadata.uid !== uid) return reached('made-again');
  const message = `The ${id.kind} ${id.name} is still there.${obstaclesOf(object)}`;
  if (!isDeleting(object)) return { verdict: 'missed', message };
  if (!context.input.waitForRemoval) return reached('deleting', finalizersOf(object));
  return { verdict: 'pending', message, retryAfterSeconds: PAUSE_SECONDS };
}

async function readLocated(kube: Kube, context: OperationContext<DeleteInput>) {
  const located = await locate(kube, context);
  return { id: located.id, object: await located.read() };
}

function locate(kube: Kube, context: OperationContext<DeleteInput>): Promise<ClusterObject> {
  const client = kube.cluster(referencedCluster(context.references, 'cluster'));
  return ClusterObject.of(client, objectIdOf(context.input, context.references), context);
}

function objectIdOf(input: DeleteInput, references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  return KubernetesId.of({
    clusterUid: referencedCluster(references, 'cluster').uid,
    group: groupOf(input.apiVersion),
    kind: input.kind,
    namespace: input.namespace,
    name: input.name,
  });
}

/** The kind in Pilothouse; undefined for what it does not show. */
function kindOf({ group, kind }: KubernetesId): string | undefined {
  return kubernetesKinds.find((known) =>
    known.kubernetesTypes?.some((type) => type.group === group && type.kind === kind),
  )?.name;
}
