import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type Diagnosis, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { AGENT_FAULTS } from './agent-faults.js';
import { AGENT_NAMESPACE } from './arc-agents.js';
import { OBJECT_ID_COMMAND } from './arc-names.js';
import { deletionOf } from './reached-cluster.js';

/** What an operation that failed was about. */
export interface FailureScene {
  cluster: ArmId;
}

/** The failures that are recognised, with what each means. */
export const FAILURES = {
  CLUSTER_CONNECT_OFF:
    'Nobody in the cluster listens at its end of the relay: the feature cluster connect is off, or its agents are down.',
  PROVIDER_NOT_GRANTED:
    'The provider of custom locations has no rights in the cluster: its object id is bound to no role there that lets it make namespaces.',
  WRONG_OBJECT_BOUND:
    'Rights were given to another object id than that of the provider of custom locations: the provider itself has none.',
  ...AGENT_FAULTS,
  AGENTS_NOT_STARTED: 'The agents of the cluster have never reported to the relay: they are too old, or did not start.',
  AGENTS_SILENT: 'The agents in the cluster gave no sign of the extension in time.',
  RELEASE_NAME_IN_USE: 'A Helm release of the name of the extension is left in the cluster.',
  OBJECT_OF_OTHER_RELEASE:
    'An object that the installation brings is in the cluster already and belongs to another Helm release, or to none.',
  RELEASE_BUSY: 'Something else changed the configuration in the cluster at the same moment.',
  PODS_NOT_READY: 'The pods of the extension did not become ready in time.',
  EXTENSION_TYPE_RETIRED: 'The extension type has been retired: Azure installs it no more.',
  TYPE_NOT_OFFERED: 'The custom location offers no such resource type: the extension that brings it is not behind it.',
} as const satisfies Record<string, string>;
export type FailureCode = keyof typeof FAILURES;

interface Recognition {
  code: FailureCode;
  /** Looked for in the words of Azure, in any casing. */
  words: RegExp;
  evidence?: (match: RegExpExecArray) => JsonObject;
  remedy: string;
  operations?: (scene: FailureScene, match: RegExpExecArray) => RemedyOperation[];
}

const RECOGNITIONS: readonly Recognition[] = [
  {
    code: 'CLUSTER_CONNECT_OFF',
    words: /there are no listeners connected for the endpoint|no agent is connected in the target arc resource/i,
    remedy: 'Switch cluster connect on (arc.feature.enable), then try again.',
    operations: ({ cluster }) => [enable(cluster, ['cluster-connect'])],
  },
  {
    code: 'PROVIDER_NOT_GRANTED',
    words: /namespaces is forbidden: user \\*"([^"\\]+)\\*" cannot create resource/i,
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
    code: 'AGENTS_NOT_STARTED',
    words: /hybrid connection for the target resource does not exist/i,
    remedy: 'Upgrade the agents: `az connectedk8s upgrade`.',
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
      /(?:([A-Za-z]+) "([^"]+)" in namespace "([^"]*)" exists and cannot be imported[^]*)?invalid ownership metadata/i,
    evidence: (match) => ({ kind: match[1] ?? null, name: match[2] ?? null, namespace: match[3] ?? null }),
    remedy: 'Delete the object where nothing needs it any more, then try again; there may be more of its kind.',
    operations: ({ cluster }, match) => deletionOfNamed(cluster, match[1] ?? '', match[2] ?? '', match[3] ?? ''),
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
  {
    code: 'EXTENSION_TYPE_RETIRED',
    words: /extensiontyperetired|extension type .* (has been retired|is retired|no longer supported)/i,
    remedy:
      'Use its successor: for App Service that is Container Apps on Arc, the extension type Microsoft.App.Environment.',
  },
  {
    code: 'TYPE_NOT_OFFERED',
    words: /missingazurekubernetesmapping|does not support resource type/i,
    remedy:
      'Put the extension behind the custom location with arc.customLocation.create, which adds it to those that are there.',
  },
];

/**
 * The error as it is known: with what is behind it and the operations that mend it. One that nobody knows stays as it is.
 */
export function recognised(error: ControlError, scene: FailureScene): ControlError {
  for (const { code, words, evidence, remedy, operations } of RECOGNITIONS) {
    const match = words.exec(`${error.externalCode ?? ''}: ${error.message}`);
    if (match === null) continue;
    const diagnosis: Diagnosis = {
      code,
      cause: FAILURES[code],
      evidence: { cluster: scene.cluster.toString(), said: error.message.slice(0, 2000), ...evidence?.(match) },
      operations: operations?.(scene, match) ?? [],
    };
    return diagnosed(error, diagnosis, remedy);
  }
  return error;
}

/** The error with what is known of it in the place of what was. */
export function diagnosed(error: ControlError, diagnosis: Diagnosis, remedy = error.remedy): ControlError {
  return new ControlError(error.code, diagnosis.cause, {
    ...(remedy === undefined ? {} : { remedy }),
    diagnosis,
    retry: error.retry,
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    cause: error,
  });
}

/** Does something whose failures are known. @throws ControlError */
export async function recognising<T>(scene: FailureScene, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ControlError ? recognised(error, scene) : error;
  }
}

export function enable(cluster: ArmId, features: string[]): RemedyOperation {
  return { type: 'arc.feature.enable', input: { cluster: cluster.toString(), features } };
}

export function grant(cluster: ArmId, objectId: string): RemedyOperation {
  return {
    type: 'arc.customLocation.grant',
    input: { cluster: cluster.toString(), objectId, role: 'least-privilege' },
  };
}

/** What charts leave behind most; of other kinds people have to say where they are. */
const API_VERSIONS: Readonly<Record<string, string>> = {
  CustomResourceDefinition: 'apiextensions.k8s.io/v1',
  ClusterRole: 'rbac.authorization.k8s.io/v1',
  ClusterRoleBinding: 'rbac.authorization.k8s.io/v1',
  Role: 'rbac.authorization.k8s.io/v1',
  RoleBinding: 'rbac.authorization.k8s.io/v1',
  ConfigMap: 'v1',
  Secret: 'v1',
  Service: 'v1',
  ServiceAccount: 'v1',
  DaemonSet: 'apps/v1',
  Deployment: 'apps/v1',
};

function deletionOfNamed(cluster: ArmId, kind: string, name: string, namespace: string): RemedyOperation[] {
  const apiVersion = API_VERSIONS[kind];
  if (apiVersion === undefined) return [];
  const metadata = { name, ...(namespace === '' ? {} : { namespace }) };
  return [deletionOf(cluster.toString(), { apiVersion, kind, metadata })];
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
