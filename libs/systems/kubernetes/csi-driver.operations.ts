import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesManifest, KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawObject, rawObjects, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterObject } from './cluster-object.js';
import { isDeleting } from './condition.properties.js';
import { csiDriverKind, describeCsiDriver } from './csi-driver.kind.js';
import { referencedObject } from './kubernetes-reference.js';
import { minorVersionOf } from './server-version.js';

const REMEMBER_STEP = 'remember';
/** Kubernetes 1.20 was the first to have the field on, 1.29 the first to let it be changed. */
const FIRST_WITH_POLICY = 20;
const FIRST_THAT_CHANGES_POLICY = 29;
const POLICIES = ['File', 'ReadWriteOnceWithFSType', 'None'] as const;
/** What servers take where the driver does not say. */
const DEFAULT_POLICY = 'ReadWriteOnceWithFSType';

const policyInput = z.strictObject({
  csiDriver: resourceReference('The driver whose volumes are to be given to the group of their pods, or not'),
  fsGroupPolicy: z
    .enum(POLICIES)
    .describe(
      '`File`: volumes are always given to the group of the pod. `ReadWriteOnceWithFSType`: only where the volume is for one node and its class names a file system. `None`: never.',
    ),
});
type PolicyInput = z.output<typeof policyInput>;

const policyFindings = {
  DRIVER_NOT_FOUND: 'The cluster does not know the driver.',
  DRIVER_DELETING: 'The driver is being deleted.',
  VERSION_TOO_OLD: 'This version of Kubernetes knows no such policy.',
  DRIVER_MADE_ANEW:
    'This version of Kubernetes cannot change the policy: the driver is deleted and made again at once.',
  DRIVER_KEPT_BY_OTHER: 'Something else keeps the driver as it is, and may set the policy back.',
  POLICY_SET: 'The driver has this policy already.',
  RUNNING_PODS_KEEP_VOLUMES: 'Pods that are there keep their volumes as they are until they are made anew.',
  ACCESS_DENIED: 'The cluster does not allow this to the identity of Pilothouse.',
} as const satisfies Record<string, string>;

/** The driver as it was when the operation began, which is all there is of it between its deletion and its return. */
const rememberOutput = z.object({ manifest: z.record(z.string(), z.json()).nullable(), uid: z.string().nullable() });

export function setFsGroupPolicy(kube: Kube): OperationDefinition<typeof policyInput> {
  return {
    type: 'kubernetes.csiDriver.setFsGroupPolicy',
    title: 'Set the group policy of a storage driver',
    description:
      'Says whether the volumes of a CSI driver are given to the group of their pods, without which pods that do not run as root cannot write to them.',
    permission: 'kubernetes/csiDrivers/write',
    input: policyInput,
    references: { csiDriver: [csiDriverKind.name] },
    timeoutSeconds: 600,
    findings: policyFindings,
    target(_input, references) {
      const { canonical } = driverIdOf(references);
      return { id: canonical, kind: csiDriverKind.name, lock: canonical };
    },
    preflight: (context) => preflightPolicy(kube, context),
    plan: (context) => planPolicy(kube, context),
    steps: [
      {
        name: REMEMBER_STEP,
        description: 'Puts down what the driver is, in case it has to be made anew.',
        async run(context) {
          const object = await (await locate(kube, context)).readPresent();
          const output = { manifest: manifestOf(object), uid: object.metadata.uid ?? null };
          return { outcome: 'done', message: `The driver has the policy ${policyOf(object)}.`, output };
        },
      },
      {
        name: 'policy',
        description: 'Sets the policy; where Kubernetes cannot change it, deletes the driver and makes it again.',
        run: (context) => runPolicy(kube, context),
      },
    ],
    verify: (context) => verifyPolicy(kube, context),
  };
}

async function preflightPolicy(kube: Kube, context: OperationContext<PolicyInput>): Promise<Finding[]> {
  const { fsGroupPolicy } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(policyFindings, findings);
  const located = await locate(kube, context);
  const driver = await located.read();
  if (driver === undefined) {
    say('DRIVER_NOT_FOUND', 'error', { csiDriver: located.id.canonical });
    return findings;
  }
  if (isDeleting(driver)) {
    say('DRIVER_DELETING', 'error', { deletionTimestamp: rawText(driver, 'metadata', 'deletionTimestamp') });
  }
  if (policyOf(driver) === fsGroupPolicy) {
    say('POLICY_SET', 'info', { fsGroupPolicy });
    return findings;
  }
  const { gitVersion } = await located.client.version(context);
  const minor = minorVersionOf(gitVersion);
  const evidence = { kubernetesVersion: gitVersion, fsGroupPolicy: policyOf(driver) };
  if (minor !== undefined && minor < FIRST_WITH_POLICY) {
    say(
      'VERSION_TOO_OLD',
      'error',
      evidence,
      'Create a storage class with a file system (kubernetes.storageClass.create).',
    );
    return findings;
  }
  const anew = isMadeAnew(gitVersion);
  if (anew) say('DRIVER_MADE_ANEW', 'warning', evidence);
  const keeper = keeperOf(driver);
  if (keeper !== null) say('DRIVER_KEPT_BY_OTHER', 'warning', { keptBy: keeper }, 'Look at the policy again later.');
  say('RUNNING_PODS_KEEP_VOLUMES', 'info', {}, 'Restart the workload (kubernetes.workload.restart) afterwards.');
  for (const verb of anew ? ['delete', 'create'] : ['patch']) {
    const access = await located.allows(verb);
    if (!access.allowed) say('ACCESS_DENIED', 'error', access.evidence, 'Give the identity a role that allows it.');
  }
  return findings;
}

