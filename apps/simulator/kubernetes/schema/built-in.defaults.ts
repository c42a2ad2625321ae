import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { formatApiVersion, type GroupVersionKind } from './group-version-kind.js';
import { changeItems, changeObject, numberIn, objectIn, objectsIn, textIn, withMissing } from './object.members.js';
import { defaultPod, defaultPodSpec, defaultPodTemplate } from './pod.defaults.js';

type Defaulter = (object: JsonObject) => JsonObject;

const RBAC = 'rbac.authorization.k8s.io';
const CLIENT_IP_TIMEOUT_SECONDS = 10800;

/** The defaults that the real server's `pkg/apis/<group>/<version>/defaults.go` makes, by API version and kind. */
const DEFAULTERS: Readonly<Record<string, Defaulter>> = {
  'v1/Namespace': (namespace) => {
    const name = objectIn(namespace, 'metadata').name;
    return name === undefined
      ? namespace
      : changeObject(namespace, 'metadata', (metadata) => ({
          ...metadata,
          labels: { ...objectIn(metadata, 'labels'), 'kubernetes.io/metadata.name': name },
        }));
  },
  'v1/Node': (node) =>
    changeObject(node, 'status', (status) =>
      status.capacity === undefined ? status : withMissing(status, { allocatable: status.capacity }),
    ),
  'v1/Pod': defaultPod,
  'v1/PodTemplate': (object) =>
    changeObject(object, 'template', (template) => changeObject(template, 'spec', defaultPodSpec)),
  'v1/Service': (service) => changeObject(service, 'spec', defaultServiceSpec),
  'v1/Endpoints': (endpoints) =>
    changeItems(endpoints, 'subsets', (subset) =>
      changeItems(subset, 'ports', (port) => withMissing(port, { protocol: 'TCP' })),
    ),
  'v1/Secret': (secret) => withMissing(withStringData(secret), { type: 'Opaque' }),
  'v1/PersistentVolume': inSpec({ persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }),
  'v1/PersistentVolumeClaim': inSpec({ volumeMode: 'Filesystem' }),
  'v1/LimitRange': (range) => changeObject(range, 'spec', (spec) => changeItems(spec, 'limits', defaultLimit)),
  'apps/v1/Deployment': (deployment) => changeObject(defaultPodTemplate(deployment), 'spec', defaultDeploymentSpec),
  'apps/v1/ReplicaSet': (set) => inSpec({ replicas: 1 })(defaultPodTemplate(set)),
  'apps/v1/StatefulSet': (set) => changeObject(defaultPodTemplate(set), 'spec', defaultStatefulSetSpec),
  'apps/v1/DaemonSet': (set) =>
    changeObject(defaultPodTemplate(set), 'spec', (spec) =>
      withMissing(
        changeObject(spec, 'updateStrategy', (strategy) =>
          defaultRollingUpdate(strategy, { maxUnavailable: 1, maxSurge: 0 }),
        ),
        { revisionHistoryLimit: 10 },
      ),
    ),
  'batch/v1/Job': (job) => changeObject(defaultPodTemplate(job), 'spec', defaultJobSpec),
  'batch/v1/CronJob': (job) =>
    changeObject(job, 'spec', (spec) =>
      withMissing(changeObject(spec, 'jobTemplate', defaultPodTemplate), {
        concurrencyPolicy: 'Allow',
        suspend: false,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 1,
      }),
    ),
  'discovery.k8s.io/v1/EndpointSlice': (slice) =>
    changeItems(slice, 'ports', (port) => withMissing(port, { name: '', protocol: 'TCP' })),
  'networking.k8s.io/v1/NetworkPolicy': (policy) => changeObject(policy, 'spec', defaultNetworkPolicySpec),
  'networking.k8s.io/v1/IngressClass': (object) =>
    changeObject(object, 'spec', (spec) =>
      changeObject(spec, 'parameters', (parameters) => withMissing(parameters, { scope: 'Cluster' })),
    ),
  'rbac.authorization.k8s.io/v1/RoleBinding': defaultBinding,
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': defaultBinding,
  'storage.k8s.io/v1/StorageClass': (object) =>
    withMissing(object, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  'storage.k8s.io/v1/CSIDriver': inSpec({
    attachRequired: true,
    podInfoOnMount: false,
    volumeLifecycleModes: ['Persistent'],
    storageCapacity: false,
    fsGroupPolicy: 'ReadWriteOnceWithFSType',
    requiresRepublish: false,
    seLinuxMount: false,
  }),
  'scheduling.k8s.io/v1/PriorityClass': (object) => withMissing(object, { preemptionPolicy: 'PreemptLowerPriority' }),
  'autoscaling/v1/HorizontalPodAutoscaler': inSpec({ minReplicas: 1 }),
  'autoscaling/v2/HorizontalPodAutoscaler': inSpec({
    minReplicas: 1,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
  }),
  'apiextensions.k8s.io/v1/CustomResourceDefinition': (object) => changeObject(object, 'spec', defaultDefinitionSpec),
};

/** The object with the defaults of its kind; as it is for all other kinds. */
export function defaultBuiltIn({ group, version, kind }: GroupVersionKind, object: JsonObject): JsonObject {
  return DEFAULTERS[`${formatApiVersion(group, version)}/${kind}`]?.(object) ?? object;
}

function inSpec(defaults: Readonly<Record<string, Json>>): Defaulter {
  return (object) => changeObject(object, 'spec', (spec) => withMissing(spec, defaults));
}

function defaultDeploymentSpec(spec: JsonObject): JsonObject {
  return withMissing(
    changeObject(spec, 'strategy', (strategy) =>
      defaultRollingUpdate(strategy, { maxUnavailable: '25%', maxSurge: '25%' }),
    ),
    { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 },
  );
}

function defaultStatefulSetSpec(spec: JsonObject): JsonObject {
  const withStrategy = changeObject(spec, 'updateStrategy', (strategy) =>
    defaultRollingUpdate(strategy, { partition: 0 }),
  );
  const filled = withMissing(withStrategy, {
    podManagementPolicy: 'OrderedReady',
    replicas: 1,
    revisionHistoryLimit: 10,
    persistentVolumeClaimRetentionPolicy: {},
  });
  const withPolicy = changeObject(filled, 'persistentVolumeClaimRetentionPolicy', (policy) =>
    withMissing(policy, { whenDeleted: 'Retain', whenScaled: 'Retain' }),
  );
  return changeItems(withPolicy, 'volumeClaimTemplates', (claim) => {
    const typed = withMissing(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: {} });
    const withMode = inSpec({ volumeMode: 'Filesystem' })(typed);
    return changeObject(withMode, 'status', (status) => withMissing(status, { phase: 'Pending' }));
  });
}

