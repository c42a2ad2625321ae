import { z } from 'zod';
import { canonicalJson } from '#libs/kernel/canonical-json.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
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
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterObject } from './cluster-object.js';
import { isDeleting } from './condition.properties.js';
import { CLUSTER_KINDS, referencedCluster } from './kubernetes-reference.js';
import {
  DEFAULT_CLASS_ANNOTATION,
  STORAGE_GROUP,
  describeStorageClass,
  storageClassKind,
} from './storage-class.kind.js';

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const API_VERSION = 'storage.k8s.io/v1';
/** Names of the provisioners that are part of Kubernetes, which have no driver of their own. */
const IN_TREE = 'kubernetes.io/';

const classInput = z.strictObject({
  cluster: resourceReference('The cluster that gets the class'),
  name: z
    .string()
    .max(253)
    .regex(DNS_SUBDOMAIN, 'must be lower-case letters, digits, hyphens and dots, with a letter or digit at both ends')
    .describe('The name of the class, such as `aks-hci-disk-ext4`.'),
  provisioner: z
    .string()
    .min(1)
    .max(253)
    .regex(
      /^[a-zA-Z0-9]([-a-zA-Z0-9_./]*[a-zA-Z0-9])?$/,
      'must be the name of a provisioner, such as disk.csi.akshci.com',
    )
    .describe('Who makes the volumes; for CSI the name of the driver, such as `disk.csi.akshci.com`.'),
  parameters: z
    .record(z.string().min(1).max(253), z.string().max(4096))
    .default({})
    .describe('What the provisioner is told, such as `fsType: ext4`. It cannot be changed later.'),
  reclaimPolicy: z
    .enum(['Delete', 'Retain'])
    .default('Delete')
    .describe('What becomes of a volume when its claim is gone. It cannot be changed later.'),
  volumeBindingMode: z
    .enum(['Immediate', 'WaitForFirstConsumer'])
    .default('Immediate')
    .describe('Whether volumes are made at once, or where the first pod has its place. It cannot be changed later.'),
  allowVolumeExpansion: z.boolean().default(false).describe('Whether claims can grow.'),
  mountOptions: z
    .array(z.string().min(1).max(253))
    .max(50)
    .default([])
    .describe('The options that volumes are mounted with.'),
  makeDefault: z.boolean().default(false).describe('Whether claims that name no class get this one.'),
});
type ClassInput = z.output<typeof classInput>;

const classFindings = {
  CLASS_EXISTS: 'There is such a class already.',
  CLASS_DIFFERS: 'There is a class of this name that differs in what cannot be changed.',
  CLASS_DELETING: 'There is a class of this name that is being deleted.',
  DRIVER_NOT_REGISTERED: 'The cluster knows no driver of this name: claims would wait until one comes.',
  OTHER_DEFAULT_CLASS: 'Another class is the default already; of two of them, the newer one counts.',
  EXISTING_VOLUMES_STAY: 'Claims and volumes that are there keep their class; only new ones can have this one.',
  ACCESS_DENIED: 'The cluster does not allow this to the identity of Pilothouse.',
} as const satisfies Record<string, string>;

/** What servers refuse to change. */
const IMMUTABLE = ['provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode'] as const;

export function createStorageClass(kube: Kube): OperationDefinition<typeof classInput> {
  return {
    type: 'kubernetes.storageClass.create',
    title: 'Create a storage class',
    description:
      'Makes a storage class. One that is there is brought to what is asked for, unless it differs in what cannot be changed: parameters, provisioner, reclaim policy and binding mode.',
    permission: 'kubernetes/storageClasses/write',
    input: classInput,
    references: { cluster: CLUSTER_KINDS },
    timeoutSeconds: 600,
    findings: classFindings,
    target(input, references) {
      const { canonical } = classIdOf(input, references);
      return { id: canonical, kind: storageClassKind.name, lock: canonical };
    },
    preflight: (context) => preflightClass(kube, context),
    plan: (context) => planClass(kube, context),
    steps: [{ name: 'class', description: 'Applies the class.', run: (context) => runClass(kube, context) }],
    verify: (context) => verifyClass(kube, context),
  };
}

async function preflightClass(kube: Kube, context: OperationContext<ClassInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(classFindings, findings);
  const located = await locate(kube, context);
  const existing = await located.read();
  if (existing !== undefined) {
    const differences = immutableDifferences(existing, input);
    if (isDeleting(existing)) say('CLASS_DELETING', 'error', { storageClass: located.id.canonical });
    else if (Object.keys(differences).length > 0) {
      const remedy = 'Choose another name: a class with these parameters can only be a new one.';
      say('CLASS_DIFFERS', 'error', { storageClass: located.id.canonical, differences }, remedy);
    } else say('CLASS_EXISTS', 'info', { storageClass: located.id.canonical });
  }
  if (!input.provisioner.startsWith(IN_TREE) && !(await isDriverThere(kube, context))) {
    say(
      'DRIVER_NOT_REGISTERED',
      'warning',
      { provisioner: input.provisioner },
      'Install the driver, or mend the name.',
    );
  }
  if (input.makeDefault) {
    const others = await otherDefaults(located, context);
    const remedy = `Take the annotation ${DEFAULT_CLASS_ANNOTATION} from the other class.`;
    if (others.length > 0) say('OTHER_DEFAULT_CLASS', 'warning', { storageClasses: others }, remedy);
  }
  if (existing === undefined) say('EXISTING_VOLUMES_STAY', 'info', {});
  for (const verb of existing === undefined ? ['create', 'patch'] : ['patch']) {
    const access = await located.allows(verb);
    if (!access.allowed) say('ACCESS_DENIED', 'error', access.evidence, 'Give the identity a role that allows it.');
  }
  return findings;
}

