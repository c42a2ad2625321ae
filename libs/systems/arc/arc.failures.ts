import { ControlError } from '#libs/kernel/control-error.js';
import {
  CLUSTER_WORK_FAILURES,
  CLUSTER_WORK_RECOGNITIONS,
  type ClusterWorkScene,
} from '../contract/cluster-work.failures.js';
import { diagnosed, recognitionOf, saidBy, type Recognition } from '../contract/recognition.js';
import { AGENT_FAULTS } from './agent-faults.js';

/** What an operation that failed was about. */
export type FailureScene = ClusterWorkScene;

/** The failures that are recognised, with what each means. */
export const FAILURES = {
  ...CLUSTER_WORK_FAILURES,
  WRONG_OBJECT_BOUND:
    'Rights were given to another object id than that of the provider of custom locations: the provider itself has none.',
  ...AGENT_FAULTS,
  AGENTS_NOT_STARTED: 'The agents of the cluster have never reported to the relay: they are too old, or did not start.',
  EXTENSION_TYPE_RETIRED: 'The extension type has been retired: Azure installs it no more.',
  TYPE_NOT_OFFERED: 'The custom location offers no such resource type: the extension that brings it is not behind it.',
} as const satisfies Record<string, string>;
export type FailureCode = keyof typeof FAILURES;

const RECOGNITIONS: readonly Recognition<FailureCode, FailureScene>[] = [
  ...CLUSTER_WORK_RECOGNITIONS,
  {
    code: 'AGENTS_NOT_STARTED',
    words: /hybrid connection for the target resource does not exist/i,
    remedy: 'Upgrade the agents: `az connectedk8s upgrade`.',
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
  const found = recognitionOf(error, RECOGNITIONS);
  if (found === undefined) return error;
  const { known, match } = found;
  const diagnosis = {
    code: known.code,
    cause: FAILURES[known.code],
    evidence: { cluster: scene.cluster.toString(), said: saidBy(error), ...known.evidence?.(match) },
    operations: known.operations?.(scene, match) ?? [],
  };
  return diagnosed(error, diagnosis, known.remedy);
}

/** Does something whose failures are known. @throws ControlError */
export async function recognising<T>(scene: FailureScene, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ControlError ? recognised(error, scene) : error;
  }
}