function defaultRollingUpdate(strategy: JsonObject, defaults: Readonly<Record<string, Json>>): JsonObject {
  const typed = withMissing(strategy, { type: 'RollingUpdate' });
  if (typed.type !== 'RollingUpdate') return typed;
  return { ...typed, rollingUpdate: withMissing(objectIn(typed, 'rollingUpdate'), defaults) };
}

function defaultJobSpec(spec: JsonObject): JsonObject {
  const runsOnce = numberIn(spec, 'completions') === undefined && numberIn(spec, 'parallelism') === undefined;
  return withMissing(spec, {
    ...(runsOnce ? { completions: 1 } : {}),
    parallelism: 1,
    backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed',
  });
}

function defaultServiceSpec(spec: JsonObject): JsonObject {
  const typed = withMissing(spec, { sessionAffinity: 'None', type: 'ClusterIP' });
  const type = textIn(typed, 'type');
  const isExternal = type === 'NodePort' || type === 'LoadBalancer' || Array.isArray(typed.externalIPs);
  const filled = withMissing(typed, {
    ...(isExternal && type !== 'ExternalName' ? { externalTrafficPolicy: 'Cluster' } : {}),
    ...(type === 'ExternalName' ? {} : { internalTrafficPolicy: 'Cluster' }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: true } : {}),
    ...(typed.sessionAffinity === 'ClientIP' ? { sessionAffinityConfig: {} } : {}),
  });
  const withTimeout = changeObject(filled, 'sessionAffinityConfig', (config) => ({
    ...config,
    clientIP: withMissing(objectIn(config, 'clientIP'), { timeoutSeconds: CLIENT_IP_TIMEOUT_SECONDS }),
  }));
  return changeItems(withTimeout, 'ports', (port) =>
    // A target of zero is how an absent one is written.
    port.targetPort === 0 || port.targetPort === '' ? { ...port, targetPort: port.port ?? 0 } : port,
  );
}

/** `stringData` is only another way to write `data`. */
function withStringData(secret: JsonObject): JsonObject {
  const { stringData, ...kept } = secret;
  if (!isJsonObject(stringData)) return secret;
  const data = { ...objectIn(secret, 'data') };
  for (const key of Object.keys(stringData)) data[key] = Buffer.from(textIn(stringData, key)).toString('base64');
  return { ...kept, data };
}

/** For containers a missing default follows the maximum, a missing default request the default and then the minimum. */
function defaultLimit(item: JsonObject): JsonObject {
  if (item.type !== 'Container') return item;
  const limit = { ...objectIn(item, 'max'), ...objectIn(item, 'default') };
  const request = { ...objectIn(item, 'min'), ...limit, ...objectIn(item, 'defaultRequest') };
  return {
    ...item,
    ...(Object.keys(limit).length === 0 ? {} : { default: limit }),
    ...(Object.keys(request).length === 0 ? {} : { defaultRequest: request }),
  };
}

function defaultNetworkPolicySpec(spec: JsonObject): JsonObject {
  const hasEgress = objectsIn(spec, 'egress').length > 0;
  const typed = withMissing(spec, { policyTypes: hasEgress ? ['Ingress', 'Egress'] : ['Ingress'] });
  return ['ingress', 'egress'].reduce(
    (changed, direction) =>
      changeItems(changed, direction, (rule) =>
        changeItems(rule, 'ports', (port) => withMissing(port, { protocol: 'TCP' })),
      ),
    typed,
  );
}

function defaultBinding(binding: JsonObject): JsonObject {
  const typed = changeObject(binding, 'roleRef', (role) => withMissing(role, { apiGroup: RBAC }));
  return changeItems(typed, 'subjects', (subject) =>
    subject.kind === 'User' || subject.kind === 'Group' ? withMissing(subject, { apiGroup: RBAC }) : subject,
  );
}

function defaultDefinitionSpec(spec: JsonObject): JsonObject {
  const named = changeObject(spec, 'names', (names) => {
    const kind = textIn(names, 'kind');
    return withMissing(names, { singular: kind.toLowerCase(), listKind: `${kind}List` });
  });
  return withMissing(named, { conversion: { strategy: 'None' } });
}
