import { ControlError } from '#libs/kernel/control-error.js';
import {
  CLUSTER_WORK_FAILURES,
  CLUSTER_WORK_RECOGNITIONS,
  enable,
  holderOf,
  type ClusterWorkScene,
} from '../contract/cluster-work.failures.js';
import { freeingOf } from '../contract/left-release.js';
import { diagnosed, recognitionOf, saidBy, type Recognition } from '../contract/recognition.js';
import { seenIfAny, type InstallationScene } from './installation.scene.js';
import { forgetDefinition, isOfAppService } from './leftover-definition.js';
import { RETIRED_ON, RETIREMENT_FINDING, RETIREMENT_REMEDY, SUCCESSOR } from './lifecycle.js';
import { bringExtension, type ServedPlace } from './serving-extension.js';

/** What an operation that failed was about. */
export interface FailureScene extends ClusterWorkScene {
  /** Where it was about the extension. */
  installation?: InstallationScene;
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
    remedy:
      'Where records of the release are offered for deletion, delete them; else uninstall the release (`helm uninstall`) where nothing needs it any more. Then start this operation again.',
    operations: ({ cluster, installation }) =>
      installation?.release === undefined ? [] : freeingOf(cluster, installation.release).operations,
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
    words: /(?:customresourcedefinition \\*"([^"\\]{1,253})\\*"[^]*?)?invalid ownership metadata([^]*)/i,
    evidence: (match) => ({ definition: match[1] ?? null, release: holderOf(match[2] ?? '') }),
    remedy:
      'Delete what is left (kubernetes.object.delete) where nothing needs it any more, then start this operation again.',
    // What is not of App Service may be somebody else's, and what is may serve another extension.
    operations: ({ cluster, installation }, match) => {
      const name = match[1] ?? null;
      const others = installation?.others;
      if (name === null || !isOfAppService(name) || others === undefined || others.hasAppService) return [];
      const holder = holderOf(match[2] ?? '');
      return holder !== null && others.releases.includes(holder) ? [] : [forgetDefinition(cluster, name)];
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
  const scene = await seenIfAny(sceneOf);
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

/** The scene of what is placed on a custom location. */
export function sceneOn(place: ServedPlace | undefined): FailureScene | undefined {
  if (place === undefined) return undefined;
  return { cluster: place.cluster, place };
}
