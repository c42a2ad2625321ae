import type { JsonObject } from '#libs/kernel/json.js';
import { changeItems, changeObject, numberIn, objectIn, objectsIn, textIn, withMissing } from './object.members.js';

/** What the real server fills in for pods and everything that has a pod template (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go). */

const CONTAINER_LISTS = ['initContainers', 'containers', 'ephemeralContainers'];
/** rw-r--r-- */
const FILE_MODE = 0o644;

/** Only pods themselves, not templates: links to services, and requests that follow the limits. */
export function defaultPod(pod: JsonObject): JsonObject {
  return changeObject(pod, 'spec', (spec) => {
    const linked = withMissing(defaultPodSpec(spec), { enableServiceLinks: true });
    return CONTAINER_LISTS.reduce(
      (changed, list) =>
        changeItems(changed, list, (container) => changeObject(container, 'resources', requestsFromLimits)),
      linked,
    );
  });
}

function requestsFromLimits(resources: JsonObject): JsonObject {
  const limits = objectIn(resources, 'limits');
  if (Object.keys(limits).length === 0) return resources;
  return { ...resources, requests: { ...limits, ...objectIn(resources, 'requests') } };
}

/** In an object with `spec.template`. */
export function defaultPodTemplate(object: JsonObject): JsonObject {
  return changeObject(object, 'spec', (spec) =>
    changeObject(spec, 'template', (template) => changeObject(template, 'spec', defaultPodSpec)),
  );
}

export function defaultPodSpec(spec: JsonObject): JsonObject {
  const account = textIn(spec, 'serviceAccountName') || textIn(spec, 'serviceAccount');
  const filled = withMissing(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    // The old name of the member is always written beside the new one.
    ...(account === '' ? {} : { serviceAccountName: account, serviceAccount: account }),
  });
  const withVolumes = changeItems(filled, 'volumes', defaultVolume);
  return CONTAINER_LISTS.reduce(
    (changed, list) =>
      changeItems(changed, list, (container) => defaultContainer(container, spec.hostNetwork === true)),
    withVolumes,
  );
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): JsonObject {
  const filled = withMissing(container, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: pullPolicyOf(textIn(container, 'image')),
  });
  const withPorts = changeItems(filled, 'ports', (port) =>
    hostNetwork && numberIn(port, 'hostPort') === undefined ? { ...port, hostPort: port.containerPort ?? 0 } : port,
  );
  const withEnv = changeItems(withPorts, 'env', (variable) =>
    changeObject(variable, 'valueFrom', defaultFieldReference),
  );
  const withProbes = ['livenessProbe', 'readinessProbe', 'startupProbe'].reduce(
    (changed, probe) => changeObject(changed, probe, defaultProbe),
    withEnv,
  );
  return changeObject(withProbes, 'lifecycle', (lifecycle) =>
    changeObject(changeObject(lifecycle, 'postStart', defaultHttpGet), 'preStop', defaultHttpGet),
  );
}

/** What moves is pulled each time. */
function pullPolicyOf(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = image.slice(image.lastIndexOf('/') + 1).split(':')[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultProbe(probe: JsonObject): JsonObject {
  const filled = withMissing(defaultHttpGet(probe), {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  return changeObject(filled, 'grpc', (grpc) => ({ service: '', ...grpc }));
}

function defaultHttpGet(handler: JsonObject): JsonObject {
  return changeObject(handler, 'httpGet', (get) => withMissing(get, { path: '/', scheme: 'HTTP' }));
}

function defaultFieldReference(holder: JsonObject): JsonObject {
  return changeObject(holder, 'fieldRef', (reference) => withMissing(reference, { apiVersion: 'v1' }));
}

function defaultVolume(volume: JsonObject): JsonObject {
  const hasSource = Object.keys(volume).some((key) => key !== 'name');
  const filled: JsonObject = hasSource ? volume : { ...volume, emptyDir: {} };
  const withModes = ['secret', 'configMap', 'downwardAPI', 'projected'].reduce(
    (changed, source) => changeObject(changed, source, (value) => withMissing(value, { defaultMode: FILE_MODE })),
    filled,
  );
  const defaultItems = (source: JsonObject): JsonObject => changeItems(source, 'items', defaultFieldReference);
  const withItems = changeObject(withModes, 'downwardAPI', defaultItems);
  const withProjected = changeObject(withItems, 'projected', (projected) =>
    changeItems(projected, 'sources', (source) =>
      changeObject(changeObject(source, 'downwardAPI', defaultItems), 'serviceAccountToken', (token) =>
        withMissing(token, { expirationSeconds: 3600 }),
      ),
    ),
  );
  const withDisk = changeObject(withProjected, 'azureDisk', (disk) =>
    withMissing(disk, { cachingMode: 'ReadWrite', fsType: 'ext4', readOnly: false, kind: 'Shared' }),
  );
  const withHostPath = changeObject(withDisk, 'hostPath', (source) => ({ type: '', ...source }));
  return changeObject(withHostPath, 'ephemeral', (ephemeral) =>
    changeObject(ephemeral, 'volumeClaimTemplate', (claim) =>
      changeObject(claim, 'spec', (spec) => withMissing(spec, { volumeMode: 'Filesystem' })),
    ),
  );
}

/** All containers of a pod's specification with where they stand. */
export function containersOf(spec: JsonObject): { container: JsonObject; list: string; index: number }[] {
  return CONTAINER_LISTS.flatMap((list) =>
    objectsIn(spec, list).map((container, index) => ({ container, list, index })),
  );
}
