import type { JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { objectsAt, textAt } from '../../json-merge.js';
import type { Pod } from './kubernetes.types.js';

/** Volumes that container groups can have; a projected one is the token of the service account. */
const VOLUMES: readonly string[] = [
  'name',
  'emptyDir',
  'secret',
  'configMap',
  'azureFile',
  'gitRepo',
  'projected',
  'csi',
];

/** Why the connector cannot make a container group of a pod, in its own words; undefined when it can. */
export function unsupportedOnContainerInstances(pod: Pod): string | undefined {
  const spec = pod.spec as unknown as JsonObject;
  const containers = objectsAt(spec, 'containers');
  if (containers.some((each) => present(each, 'args') && !present(each, 'command'))) {
    return 'ACI does not support providing args without specifying the command. Please supply both command and args to the pod spec.';
  }
  if (containers.some((each) => isJsonObject(each.lifecycle))) return 'ACI does not support lifecycle hooks';
  if (containers.some((each) => isJsonObject(each.startupProbe))) return 'ACI does not support startupProbe';
  for (const member of ['ports', 'livenessProbe', 'readinessProbe', 'resources']) {
    if (objectsAt(spec, 'initContainers').some((each) => present(each, member)))
      return `azure container instances initContainers do not support ${member}`;
  }
  const volume = objectsAt(spec, 'volumes').find((each) => !Object.keys(each).every((key) => VOLUMES.includes(key)));
  return volume === undefined
    ? undefined
    : `pod ${pod.metadata.name} requires volume ${textAt(volume, 'name') ?? ''} which is of an unsupported type`;
}

function present(holder: JsonObject, member: string): boolean {
  const value = holder[member];
  if (Array.isArray(value)) return value.length > 0;
  return isJsonObject(value) && Object.keys(value).length > 0;
}