async function planPolicy(kube: Kube, context: OperationContext<PolicyInput>): Promise<Json> {
  const located = await locate(kube, context);
  const driver = await located.read();
  const before = driver === undefined ? null : policyOf(driver);
  const after = context.input.fsGroupPolicy;
  const { gitVersion } = await located.client.version(context);
  const action = before === after || before === null ? 'none' : isMadeAnew(gitVersion) ? 'recreate' : 'change';
  return { csiDriver: located.id.canonical, action, before, after };
}

async function runPolicy(kube: Kube, context: StepContext<PolicyInput>): Promise<StepOutcome> {
  const { fsGroupPolicy } = context.input;
  const located = await locate(kube, context);
  const { client, resource, id } = located;
  const { gitVersion } = await client.version(context);
  if (isMadeAnew(gitVersion)) {
    const { manifest, uid } = rememberOutput.parse(context.outputs[REMEMBER_STEP]);
    const present = await located.read();
    if (present !== undefined && policyOf(present) === fsGroupPolicy) return done(id, fsGroupPolicy);
    if (present !== undefined) {
      if (uid === null || present.metadata.uid !== uid) {
        return { outcome: 'blocked', message: `Another driver ${id.name} has come.`, retryAfterSeconds: 5 };
      }
      const answer = await client.delete(resource, undefined, id.name, { uid }, context);
      if (answer === 'deleting') {
        return { outcome: 'wait', message: `The driver ${id.name} is being deleted.`, retryAfterSeconds: 1 };
      }
    }
    await client.create(resource, undefined, withPolicy(manifest ?? {}, id.name, fsGroupPolicy), {}, context);
    return { outcome: 'done', message: `The driver ${id.name} was made again with the policy ${fsGroupPolicy}.` };
  }
  const change = await located.change((driver) =>
    policyOf(driver) === fsGroupPolicy ? undefined : { spec: { fsGroupPolicy } },
  );
  return change.change === 'busy'
    ? { outcome: 'blocked', message: `Others keep changing the driver ${id.name}.`, retryAfterSeconds: 1 }
    : done(id, fsGroupPolicy);
}

function done(id: KubernetesId, policy: string): StepOutcome {
  return { outcome: 'done', message: `The driver ${id.name} has the policy ${policy}.` };
}

async function verifyPolicy(kube: Kube, context: OperationContext<PolicyInput>): Promise<Verification> {
  const located = await locate(kube, context);
  const driver = await located.read();
  const { fsGroupPolicy } = context.input;
  if (driver === undefined || policyOf(driver) !== fsGroupPolicy) {
    const found = driver === undefined ? 'is not there' : `has the policy ${policyOf(driver)}`;
    return { verdict: 'missed', message: `The driver ${located.id.name} ${found}; ${fsGroupPolicy} was asked for.` };
  }
  return {
    verdict: 'reached',
    result: { csiDriver: located.id.canonical, fsGroupPolicy, uid: driver.metadata.uid ?? null },
    observations: [],
    absent: [],
  };
}

function isMadeAnew(gitVersion: string): boolean {
  return (minorVersionOf(gitVersion) ?? FIRST_THAT_CHANGES_POLICY) < FIRST_THAT_CHANGES_POLICY;
}

function policyOf(driver: KubernetesObject): string {
  return describeCsiDriver(driver).fsGroupPolicy ?? DEFAULT_POLICY;
}

/** Whatever can be created anew: names, labels and annotations, and the specification. */
function manifestOf(driver: KubernetesObject): JsonObject {
  const labels = rawTextRecord(driver, 'metadata', 'labels');
  const annotations = rawTextRecord(driver, 'metadata', 'annotations');
  return {
    apiVersion: driver.apiVersion,
    kind: driver.kind,
    metadata: { name: driver.metadata.name, labels, annotations },
    spec: rawObject(driver, 'spec') ?? {},
  };
}

function withPolicy(manifest: JsonObject, name: string, fsGroupPolicy: string): KubernetesManifest {
  return {
    apiVersion: rawText(manifest, 'apiVersion') ?? 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    metadata: { ...rawObject(manifest, 'metadata'), name },
    spec: { ...rawObject(manifest, 'spec'), fsGroupPolicy },
  };
}

/** Who else looks after the driver, as far as the driver says. */
function keeperOf(driver: KubernetesObject): string | null {
  const owner = rawObjects(driver, 'metadata', 'ownerReferences')[0];
  if (owner !== undefined) return `${rawText(owner, 'kind')} ${rawText(owner, 'name')}`;
  const mode = rawTextRecord(driver, 'metadata', 'labels')['addonmanager.kubernetes.io/mode'];
  return mode === 'Reconcile' ? 'the add-on manager' : null;
}

function locate(kube: Kube, context: OperationContext<unknown>): Promise<ClusterObject> {
  return ClusterObject.locate(kube, driverIdOf(context.references), context);
}

function driverIdOf(references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  return referencedObject(references, 'csiDriver', csiDriverKind.name);
}
