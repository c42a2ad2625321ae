import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice } from '../../contract/advice.js';
import { rawInteger, rawMember, rawObject, rawObjects, rawText } from '../../contract/raw-reader.js';
import { containersStanding, type ContainerStanding } from './container-failure.js';
import { hasVanished } from './provider-vanished.advice.js';

export const CRASH_LOOP_CODES = {
  CONTAINER_OUT_OF_MEMORY: 'The container was ended because it took more memory than its limit.',
  CONTAINER_COMMAND_FAILED: 'The command of the container cannot be run.',
  CONTAINER_CONFIGURATION_MISSING: 'The container needs a ConfigMap, a Secret or a key that is not there.',
  CONTAINER_CRASHES: 'The container ends again and again, with an error of its own.',
} as const satisfies Record<string, string>;

type CrashCode = keyof typeof CRASH_LOOP_CODES;

const LONGEST_WORDS = 1000;
const COMMAND_FAILED = new Set([126, 127]);

const REMEDIES: Readonly<Record<CrashCode, string>> = {
  CONTAINER_OUT_OF_MEMORY: 'Raise the memory limit of the container in the pod template, or let it take less.',
  CONTAINER_COMMAND_FAILED: 'Correct the command or the image in the pod template.',
  CONTAINER_CONFIGURATION_MISSING:
    'Make what the message names (kubernetes.manifest.apply), or correct the pod template.',
  CONTAINER_CRASHES: 'Read what the container wrote before it ended, and mend what it complains of.',
};

/** How each container that ends again and again has ended last. */
export function crashLoopAdvice(pod: JsonObject): Advice[] {
  // The exit codes of what has vanished are made up: nothing has ended by itself.
  if (hasVanished(pod)) return [];
  return containersStanding(pod).flatMap((container) => {
    const code = codeOf(container);
    if (code === undefined) return [];
    const { name, image, ended, waiting, message, status } = container;
    const declared = [...rawObjects(pod, 'spec', 'initContainers'), ...rawObjects(pod, 'spec', 'containers')];
    const limit = declared.find((each) => rawText(each, 'name') === name);
    const evidence: JsonObject = {
      container: name,
      image,
      restarts: rawInteger(status, 'restartCount'),
      waitsFor: waiting,
      message: (rawText(ended, 'message') ?? message)?.slice(0, LONGEST_WORDS) ?? null,
      memoryLimit: rawMember(limit, 'resources', 'limits', 'memory') ?? null,
      lastTermination:
        ended === null
          ? null
          : {
              exitCode: rawInteger(ended, 'exitCode'),
              reason: rawText(ended, 'reason'),
              startedAt: rawText(ended, 'startedAt'),
              finishedAt: rawText(ended, 'finishedAt'),
            },
    };
    const remedies = [{ description: REMEDIES[code], operations: [] }];
    return [{ code, severity: 'error' as const, cause: CRASH_LOOP_CODES[code], evidence, remedies }];
  });
}

function codeOf({ waiting, ended, status }: ContainerStanding): CrashCode | undefined {
  if (waiting === 'CreateContainerConfigError') return 'CONTAINER_CONFIGURATION_MISSING';
  const reason = rawText(ended, 'reason');
  const exitCode = rawInteger(ended, 'exitCode');
  // One that was restarted and runs again is not in trouble any more.
  const hasFailed = rawObject(status, 'state', 'terminated') !== null && exitCode !== 0;
  if (waiting !== 'CrashLoopBackOff' && waiting !== 'RunContainerError' && !hasFailed) return undefined;
  if (reason === 'OOMKilled') return 'CONTAINER_OUT_OF_MEMORY';
  if (waiting === 'RunContainerError' || reason === 'StartError' || COMMAND_FAILED.has(exitCode ?? 0)) {
    return 'CONTAINER_COMMAND_FAILED';
  }
  return 'CONTAINER_CRASHES';
}
