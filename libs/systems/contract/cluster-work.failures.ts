import type { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { Recognition } from './recognition.js';

/*
 * What goes wrong when Azure works inside of a connected cluster: with extensions, and with custom locations. Whoever has
 * it do so meets the same failures.
 */

/** The namespace of the agents of Arc. */
const AGENT_NAMESPACE = 'azure-arc';

/** Tells the object id of the provider of custom locations: its application is the same in all tenants, the object is not. */
export const OBJECT_ID_COMMAND = 'az ad sp show --id bc313c14-388c-4e7d-a58e-70017303ee3b --query id';

export interface ClusterWorkScene {
  cluster: ArmId;
}

export const CLUSTER_WORK_FAILURES = {
  CLUSTER_CONNECT_OFF:
    'Nobody in the cluster listens at its end of the relay: the feature cluster connect is off, or its agents are down.',
  PROVIDER_NOT_GRANTED:
    'The provider of custom locations has no rights in the cluster: its object id is bound to no role there that lets it make namespaces.',
  AGENTS_SILENT: 'The agents in the cluster gave no sign of the extension in time.',
  RELEASE_NAME_IN_USE: 'A Helm release of the name of the extension is left in the cluster.',
  OBJECT_OF_OTHER_RELEASE:
    'An object that the installation brings is in the cluster already and belongs to another Helm release, or to none.',
  RELEASE_BUSY: 'Something else changed the configuration in the cluster at the same moment.',
  PODS_NOT_READY: 'The pods of the extension did not become ready in time.',
} as const satisfies Record<string, string>;

export const CLUSTER_WORK_RECOGNITIONS: readonly Recognition<keyof typeof CLUSTER_WORK_FAILURES, ClusterWorkScene>[] = [
  {
    code: 'CLUSTER_CONNECT_OFF',
    words: /there are no listeners connected for the endpoint|no agent is connected in the target arc resource/i,
    remedy: 'Switch cluster connect on (arc.feature.enable), then try again.',
    operations: ({ cluster }) => [enable(cluster, ['cluster-connect'])],
  },
  {
    code: 'PROVIDER_NOT_GRANTED',
    // The provider comes as its object id; a service account of the cluster would come by a name.
    words: /namespaces is forbidden: user \\*"([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\\*" cannot create resource/i,
    evidence: (match) => ({ objectId: match[1] ?? null }),
    remedy: 'Give the provider its rights (arc.customLocation.grant), then try again.',
    operations: ({ cluster }, match) => [grant(cluster, match[1] ?? '')],
  },
  {
    code: 'PROVIDER_NOT_GRANTED',
    words: /does not have the required permissions to create a namespace on the cluster/i,
    remedy: `Give the provider its rights with arc.customLocation.grant. Its object id in your tenant: \`${OBJECT_ID_COMMAND}\`.`,
  },
  {
    code: 'AGENTS_SILENT',
    words: /unable to get the status from the local crd|status not populated/i,
    remedy: 'See that the cluster is Connected; where it is, restart the agent that installs extensions and try again.',
    operations: ({ cluster }) => [restart(cluster, 'extension-manager')],
  },
  {
    code: 'RELEASE_NAME_IN_USE',
    words: /cannot re-use a name that is still in use/i,
    remedy: 'Delete the records of the release that are left (its secrets with the label owner=helm), then try again.',
  },
  {
    code: 'OBJECT_OF_OTHER_RELEASE',
    words:
      /(?:([A-Za-z]+) \\*"([^"\\]+)\\*" in namespace \\*"([^"\\]*)\\*" exists and cannot be imported[^]*?)?invalid ownership metadata([^]*)/i,
    evidence: (match) => ({
      kind: match[1] ?? null,
      name: match[2] ?? null,
      namespace: match[3] ?? null,
      release: holderOf(match[4] ?? ''),
    }),
    remedy:
      'Where a release holds the object and nothing needs that release any more, uninstall it; an object of no release delete where nothing needs it. Then try again; there may be more of its kind.',
    operations: ({ cluster }, match) =>
      isUnowned(match[4] ?? '') ? deletionOfNamed(cluster, match[1] ?? '', match[2] ?? '', match[3] ?? '') : [],
  },
  {
    code: 'RELEASE_BUSY',
    words: /operation cannot be fulfilled on extensionconfigs\.clusterconfig\.azure\.com/i,
    remedy: 'Try again: nothing has to be mended.',
  },
  {
    code: 'PODS_NOT_READY',
    words: /timed? out waiting for the condition|has been uninstalled due to atomic being set/i,
    remedy:
      'Look at what is not ready in the namespace of the extension: GET /v1/pods/{uid}/advice says of a pod what ails it. A service without an address needs one that the load balancer of the cluster has.',
  },
];

export function enable(cluster: ArmId, features: string[]): RemedyOperation {
  return { type: 'arc.feature.enable', input: { cluster: cluster.toString(), features } };
}

export function grant(cluster: ArmId, objectId: string): RemedyOperation {
  return {
    type: 'arc.customLocation.grant',
    input: { cluster: cluster.toString(), objectId, role: 'least-privilege' },
  };
}

/** The release that holds an object, as Helm tells it of one that belongs to another; null where it tells of none. */
export function holderOf(text: string): string | null {
  const held = /meta\.helm\.sh\/release-name\\*" must equal \\*"[^"\\]*\\*": current value is \\*"([^"\\]+)/i.exec(
    text,
  );
  return held?.[1] ?? null;
}

/** Helm words it alike for what was left behind and for what a release that runs still needs, but for these words. */
function isUnowned(text: string): boolean {
  return /missing key/i.test(text) && !/current value is/i.test(text);
}

/**
 * What can be made anew by whoever needs it. Not what runs or holds data, nor definitions: with one go all objects of it, and
 * with those of some operators what they stand for in Azure.
 */
const API_VERSIONS: Readonly<Record<string, string>> = {
  ClusterRole: 'rbac.authorization.k8s.io/v1',
  ClusterRoleBinding: 'rbac.authorization.k8s.io/v1',
  Role: 'rbac.authorization.k8s.io/v1',
  RoleBinding: 'rbac.authorization.k8s.io/v1',
  ConfigMap: 'v1',
  ServiceAccount: 'v1',
};

function deletionOfNamed(cluster: ArmId, kind: string, name: string, namespace: string): RemedyOperation[] {
  const apiVersion = API_VERSIONS[kind];
  if (apiVersion === undefined) return [];
  const metadata = { ...(namespace === '' ? {} : { namespace }), name };
  return [{ type: 'kubernetes.object.delete', input: { cluster: cluster.toString(), apiVersion, kind, ...metadata } }];
}

function restart(cluster: ArmId, agent: string): RemedyOperation {
  const id = KubernetesId.of({
    clusterUid: cluster.uid,
    group: 'apps',
    kind: 'Deployment',
    namespace: AGENT_NAMESPACE,
    name: agent,
  });
  return { type: 'kubernetes.workload.restart', input: { workload: id.toString() } };
}
