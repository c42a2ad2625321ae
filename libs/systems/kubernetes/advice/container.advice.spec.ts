import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { crashLoopAdvice } from './crash-loop.advice.js';
import { imagePullAdvice, lacksImage } from './image-pull.advice.js';
import { providerFailedAdvice } from './provider-failed.advice.js';

const WORKLOAD = 'kubernetes://c/apps/Deployment/web/web';
const IMAGE = 'registry.example.com/web:1';

function podOf(status: JsonObject, spec: JsonObject = {}): JsonObject {
  return {
    metadata: { name: 'web-1' },
    spec: { containers: [{ name: 'web', image: IMAGE, resources: { limits: { memory: '64Mi' } } }], ...spec },
    status: { containerStatuses: [{ name: 'web', restartCount: 3, ...status }] },
  };
}

const waiting = (reason: string, message?: string): JsonObject => ({
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
});

describe('containers without an image', () => {
  it.each<{ status: JsonObject; events?: string[]; found: string[]; reason: string }>([
    {
      status: waiting('ErrImagePull', 'failed to authorize: 401 Unauthorized'),
      found: ['IMAGE_PULL_UNAUTHORIZED'],
      reason: 'the registry wants to know who asks',
    },
    {
      status: waiting('ImagePullBackOff', `Back-off pulling image "${IMAGE}"`),
      events: [`Failed to pull image "${IMAGE}": 401 Unauthorized`],
      found: ['IMAGE_PULL_UNAUTHORIZED'],
      reason: 'only the events still say why',
    },
    {
      status: waiting('ImagePullBackOff', 'Back-off'),
      events: ['Failed to pull image "other": 401 Unauthorized'],
      found: ['IMAGE_NOT_PULLED'],
      reason: 'what they say of another image does not count',
    },
    { status: waiting('ErrImagePull', 'manifest unknown'), found: ['IMAGE_NOT_FOUND'], reason: 'no such tag' },
    { status: waiting('InvalidImageName', 'x'), found: ['IMAGE_NAME_INVALID'], reason: 'a name with a space' },
    {
      status: waiting('ErrImagePull', 'dial tcp: lookup registry: no such host'),
      found: ['REGISTRY_UNREACHABLE'],
      reason: 'no such host',
    },
    { status: waiting('ErrImageNeverPull'), found: ['IMAGE_NOT_PULLED'], reason: 'it must not be pulled' },
    { status: waiting('ContainerCreating'), found: [], reason: 'it is on its way' },
    { status: { state: { running: {} } }, found: [], reason: 'it runs' },
  ])('$found: $reason', ({ status, events = [], found }) => {
    const situation = { pod: podOf(status), workload: WORKLOAD, eventMessages: events, registrySecrets: [] };
    expect(imagePullAdvice(situation).map(({ code }) => code)).toEqual(found);
    expect(lacksImage(podOf(status))).toBe(found.length > 0);
  });

  const unauthorized = waiting('ErrImagePull', '401 Unauthorized');
  it.each<{
    named: string[];
    there: string[] | undefined;
    missing: string[] | null;
    patched: string[];
    reason: string;
  }>([
    {
      named: [],
      there: ['regcred', 'a'],
      missing: [],
      patched: ['regcred'],
      reason: 'one is there, of the usual name',
    },
    { named: [], there: ['a'], missing: [], patched: ['a'], reason: 'one is there' },
    { named: ['old'], there: ['old', 'new'], missing: [], patched: ['old', 'new'], reason: 'another may do' },
    { named: ['gone'], there: ['a'], missing: ['gone'], patched: [], reason: 'the one that is named is not there' },
    { named: [], there: [], missing: [], patched: [], reason: 'there is none' },
    { named: ['hidden'], there: undefined, missing: null, patched: [], reason: 'they may not be seen' },
  ])('offers a secret: $reason', ({ named, there, missing, patched }) => {
    const pod = podOf(unauthorized, { imagePullSecrets: named.map((name) => ({ name })) });
    const [advice] = imagePullAdvice({ pod, workload: WORKLOAD, eventMessages: [], registrySecrets: there });
    expect(advice?.evidence.missingSecrets).toEqual(missing);
    const [operation] = advice?.remedies.flatMap(({ operations }) => operations) ?? [];
    const patch =
      operation === undefined ? undefined : (JSON.parse((operation.input as { patch: string }).patch) as unknown);
    expect(patch).toEqual(
      patched.length === 0
        ? undefined
        : { spec: { template: { spec: { imagePullSecrets: patched.map((name) => ({ name })) } } } },
    );
  });
});

describe('containers that end again and again', () => {
  const ended = (exitCode: number, reason = 'Error'): JsonObject => ({
    ...waiting('CrashLoopBackOff', 'back-off 40s'),
    lastState: { terminated: { exitCode, reason, message: 'boom', finishedAt: '2026-11-01T10:00:00Z' } },
  });
  it.each<{ status: JsonObject; found: string[]; reason: string }>([
    { status: ended(1), found: ['CONTAINER_CRASHES'], reason: 'an error of its own' },
    { status: ended(137, 'OOMKilled'), found: ['CONTAINER_OUT_OF_MEMORY'], reason: 'too much memory' },
    { status: ended(127), found: ['CONTAINER_COMMAND_FAILED'], reason: 'no such command' },
    {
      status: waiting('RunContainerError', 'exec: not found'),
      found: ['CONTAINER_COMMAND_FAILED'],
      reason: 'nothing runs',
    },
    {
      status: waiting('CreateContainerConfigError', 'configmap "a" not found'),
      found: ['CONTAINER_CONFIGURATION_MISSING'],
      reason: 'a ConfigMap is missing',
    },
    { status: { state: { terminated: { exitCode: 2 } } }, found: ['CONTAINER_CRASHES'], reason: 'it has ended so' },
    { status: { state: { terminated: { exitCode: 0 } } }, found: [], reason: 'it has ended well' },
    {
      status: { state: { running: {} }, lastState: { terminated: { exitCode: 1 } } },
      found: [],
      reason: 'it runs again',
    },
  ])('$found: $reason', ({ status, found }) => {
    expect(crashLoopAdvice(podOf(status)).map(({ code }) => code)).toEqual(found);
  });

  it('tells of the last end', () => {
    expect(crashLoopAdvice(podOf(ended(137, 'OOMKilled')))[0]?.evidence).toMatchObject({
      container: 'web',
      restarts: 3,
      message: 'boom',
      memoryLimit: '64Mi',
      lastTermination: { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-11-01T10:00:00Z' },
    });
  });
});

describe('pods that the provider of a virtual node has refused', () => {
  it.each([
    { reason: 'ProviderFailed', message: 'ContainerGroupQuotaReached', found: ['PROVIDER_QUOTA_EXCEEDED'], deletes: 1 },
    { reason: 'ProviderFailed', message: '503 ServerTimeout', found: ['PROVIDER_FAILED'], deletes: 1 },
    { reason: 'Evicted', message: 'x', found: [], deletes: 0 },
  ])('$found: $message', ({ reason, message, found, deletes }) => {
    const pod = { metadata: { name: 'web-1' }, spec: {}, status: { phase: 'Pending', reason, message } };
    const advice = providerFailedAdvice({ pod, cluster: 'c', namespace: 'web', workload: WORKLOAD });
    expect(advice.map(({ code }) => code)).toEqual(found);
    const operations = advice.flatMap(({ remedies }) => remedies.flatMap((remedy) => remedy.operations));
    expect(operations).toHaveLength(deletes);
    for (const { input } of operations) expect(input).toMatchObject({ kind: 'Pod', name: 'web-1', namespace: 'web' });
  });
});