async function isDriverThere(kube: Kube, context: OperationContext<ClassInput>): Promise<boolean> {
  const cluster = referencedCluster(context.references, 'cluster');
  const client = kube.cluster(cluster);
  const drivers = await client.findResource({ group: STORAGE_GROUP, kind: 'CSIDriver' }, context);
  // A name with a slash is that of a provisioner of the time before CSI, which registers nothing.
  if (drivers === undefined || context.input.provisioner.includes('/')) return true;
  return (await client.get(drivers, undefined, context.input.provisioner.toLowerCase(), context)) !== undefined;
}

async function otherDefaults(
  { client, resource, id }: ClusterObject,
  context: OperationContext<ClassInput>,
): Promise<string[]> {
  const names: string[] = [];
  for await (const page of client.list(resource, {}, context)) {
    for (const item of page.items) {
      if (item.metadata.name !== id.name && describeStorageClass(item).isDefault) names.push(item.metadata.name);
    }
  }
  return names;
}

async function planClass(kube: Kube, context: OperationContext<ClassInput>): Promise<Json> {
  const located = await locate(kube, context);
  const existing = await located.read();
  const differences = existing === undefined ? {} : immutableDifferences(existing, context.input);
  const action = existing === undefined ? 'create' : isAsWanted(existing, context.input) ? 'none' : 'change';
  return { storageClass: located.id.canonical, action, refused: differences };
}

async function runClass(kube: Kube, context: StepContext<ClassInput>): Promise<StepOutcome> {
  const located = await locate(kube, context);
  const { client, resource, id } = located;
  const existing = await located.read();
  if (existing !== undefined && isAsWanted(existing, context.input)) {
    return { outcome: 'done', message: `The class ${id.name} is as it was asked for.` };
  }
  await client.apply(resource, undefined, manifestOf(context.input), { force: true }, context);
  return { outcome: 'done', message: `The class ${id.name} is ${existing === undefined ? 'made' : 'changed'}.` };
}

async function verifyClass(kube: Kube, context: OperationContext<ClassInput>): Promise<Verification> {
  const located = await locate(kube, context);
  const storageClass = await located.read();
  if (storageClass === undefined || !isAsWanted(storageClass, context.input)) {
    return { verdict: 'missed', message: `The class ${located.id.name} is not as it was asked for.` };
  }
  const { provisioner, parameters, fsType } = describeStorageClass(storageClass);
  return {
    verdict: 'reached',
    result: {
      storageClass: located.id.canonical,
      uid: located.id.uid,
      name: located.id.name,
      provisioner,
      parameters,
      fsType,
    },
    observations: [],
    absent: [],
  };
}

/** What cannot be brought to what is asked for: `{parameters: {present, wanted}}`. */
function immutableDifferences(existing: KubernetesObject, input: ClassInput): JsonObject {
  const present = describeStorageClass(existing);
  return Object.fromEntries(
    IMMUTABLE.filter((member) => canonicalJson(present[member]) !== canonicalJson(input[member])).map((member) => [
      member,
      { present: present[member], wanted: input[member] },
    ]),
  );
}

function isAsWanted(existing: KubernetesObject, input: ClassInput): boolean {
  const present = describeStorageClass(existing);
  return (
    Object.keys(immutableDifferences(existing, input)).length === 0 &&
    present.allowVolumeExpansion === input.allowVolumeExpansion &&
    canonicalJson(present.mountOptions) === canonicalJson(input.mountOptions) &&
    (present.isDefault || !input.makeDefault)
  );
}

function manifestOf(input: ClassInput): KubernetesManifest {
  const { name, provisioner, parameters, reclaimPolicy, volumeBindingMode, allowVolumeExpansion, mountOptions } = input;
  return {
    apiVersion: API_VERSION,
    kind: 'StorageClass',
    metadata: { name, ...(input.makeDefault ? { annotations: { [DEFAULT_CLASS_ANNOTATION]: 'true' } } : {}) },
    provisioner,
    parameters,
    reclaimPolicy,
    volumeBindingMode,
    allowVolumeExpansion,
    ...(mountOptions.length === 0 ? {} : { mountOptions }),
  };
}

function locate(kube: Kube, context: OperationContext<ClassInput>): Promise<ClusterObject> {
  const cluster = referencedCluster(context.references, 'cluster');
  return ClusterObject.of(kube.cluster(cluster), classIdOf(context.input, context.references), context);
}

function classIdOf(input: ClassInput, references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  const { uid } = referencedCluster(references, 'cluster');
  return KubernetesId.of({
    clusterUid: uid,
    group: STORAGE_GROUP,
    kind: 'StorageClass',
    namespace: undefined,
    name: input.name,
  });
}
