import { ControlError } from '#libs/kernel/control-error.js';
import type { Json } from '#libs/kernel/json.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { ApiResource, KubernetesManifest, KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { differenceOf } from '#libs/kube/manifest/difference.js';
import { fieldConflictsOf } from '#libs/kube/manifest/manifest.refusal.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { FindingReporter } from '../contract/finding-reporter.js';

/** One object that an operation wants in a cluster. The version is the one that the server prefers. */
export interface WantedObject {
  cluster: ClusterClient;
  type: { group: string; kind: string };
  namespace: string | undefined;
  name: string;
  /** What is wanted of it beside its name. */
  annotations?: Readonly<Record<string, string>>;
  spec?: JsonObject;
  /** Take over fields that another manager owns. */
  force: boolean;
}

/** @throws ControlError KUBERNETES_NOT_FOUND where the cluster does not serve the type. */
export async function servedResource(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  call: KubeCall,
): Promise<ApiResource> {
  const resource = await cluster.findResource(type, call);
  if (resource !== undefined) return resource;
  throw new ControlError(
    'KUBERNETES_NOT_FOUND',
    `The cluster does not serve ${type.kind} of ${type.group || 'the core'}.`,
    {
      remedy: 'The agents of Fleet have to run in the cluster.',
    },
  );
}

/** undefined also where the type is not served. */
export async function readObject(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  namespace: string | undefined,
  name: string,
  call: KubeCall,
): Promise<KubernetesObject | undefined> {
  const resource = await cluster.findResource(type, call);
  return resource === undefined ? undefined : cluster.get(resource, namespace, name, call);
}

/** All objects of a type, of one namespace or of all; none where the type is not served. */
export async function listObjects(
  cluster: ClusterClient,
  type: { group: string; kind: string },
  namespace: string | undefined,
  call: KubeCall,
): Promise<KubernetesObject[]> {
  const resource = await cluster.findResource(type, call);
  if (resource === undefined) return [];
  let objects: KubernetesObject[] = [];
  const options = namespace === undefined ? {} : { namespace };
  for await (const page of cluster.list(resource, options, call)) {
    objects = page.restarted ? [...page.items] : [...objects, ...page.items];
  }
  return objects;
}

/** Server-side apply: whatever is there already as wanted stays untouched. @throws ControlError */
export async function applyObject(wanted: WantedObject, call: KubeCall): Promise<KubernetesObject> {
  const resource = await servedResource(wanted.cluster, wanted.type, call);
  const manifest = manifestOf(resource, wanted);
  const { object } = await wanted.cluster.apply(resource, wanted.namespace, manifest, { force: wanted.force }, call);
  return object;
}

/** What applying would do, as the server says; nothing is stored. @throws ControlError */
export async function tryObject(wanted: WantedObject, call: KubeCall): Promise<Json> {
  const resource = await servedResource(wanted.cluster, wanted.type, call);
  const manifest = manifestOf(resource, wanted);
  const before = await wanted.cluster.get(resource, wanted.namespace, wanted.name, call);
  const options = { dryRun: true, force: wanted.force };
  const tried = await wanted.cluster.apply(resource, wanted.namespace, manifest, options, call);
  const difference = differenceOf(before, tried.object);
  return {
    kind: wanted.type.kind,
    namespace: wanted.namespace ?? null,
    name: wanted.name,
    action: before === undefined ? 'create' : difference.length === 0 ? 'none' : 'change',
    difference: difference.map(({ path, before: from, after }) => ({ path, before: from, after })),
    warnings: tried.warnings,
  };
}

export const applicationFindings = {
  FIELD_CONFLICT: 'Somebody else manages fields of the object and has given them other values.',
  REFUSED_BY_CLUSTER: 'The cluster would not accept the object.',
} as const satisfies Record<string, string>;

/** Has the server try, and reports why it would refuse. @throws ControlError where it cannot be asked. */
export async function judgeApplication(
  wanted: WantedObject,
  call: KubeCall,
  say: FindingReporter<keyof typeof applicationFindings>,
): Promise<void> {
  try {
    await tryObject(wanted, call);
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
    const conflicts = fieldConflictsOf(error);
    if (conflicts.length > 0) {
      const evidence = { conflicts: conflicts.map(({ manager, fields }) => ({ manager, fields })) };
      say('FIELD_CONFLICT', 'error', evidence, 'Give force to take these fields over.');
      return;
    }
    switch (error.code) {
      case 'KUBERNETES_REJECTED':
      case 'KUBERNETES_CONFLICT':
      case 'KUBERNETES_FORBIDDEN':
        say(
          'REFUSED_BY_CLUSTER',
          'error',
          { message: error.message, reason: error.externalCode ?? null },
          error.remedy,
        );
        return;
      default:
        throw error;
    }
  }
}

function manifestOf(
  resource: ApiResource,
  { type, namespace, name, annotations, spec }: WantedObject,
): KubernetesManifest {
  return {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: type.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
    },
    ...(spec === undefined ? {} : { spec }),
  };
}
