import type { JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { rawFlag, rawMember, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';

export const podFindings = {
  VOLUME_UNSUPPORTED: 'Container Instances cannot mount a volume of this type.',
  INIT_CONTAINERS_UNSUPPORTED: 'Container Instances run no such init containers.',
  HOST_PORTS_UNSUPPORTED: 'A virtual node has no host whose ports a pod could use.',
  HOST_NETWORK_UNSUPPORTED: 'A virtual node has no host whose network a pod could use.',
  HOST_ALIASES_UNSUPPORTED: 'Container Instances take no host aliases.',
  LIFECYCLE_HOOKS_UNSUPPORTED: 'Container Instances run no lifecycle hooks.',
  STARTUP_PROBES_UNSUPPORTED: 'Container Instances know no startup probes.',
  ARGUMENTS_WITHOUT_COMMAND: 'Container Instances take arguments together with a command only.',
  PULL_SECRET_MISSING:
    'The image is in a private registry and the pods name no pull secret: managed identities and service principals do not help on virtual nodes.',
  SIZE_BY_DEFAULT: 'A container that asks for nothing gets one core and 1.5 GB, which are paid for.',
} as const satisfies Record<string, string>;

type Code = keyof typeof podFindings;

/** Volumes that a container group can have. */
const VOLUMES = ['emptyDir', 'secret', 'configMap', 'azureFile', 'gitRepo', 'projected', 'downwardAPI'];
/** What the init containers of a container group cannot have. */
const INIT_MEMBERS = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resources'];

/** What of the pods of a template Container Instances cannot run. Pure. */
export function judgePodSpec(spec: JsonObject, say: FindingReporter<Code>): void {
  const containers = rawObjects(spec, 'containers');
  const having = (member: string): string[] => names(containers.filter((container) => has(container, member)));
  for (const volume of rawObjects(spec, 'volumes')) {
    const type = Object.keys(volume).find((member) => member !== 'name') ?? 'emptyDir';
    if (VOLUMES.includes(type)) continue;
    const remedy = 'Use an Azure file share (azureFile), or leave the workload on machines.';
    say('VOLUME_UNSUPPORTED', 'error', { volume: rawText(volume, 'name'), type }, remedy);
  }
  const init = rawObjects(spec, 'initContainers');
  const members = INIT_MEMBERS.filter((member) => init.some((container) => has(container, member)));
  if (init.length > 0) {
    const remedy = 'Do in the container itself what they do; the provider of before runs none at all.';
    say(
      'INIT_CONTAINERS_UNSUPPORTED',
      members.length > 0 ? 'error' : 'warning',
      { containers: names(init), members },
      remedy,
    );
  }
  const ports = containers.flatMap((container) =>
    rawObjects(container, 'ports').flatMap((port) =>
      typeof port.hostPort === 'number' && port.hostPort > 0 ? port.hostPort : [],
    ),
  );
  if (ports.length > 0) say('HOST_PORTS_UNSUPPORTED', 'error', { ports }, 'Use a service instead.');
  if (rawFlag(spec, 'hostNetwork') === true) say('HOST_NETWORK_UNSUPPORTED', 'error', { hostNetwork: true });
  if (has(spec, 'hostAliases'))
    say('HOST_ALIASES_UNSUPPORTED', 'error', { hostAliases: rawObjects(spec, 'hostAliases') });
  const hooks = having('lifecycle');
  if (hooks.length > 0) say('LIFECYCLE_HOOKS_UNSUPPORTED', 'error', { containers: hooks });
  const probes = having('startupProbe');
  if (probes.length > 0) say('STARTUP_PROBES_UNSUPPORTED', 'error', { containers: probes }, 'Use a readiness probe.');
  const bare = names(containers.filter((container) => has(container, 'args') && !has(container, 'command')));
  if (bare.length > 0) say('ARGUMENTS_WITHOUT_COMMAND', 'error', { containers: bare }, 'Write the command as well.');
  const isPrivate = (image: string | null): image is string => /^[^/]+\.azurecr\.io\//i.test(image ?? '');
  const images = containers.map((container) => rawText(container, 'image')).filter(isPrivate);
  if (images.length > 0 && rawObjects(spec, 'imagePullSecrets').length === 0) {
    const remedy =
      'Make a secret with kubernetes.registrySecret.create, whose server is the host name alone, and name it in imagePullSecrets.';
    say('PULL_SECRET_MISSING', 'error', { images }, remedy);
  }
  const unsized = names(containers.filter((container) => !isSized(container)));
  if (unsized.length > 0) say('SIZE_BY_DEFAULT', 'info', { containers: unsized, cpuCores: 1, memoryGb: 1.5 });
}

function isSized(container: JsonObject): boolean {
  return (
    has(container, 'resources') &&
    (has(container.resources as JsonObject, 'requests') || has(container.resources as JsonObject, 'limits'))
  );
}

/** Whether the pods would be let onto a node with these taints. */
export function toleratesAll(
  spec: JsonObject,
  taints: readonly { key: string | null; value: string | null; effect: string | null }[],
): boolean {
  return taints.every(
    (taint) =>
      taint.effect === 'PreferNoSchedule' || rawObjects(spec, 'tolerations').some((each) => covers(each, taint)),
  );
}

export function covers(
  toleration: JsonObject,
  taint: { key: string | null; value: string | null; effect: string | null },
): boolean {
  const [key, effect] = [rawText(toleration, 'key'), rawText(toleration, 'effect')];
  if (effect !== null && effect !== taint.effect) return false;
  if (key === null) return rawText(toleration, 'operator') === 'Exists';
  if (key !== taint.key) return false;
  return rawText(toleration, 'operator') === 'Exists' || (rawText(toleration, 'value') ?? '') === (taint.value ?? '');
}

/** Whether the template keeps its pods away from virtual nodes by their label, as the parts of AKS do. */
export function avoidsVirtualNodes(spec: JsonObject): boolean {
  const required = rawMember(spec, 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution');
  const terms = rawObjects(required, 'nodeSelectorTerms');
  return (
    terms.length > 0 &&
    terms.every((term) =>
      rawObjects(term, 'matchExpressions').some(
        (expression) =>
          rawText(expression, 'key') === 'type' &&
          rawText(expression, 'operator') === 'NotIn' &&
          rawTexts(expression, 'values').includes('virtual-kubelet'),
      ),
    )
  );
}

function has(holder: JsonObject, member: string): boolean {
  const value = holder[member];
  if (Array.isArray(value)) return value.length > 0;
  return isJsonObject(value) && Object.keys(value).length > 0;
}

function names(containers: readonly JsonObject[]): string[] {
  return containers.flatMap((container) => rawText(container, 'name') ?? []);
}
