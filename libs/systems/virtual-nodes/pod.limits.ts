import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { DEFAULT_SIZE, limitsBeyond, requestOf } from '../contract/container-group-size.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { raisedRequests } from '../contract/provider-remedy.js';
import { rawFlag, rawMember, rawObjects, rawText, rawTextRecord, rawTexts } from '../contract/raw-reader.js';

export const podFindings = {
  VOLUME_UNSUPPORTED: 'Container Instances cannot mount a volume of this type.',
  INIT_CONTAINERS_UNSUPPORTED: 'Container Instances run no such init containers.',
  HOST_PORTS_UNSUPPORTED: 'A virtual node has no host whose ports a pod could use.',
  HOST_NETWORK_UNSUPPORTED: 'A virtual node has no host whose network a pod could use.',
  HOST_ALIASES_UNSUPPORTED: 'Container Instances take no host aliases.',
  LIFECYCLE_HOOKS_UNSUPPORTED: 'Container Instances run no lifecycle hooks.',
  STARTUP_PROBES_UNSUPPORTED: 'Container Instances know no startup probes.',
  ARGUMENTS_WITHOUT_COMMAND: 'Container Instances take arguments together with a command only.',
  PROBES_UNSUPPORTED: 'Container Instances probe with a command or by HTTP alone.',
  LIMITS_EXCEED_REQUESTS:
    'The limit of a container is higher than what all containers request together: Container Instances refuse that.',
  SIZE_BY_DEFAULT:
    'A container that does not say how much CPU it wants gets a core, and one that does not say how much memory 1.5 GB: both are paid for.',
} as const satisfies Record<string, string>;

type Code = keyof typeof podFindings;

/** Volumes that a container group can have. */
const VOLUMES = ['emptyDir', 'secret', 'configMap', 'azureFile', 'gitRepo', 'projected', 'downwardAPI'];
/** The one driver whose inline volumes the connector understands. */
const AZURE_FILES = 'file.csi.azure.com';
const PROBES = ['livenessProbe', 'readinessProbe'];
const SIZES = ['cpu', 'memory'] as const;
/** What the init containers of a container group cannot have. */
const INIT_MEMBERS = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resources'];

/** What of the pods of a template Container Instances cannot run. Pure. */
export function judgePodSpec(spec: JsonObject, say: FindingReporter<Code>): void {
  const containers = rawObjects(spec, 'containers');
  const having = (member: string): string[] => names(containers.filter((container) => has(container, member)));
  for (const volume of rawObjects(spec, 'volumes')) {
    const type = unsupportedVolume(volume);
    if (type === undefined) continue;
    const remedy = 'Use an Azure file share (azureFile), or leave the workload on machines.';
    say('VOLUME_UNSUPPORTED', 'error', { volume: rawText(volume, 'name'), type }, remedy);
  }
  const init = rawObjects(spec, 'initContainers');
  const members = INIT_MEMBERS.filter((member) => init.some((container) => has(container, member)));
  if (init.length > 0) {
    const remedy =
      'Do in the container itself what they do: the first connectors run none at all. The newer virtual nodes of the Helm chart run them.';
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
  const probed = names(containers.filter((container) => PROBES.some((probe) => isOtherProbe(container[probe]))));
  if (probed.length > 0) say('PROBES_UNSUPPORTED', 'error', { containers: probed }, 'Probe with httpGet or exec.');
  const unsized = names(
    containers.filter((container) => SIZES.some((each) => requestOf(container, each) === undefined)),
  );
  if (unsized.length > 0) say('SIZE_BY_DEFAULT', 'info', { containers: unsized, ...DEFAULT_SIZE });
}

/**
 * What the newer virtual nodes, those of the Helm chart and of the AKS extension, run after all. What else keeps a pod off
 * the others is documented neither way for them.
 * They take limits above the requests as well. Source: README of microsoft/virtualnodesOnAzureContainerInstances.
 */
const LIFTED: ReadonlySet<Code> = new Set([
  'INIT_CONTAINERS_UNSUPPORTED',
  'HOST_ALIASES_UNSUPPORTED',
  'LIFECYCLE_HOOKS_UNSUPPORTED',
]);

/** Whether the limits of the workload's containers would be refused. Pure. */
export function judgeLimits(workload: string, spec: JsonObject, say: FindingReporter<'LIMITS_EXCEED_REQUESTS'>): void {
  const limits = limitsBeyond(spec);
  if (limits.length === 0) return;
  const remedy = 'Let the requests be as high as the limits, or lower the limits to what is requested.';
  const evidence = { limits: limits.map((each) => ({ ...each })) };
  say('LIMITS_EXCEED_REQUESTS', 'error', evidence, remedy, [raisedRequests(workload, limits)]);
}

/** What of the pods of a template the newer virtual nodes cannot run, or may not. Pure. */
export function judgePodSpecOfChart(spec: JsonObject, say: FindingReporter<Code>): void {
  const volumes = rawObjects(spec, 'volumes').filter((volume) => !isJsonObject(volume.persistentVolumeClaim));
  const softly = softened(say);
  judgePodSpec({ ...spec, volumes }, (code, ...said) => {
    if (!LIFTED.has(code)) softly(code, ...said);
  });
}

/** Says as a warning what nobody knows for certain. */
export function softened<Any extends string>(say: FindingReporter<Any>): FindingReporter<Any> {
  return (code, severity, ...said) => {
    say(code, severity === 'error' ? 'warning' : severity, ...said);
  };
}

/** What the volume is, where it is nothing that a container group can have. */
function unsupportedVolume(volume: JsonObject): string | undefined {
  const type = Object.keys(volume).find((member) => member !== 'name') ?? 'emptyDir';
  if (type !== 'csi') return VOLUMES.includes(type) ? undefined : type;
  const driver = rawText(volume, 'csi', 'driver');
  if (driver !== AZURE_FILES) return driver ?? type;
  const attributes = rawTextRecord(volume, 'csi', 'volumeAttributes');
  return 'shareName' in attributes && 'secretName' in attributes ? undefined : `${driver} without share or secret`;
}

/** A probe that the connector cannot translate: of a TCP port, or by gRPC. */
function isOtherProbe(probe: Json | undefined): boolean {
  return isJsonObject(probe) && rawMember(probe, 'httpGet') === undefined && rawMember(probe, 'exec') === undefined;
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
