import type { JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { objectAt, objectsAt, textAt } from '../../json-merge.js';
import type { Pod } from './kubernetes.types.js';

/** Volumes that container groups can have; a projected one is the token of the service account. */
const VOLUMES: readonly string[] = ['name', 'emptyDir', 'secret', 'configMap', 'azureFile', 'gitRepo', 'projected'];

const AZURE_FILES = 'file.csi.azure.com';

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
  const probes = ['livenessProbe', 'readinessProbe'].flatMap((member) => containers.map((each) => each[member]));
  if (probes.some((probe) => isJsonObject(probe) && probe.exec === undefined && probe.httpGet === undefined))
    return 'probe must specify one of "exec" and "httpGet"';
  return unsupportedVolume(pod.metadata.name, objectsAt(spec, 'volumes'));
}

/** Of volumes with a driver of their own it knows Azure file shares alone. */
function unsupportedVolume(pod: string, volumes: readonly JsonObject[]): string | undefined {
  for (const volume of volumes) {
    const name = textAt(volume, 'name') ?? '';
    const unsupported = `pod ${pod} requires volume ${name} which is of an unsupported type`;
    if (!isJsonObject(volume.csi)) {
      if (Object.keys(volume).every((key) => VOLUMES.includes(key))) continue;
      return unsupported;
    }
    const driver = textAt(volume.csi, 'driver') ?? '';
    if (driver !== AZURE_FILES) return `${unsupported} ${driver}`;
    const attributes = objectAt(volume.csi, 'volumeAttributes');
    const lacking = ['shareName', 'secretName'].find((attribute) => textAt(attributes, attribute) === undefined);
    if (lacking !== undefined)
      return `${lacking === 'shareName' ? 'share' : 'secret'} name for AzureFile CSI driver ${name} cannot be empty or nil`;
  }
  return undefined;
}

function present(holder: JsonObject, member: string): boolean {
  const value = holder[member];
  if (Array.isArray(value)) return value.length > 0;
  return isJsonObject(value) && Object.keys(value).length > 0;
}
