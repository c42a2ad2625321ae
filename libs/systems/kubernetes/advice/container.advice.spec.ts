import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  AZURE_SENTENCES as AZURE,
  earlyRefusal,
  presentRefusal,
  refusedPod,
} from '#libs/testing/provider-refusal-samples.js';
import { crashLoopAdvice } from './crash-loop.advice.js';
import { imagePullAdvice, lacksImage } from './image-pull.advice.js';
import { providerFailedAdvice } from './provider-failed.advice.js';
import { providerVanishedAdvice } from './provider-vanished.advice.js';

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
  const place = { cluster: 'c', namespace: 'web', workload: WORKLOAD };
  const secrets = [{ name: 'regcred', servers: ['https://shop.azurecr.io'] }];

  it.each<{ code: string; message: string; spec?: JsonObject; evidence: JsonObject; operations: string[] }>([
    {
      code: 'PROVIDER_IMAGE_INACCESSIBLE',
      message: earlyRefusal(400, 'InaccessibleImage', AZURE.image),
      spec: { imagePullSecrets: [{ name: 'regcred' }, { name: 'gone' }] },
      evidence: {
        image: 'shop.azurecr.io/web:1',
        imagePullSecrets: [
          { name: 'regcred', isThere: true, servers: ['https://shop.azurecr.io'] },
          { name: 'gone', isThere: false, servers: null },
        ],
      },
      operations: [],
    },
    {
      code: 'PROVIDER_LIMITS_EXCEED_REQUESTS',
      message: presentRefusal(400, 'ContainerLimitGreaterThanContainerGroupTotalRequest', AZURE.limits),
      spec: { containers: [{ name: 'web', resources: { requests: { cpu: '500m' }, limits: { cpu: '2' } } }] },
      evidence: { limits: [{ container: 'web', resource: 'cpu', limit: 2, totalRequest: 0.5 }] },
      operations: ['kubernetes.workload.patch'],
    },
    {
      code: 'PROVIDER_QUOTA_EXCEEDED',
      message: presentRefusal(400, 'ContainerGroupQuotaReached', AZURE.quota),
      evidence: { azureCode: 'ContainerGroupQuotaReached', limit: 10, used: 10 },
      operations: ['kubernetes.object.delete'],
    },
    {
      code: 'PROVIDER_TIMEOUT',
      message: earlyRefusal(503, 'ServerTimeout', AZURE.timeout),
      evidence: { node: 'virtual-node-aci-linux', message: AZURE.timeout },
      operations: ['kubernetes.object.delete'],
    },
    {
      code: 'PROVIDER_POD_UNSUPPORTED',
      message: 'ACI does not support lifecycle hooks',
      evidence: { azureCode: null },
      operations: [],
    },
  ])('$code', ({ code, message, spec = {}, evidence, operations }) => {
    const advice = providerFailedAdvice({ pod: refusedPod(message, spec), ...place, pullSecrets: secrets });
    expect(advice).toMatchObject([{ code, severity: 'error', evidence }]);
    const offered = advice.flatMap(({ remedies }) => remedies.flatMap((remedy) => remedy.operations));
    expect(offered.map(({ type }) => type)).toEqual(operations);
  });

  it('are others than those that fail by themselves', () => {
    const pod = { metadata: { name: 'web-1' }, status: { phase: 'Failed', reason: 'Evicted', message: 'quota' } };
    expect(providerFailedAdvice({ pod, ...place, pullSecrets: undefined })).toEqual([]);
  });
});

describe('pods whose container group has gone', () => {
  const terminated = { exitCode: -137, reason: 'NotFound', message: 'Container was not found and was likely deleted' };
  const place = { cluster: 'c', namespace: 'web' };
  const podWith = (reason: string, message: string): JsonObject => {
    const pod = podOf({ state: { terminated } });
    return { ...pod, status: { ...(pod.status as JsonObject), phase: 'Failed', reason, message } };
  };

  it.each([
    { reason: 'NotFound', message: 'The pod may have been deleted from the provider', found: true },
    {
      reason: 'NotFound',
      message: 'The pod status was not found and may have been deleted from the provider',
      found: true,
    },
    { reason: 'Error', message: 'The pod may have been deleted from the provider', found: false },
    { reason: 'NotFound', message: 'Something else was not found', found: false },
  ])('are known by $reason: $message', ({ reason, message, found }) => {
    const pod = podWith(reason, message);
    const advice = providerVanishedAdvice({ pod, ...place, workload: WORKLOAD });
    expect(advice.map(({ code }) => code)).toEqual(found ? ['PROVIDER_POD_VANISHED'] : []);
    expect(crashLoopAdvice(pod).map(({ code }) => code)).toEqual(found ? [] : ['CONTAINER_CRASHES']);
  });

  it.each([
    { workload: WORKLOAD, operations: ['kubernetes.object.delete'] },
    { workload: undefined, operations: [] },
  ])('are deleted where something makes them anew: $workload', ({ workload, operations }) => {
    const pod = podWith('NotFound', 'The pod may have been deleted from the provider');
    const [advice] = providerVanishedAdvice({ pod, ...place, workload });
    expect(advice?.evidence.containerGroup).toBe('web-web-1');
    expect(advice?.remedies.flatMap((remedy) => remedy.operations.map(({ type }) => type))).toEqual(operations);
  });
});
