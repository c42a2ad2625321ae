import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import {
  CLUSTER_WORK_FAILURES,
  CLUSTER_WORK_RECOGNITIONS,
  enable,
  type ClusterWorkScene,
} from '../contract/cluster-work.failures.js';
import { diagnosed, recognitionOf, saidBy, type Recognition } from '../contract/recognition.js';
import { forgetDefinition, isOfAppService } from './leftover-definition.js';
import { RETIRED_ON, RETIREMENT_FINDING, RETIREMENT_REMEDY, SUCCESSOR } from './lifecycle.js';
import { bringExtension, type ServedPlace } from './serving-extension.js';

/** What an operation that failed was about. */
export interface FailureScene extends ClusterWorkScene {
  /** The extension, where it was about one, and the namespace of its release. */
  extension?: { name: string; releaseNamespace: string | undefined } | undefined;
  /** The custom location that something was to be placed on. */
  place?: ServedPlace;
}

/** The failures that are recognised, with what each means. */
export const FAILURES = {
  ...CLUSTER_WORK_FAILURES,
  EXTENSION_RETIRED: RETIREMENT_FINDING,
  TYPE_NOT_OFFERED: 'The custom location offers no such resource type: the extension that brings it is not behind it.',
  APP_SERVICE_PODS_MISSING:
    'App Service finds none of its pods in the namespace of the custom location: its extension is not installed there.',
  APP_SERVICE_OUT_OF_REACH:
    'App Service could not reach into the cluster to see its pods: nobody listens at the cluster\u2019s end of the relay.',
  APP_SERVICE_LEFTOVERS:
    'Something of an earlier release is left in the cluster: Helm refuses to take over what is not its own.',
} as const satisfies Record<string, string>;
export type FailureCode = keyof typeof FAILURES;

const RECOGNITIONS: readonly Recognition<FailureCode, FailureScene>[] = [
  // What this system knows more exactly goes before what all know.
  {
    code: 'RELEASE_NAME_IN_USE',
    words: /cannot re-use a name that is still in use/i,
    remedy: 'Delete the record of the release that is left, then start this operation again.',
    operations: ({ cluster, extension }) =>
      extension?.releaseNamespace === undefined
        ? []
        : [forgetRelease(cluster, extension.name, extension.releaseNamespace)],
  },
  {
    code: 'EXTENSION_RETIRED',
    words: /extensiontyperetired|extension type .* (has been retired|is retired|no longer supported)/i,
    evidence: () => ({ retiredOn: RETIRED_ON, successor: SUCCESSOR }),
    remedy: RETIREMENT_REMEDY,
  },
  {
    code: 'TYPE_NOT_OFFERED',
    words: /missingazurekubernetesmapping|does not support resource type/i,
    remedy:
      'Put the extension behind the custom location (arc.customLocation.create adds it to those that are there), then start this operation again.',
    operations: ({ place }) => (place === undefined ? [] : bringExtension(place)),
  },
  {
    code: 'APP_SERVICE_PODS_MISSING',
    words: /required app service pods in not present/i,
    remedy:
      'Install the extension of App Service in the namespace of the custom location (arc.extension.install); or, where it serves another namespace, use a custom location of that namespace. Then start this operation again.',
    operations: ({ place }) => (place === undefined ? [] : bringExtension(place)),
  },
  {
    code: 'APP_SERVICE_OUT_OF_REACH',
    words: /error when checking initialize status of k8se stamp/i,
    remedy: 'Switch cluster connect on (arc.feature.enable), then start this operation again.',
    operations: ({ cluster }) => [enable(cluster, ['cluster-connect'])],
  },
  {
    code: 'APP_SERVICE_LEFTOVERS',
    words: /(?:customresourcedefinition \\*"([^"\\]{1,253})\\*"[^]*?)?invalid ownership metadata/i,
    evidence: (match) => ({ definition: match[1] ?? null }),
    remedy:
      'Delete what is left (kubernetes.object.delete), then start this operation again: its checks name all of it.',
    // What is not of App Service may be somebody else's.
    operations: ({ cluster }, match) => {
      const name = match[1] ?? null;
      return name !== null && isOfAppService(name) ? [forgetDefinition(cluster, name)] : [];
    },
  },
  ...CLUSTER_WORK_RECOGNITIONS,
];

/**
 * Does something whose failures are known.
 * @param sceneOf is asked after a failure that is recognised alone.
 * @throws ControlError with what is behind it and the operations that mend it; one that nobody knows as it came.
 */
export async function recognising<T>(
  sceneOf: () => Promise<FailureScene | undefined>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ControlError ? await recognised(error, sceneOf) : error;
  }
}

async function recognised(
  error: ControlError,
  sceneOf: () => Promise<FailureScene | undefined>,
): Promise<ControlError> {
  const found = error.diagnosis === undefined ? recognitionOf(error, RECOGNITIONS) : undefined;
  if (found === undefined) return error;
  const scene = await sceneIfSeen(sceneOf);
  if (scene === undefined) return error;
  const { known, match } = found;
  const diagnosis = {
    code: known.code,
    cause: FAILURES[known.code],
    evidence: { cluster: scene.cluster.toString(), said: saidBy(error), ...known.evidence?.(match) },
    operations: known.operations?.(scene, match) ?? [],
  };
  return diagnosed(error, diagnosis, known.remedy);
}

/** Where what is around a failure cannot be read, the failure itself is what there is to tell. */
async function sceneIfSeen(sceneOf: () => Promise<FailureScene | undefined>): Promise<FailureScene | undefined> {
  try {
    return await sceneOf();
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

/** The scene of what is placed on a custom location. */
export function sceneOn(place: ServedPlace | undefined): FailureScene | undefined {
  if (place === undefined) return undefined;
  const { cluster, installed } = place;
  const extension =
    installed === undefined
      ? undefined
      : { name: installed.id.name, releaseNamespace: installed.releaseNamespace ?? undefined };
  return { cluster, extension, place };
}

/** Helm keeps a release as a secret; where the one of its first revision is gone, the name of a failed release is free. */
function forgetRelease(cluster: ArmId, extension: string, namespace: string): RemedyOperation {
  const name = `sh.helm.release.v1.${extension}.v1`;
  return {
    type: 'kubernetes.object.delete',
    input: { cluster: cluster.toString(), apiVersion: 'v1', kind: 'Secret', name, namespace },
  };
}
