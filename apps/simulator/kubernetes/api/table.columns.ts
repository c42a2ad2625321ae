import type { Json, JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { ageSince, humanDuration } from './human.duration.js';
import { memberAt } from './json.comparison.js';
import { podReady, podRestarts, podStatus } from './pod.columns.js';
import { AGE_COLUMN, NAME_COLUMN, type TableColumn } from './table.column.js';

const NONE = '<none>';

type Cell = TableColumn['cell'];

function column(name: string, cell: Cell, description: string, type: TableColumn['type'] = 'string'): TableColumn {
  return { name, type, format: '', description, priority: 0, cell };
}

/** Shown in the wide form only. */
function wide(name: string, cell: Cell, description: string): TableColumn {
  return { ...column(name, cell, description), priority: 1 };
}

const at =
  (...path: string[]) =>
  (object: JsonObject): Json | undefined =>
    memberAt(object, path);

const textAt =
  (path: string[], otherwise = ''): Cell =>
  (object) => {
    const value = memberAt(object, path);
    return typeof value === 'string' && value !== '' ? value : otherwise;
  };

const countAt =
  (...path: string[]): Cell =>
  (object) => {
    const value = memberAt(object, path);
    return typeof value === 'number' ? value : 0;
  };

function list(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function text(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

const joined = (values: readonly string[], otherwise = NONE): string =>
  values.length === 0 ? otherwise : values.join(',');

const size =
  (...path: string[]): Cell =>
  (object) => {
    const value = memberAt(object, path);
    return isJsonObject(value) ? Object.keys(value).length : Array.isArray(value) ? value.length : 0;
  };

const labelsAt =
  (...path: string[]): Cell =>
  (object) => {
    const value = memberAt(object, path);
    return isJsonObject(value)
      ? joined(
          Object.entries(value)
            .map(([key, label]) => `${key}=${text(label)}`)
            .sort(),
        )
      : NONE;
  };

/** A label selector as one writes it on a command line. */
export function selectorText(selector: Json | undefined): string {
  if (!isJsonObject(selector)) return NONE;
  const labels = isJsonObject(selector.matchLabels) ? selector.matchLabels : {};
  const parts = [
    ...Object.entries(labels)
      .map(([key, value]) => `${key}=${text(value)}`)
      .sort(),
    ...list(selector.matchExpressions).map((expression) => {
      const key = text(expression.key);
      const values = Array.isArray(expression.values) ? expression.values.map(text).sort().join(',') : '';
      switch (expression.operator) {
        case 'Exists':
          return key;
        case 'DoesNotExist':
          return `!${key}`;
        case 'NotIn':
          return `${key} notin (${values})`;
        default:
          return `${key} in (${values})`;
      }
    }),
  ];
  return joined(parts);
}

const containers =
  (field: 'name' | 'image'): Cell =>
  (object) =>
    joined(
      list(memberAt(object, ['spec', 'template', 'spec', 'containers'])).map((container) => text(container[field])),
      '',
    );

const TEMPLATE_COLUMNS: readonly TableColumn[] = [
  wide('Containers', containers('name'), 'Names of each container in the template.'),
  wide('Images', containers('image'), 'Images referenced by each container in the template.'),
];
const SELECTOR_COLUMN = wide(
  'Selector',
  (object) => selectorText(memberAt(object, ['spec', 'selector'])),
  'Label selector for the pods that belong to it.',
);
const DATA_COLUMN = column('Data', size('data'), 'The number of entries.', 'string');

function nodeStatus(node: KubernetesObject): string {
  const ready = list(memberAt(node, ['status', 'conditions'])).find((condition) => condition.type === 'Ready');
  const status = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return memberAt(node, ['spec', 'unschedulable']) === true ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: KubernetesObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) =>
    key.startsWith(prefix) && key.length > prefix.length
      ? [key.slice(prefix.length)]
      : key === 'kubernetes.io/role' && value !== ''
        ? [value]
        : [],
  );
  return joined([...new Set(roles)].sort());
}

const nodeAddress =
  (type: string): Cell =>
  (node) => {
    const address = list(memberAt(node, ['status', 'addresses'])).find((candidate) => candidate.type === type);
    return address === undefined ? NONE : text(address.address);
  };

function externalAddresses(service: KubernetesObject): string {
  const type = memberAt(service, ['spec', 'type']);
  const external = memberAt(service, ['spec', 'externalIPs']);
  const listed = Array.isArray(external) ? external.map(text) : [];
  if (type === 'LoadBalancer') {
    const balanced = list(memberAt(service, ['status', 'loadBalancer', 'ingress'])).map(
      (ingress) => text(ingress.ip) || text(ingress.hostname),
    );
    return joined([...balanced, ...listed], '<pending>');
  }
  if (type === 'ExternalName') return text(memberAt(service, ['spec', 'externalName']));
  return joined(listed);
}

function servicePorts(service: KubernetesObject): string {
  return joined(
    list(memberAt(service, ['spec', 'ports'])).map((port) => {
      const nodePort = port.nodePort;
      const shown = nodePort === undefined || nodePort === 0 ? '' : `:${text(nodePort)}`;
      return `${text(port.port)}${shown}/${text(port.protocol)}`;
    }),
  );
}

function endpointsText(endpoints: KubernetesObject): string {
  const addresses = list(endpoints.subsets).flatMap((subset) => {
    const ports = list(subset.ports);
    return list(subset.addresses).flatMap((address) =>
      ports.length === 0 ? [text(address.ip)] : ports.map((port) => `${text(address.ip)}:${text(port.port)}`),
    );
  });
  const shown = addresses.slice(0, 3);
  const more = addresses.length - shown.length;
  return more > 0 ? `${shown.join(',')} + ${more} more...` : joined(shown);
}

function sliceAddresses(slice: KubernetesObject): string {
  const addresses = list(slice.endpoints).flatMap((endpoint) =>
    Array.isArray(endpoint.addresses) ? endpoint.addresses.map(text) : [],
  );
  const shown = addresses.slice(0, 3);
  const more = addresses.length - shown.length;
  return more > 0 ? `${shown.join(',')} + ${more} more...` : joined(shown, '<unset>');
}

function eventTime(event: KubernetesObject, member: 'firstTimestamp' | 'lastTimestamp'): Json | undefined {
  const series = member === 'lastTimestamp' ? memberAt(event, ['series', 'lastObservedTime']) : undefined;
  return series ?? event[member] ?? event.eventTime;
}

function involved(event: KubernetesObject): string {
  const object = event.involvedObject;
  return isJsonObject(object) ? `${text(object.kind).toLowerCase()}/${text(object.name)}` : '';
}

function jobDuration(job: KubernetesObject, now: Date): string {
  const start = memberAt(job, ['status', 'startTime']);
  const end = memberAt(job, ['status', 'completionTime']);
  if (typeof start !== 'string') return '';
  const until = typeof end === 'string' ? Date.parse(end) : now.getTime();
  return humanDuration(Math.floor((until - Date.parse(start)) / 1000));
}

function jobStatus(job: KubernetesObject): string {
  const conditions = list(memberAt(job, ['status', 'conditions']));
  const holds = (type: string): boolean =>
    conditions.some((condition) => condition.type === type && condition.status === 'True');
  for (const type of ['Complete', 'Failed', 'Suspended', 'FailureTarget']) if (holds(type)) return type;
  return job.metadata.deletionTimestamp === undefined ? 'Running' : 'Terminating';
}

function accessModes(object: KubernetesObject): string {
  const short: Readonly<Record<string, string>> = {
    ReadWriteOnce: 'RWO',
    ReadOnlyMany: 'ROX',
    ReadWriteMany: 'RWX',
    ReadWriteOncePod: 'RWOP',
  };
  const modes = memberAt(object, ['spec', 'accessModes']);
  return Array.isArray(modes) ? modes.map((mode) => short[text(mode)] ?? text(mode)).join(',') : '';
}

const phaseOrTerminating: Cell = (object) =>
  object.metadata.deletionTimestamp === undefined ? text(memberAt(object, ['status', 'phase'])) : 'Terminating';

const isDefaultClass = (object: KubernetesObject): boolean =>
  object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';

function subjects(kind: string): Cell {
  return (binding) =>
    list(binding.subjects)
      .filter((subject) => subject.kind === kind)
      .map((subject) =>
        kind === 'ServiceAccount' ? `${text(subject.namespace)}/${text(subject.name)}` : text(subject.name),
      )
      .join(', ');
}

const BINDING_COLUMNS: readonly TableColumn[] = [
  NAME_COLUMN,
  column(
    'Role',
    (binding) => `${text(memberAt(binding, ['roleRef', 'kind']))}/${text(memberAt(binding, ['roleRef', 'name']))}`,
    'The role that is bound.',
  ),
  AGE_COLUMN,
  wide('Users', subjects('User'), 'Users in the binding.'),
  wide('Groups', subjects('Group'), 'Groups in the binding.'),
  wide('ServiceAccounts', subjects('ServiceAccount'), 'Service accounts in the binding.'),
];

const ROLE_COLUMNS: readonly TableColumn[] = [
  NAME_COLUMN,
  { ...column('Created At', (role) => role.metadata.creationTimestamp, 'When the role was created.', 'date') },
];

const ownName: TableColumn = { ...NAME_COLUMN };

/** What `kubectl get` shows of the built-in kinds, by storage name. */
const COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  pods: [
    NAME_COLUMN,
    column('Ready', podReady, 'The aggregate readiness state of this pod for accepting traffic.'),
    column('Status', podStatus, 'The aggregate status of the containers in this pod.'),
    column(
      'Restarts',
      podRestarts,
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    ),
    AGE_COLUMN,
    wide(
      'IP',
      textAt(['status', 'podIP'], NONE),
      'podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.',
    ),
    wide(
      'Node',
      textAt(['spec', 'nodeName'], NONE),
      'NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename',
    ),
    wide(
      'Nominated Node',
      textAt(['status', 'nominatedNodeName'], NONE),
      'nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled.',
    ),
    wide(
      'Readiness Gates',
      (pod) => {
        const gates = list(memberAt(pod, ['spec', 'readinessGates']));
        const conditions = list(memberAt(pod, ['status', 'conditions']));
        const met = gates.filter((gate) =>
          conditions.some((condition) => condition.type === gate.conditionType && condition.status === 'True'),
        );
        return gates.length === 0 ? NONE : `${met.length}/${gates.length}`;
      },
      'If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to "True" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates',
    ),
  ],
  nodes: [
    NAME_COLUMN,
    column('Status', nodeStatus, 'The status of the node'),
    column('Roles', nodeRoles, 'The roles of the node'),
    AGE_COLUMN,
    column('Version', textAt(['status', 'nodeInfo', 'kubeletVersion']), 'Kubelet Version reported by the node.'),
    wide('Internal-IP', nodeAddress('InternalIP'), 'The address of the node inside its network.'),
    wide('External-IP', nodeAddress('ExternalIP'), 'The address of the node outside its network.'),
    wide(
      'OS-Image',
      textAt(['status', 'nodeInfo', 'osImage'], '<unknown>'),
      'OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).',
    ),
    wide(
      'Kernel-Version',
      textAt(['status', 'nodeInfo', 'kernelVersion'], '<unknown>'),
      "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).",
    ),
    wide(
      'Container-Runtime',
      textAt(['status', 'nodeInfo', 'containerRuntimeVersion'], '<unknown>'),
      'ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).',
    ),
  ],
  namespaces: [NAME_COLUMN, column('Status', textAt(['status', 'phase']), 'The status of the namespace'), AGE_COLUMN],
  'deployments.apps': [
    NAME_COLUMN,
    column(
      'Ready',
      (object) =>
        `${text(countAt('status', 'readyReplicas')(object, new Date(0)))}/${text(countAt('spec', 'replicas')(object, new Date(0)))}`,
      'Number of the pod with ready state',
    ),
    column(
      'Up-to-date',
      countAt('status', 'updatedReplicas'),
      'Total number of non-terminated pods targeted by this deployment that have the desired template spec.',
    ),
    column(
      'Available',
      countAt('status', 'availableReplicas'),
      'Total number of available pods (ready for at least minReadySeconds) targeted by this deployment.',
    ),
    AGE_COLUMN,
    ...TEMPLATE_COLUMNS,
    SELECTOR_COLUMN,
  ],
  'replicasets.apps': [
    NAME_COLUMN,
    column('Desired', countAt('spec', 'replicas'), 'Replicas is the number of desired replicas.', 'integer'),
    column(
      'Current',
      countAt('status', 'replicas'),
      'Replicas is the most recently observed number of replicas.',
      'integer',
    ),
    column('Ready', countAt('status', 'readyReplicas'), 'The number of pods with a Ready condition.', 'integer'),
    AGE_COLUMN,
    ...TEMPLATE_COLUMNS,
    SELECTOR_COLUMN,
  ],
  'statefulsets.apps': [
    NAME_COLUMN,
    column(
      'Ready',
      (object) =>
        `${text(countAt('status', 'readyReplicas')(object, new Date(0)))}/${text(countAt('spec', 'replicas')(object, new Date(0)))}`,
      'Number of the pod with ready state',
    ),
    AGE_COLUMN,
    ...TEMPLATE_COLUMNS,
  ],
  'daemonsets.apps': [
    NAME_COLUMN,
    column(
      'Desired',
      countAt('status', 'desiredNumberScheduled'),
      'The total number of nodes that should be running the daemon pod.',
      'integer',
    ),
    column(
      'Current',
      countAt('status', 'currentNumberScheduled'),
      'The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod.',
      'integer',
    ),
    column(
      'Ready',
      countAt('status', 'numberReady'),
      'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.',
      'integer',
    ),
    column(
      'Up-to-date',
      countAt('status', 'updatedNumberScheduled'),
      'The total number of nodes that are running updated daemon pod',
      'integer',
    ),
    column(
      'Available',
      countAt('status', 'numberAvailable'),
      'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available.',
      'integer',
    ),
    column(
      'Node Selector',
      labelsAt('spec', 'template', 'spec', 'nodeSelector'),
      'A selector which must be true for the pod to fit on a node.',
    ),
    AGE_COLUMN,
    ...TEMPLATE_COLUMNS,
    SELECTOR_COLUMN,
  ],
  'controllerrevisions.apps': [
    NAME_COLUMN,
    column(
      'Controller',
      (object) => {
        const owner = object.metadata.ownerReferences?.find((candidate) => candidate.controller === true);
        return owner === undefined
          ? NONE
          : `${owner.kind.toLowerCase()}.${owner.apiVersion.split('/')[0]!}/${owner.name}`;
      },
      'Controller of the object',
    ),
    column('Revision', countAt('revision'), 'Revision indicates the revision of the state represented by Data.'),
    AGE_COLUMN,
  ],
  services: [
    NAME_COLUMN,
    column('Type', textAt(['spec', 'type']), 'How the service is exposed.'),
    column('Cluster-IP', textAt(['spec', 'clusterIP'], NONE), 'The address of the service inside the cluster.'),
    column('External-IP', externalAddresses, 'The addresses of the service outside the cluster.'),
    column('Port(s)', servicePorts, 'The ports that are exposed by this service.'),
    AGE_COLUMN,
    wide('Selector', labelsAt('spec', 'selector'), 'Route service traffic to pods with these labels.'),
  ],
  endpoints: [
    NAME_COLUMN,
    column('Endpoints', endpointsText, 'The set of all endpoints is the union of all subsets.'),
    AGE_COLUMN,
  ],
  'endpointslices.discovery.k8s.io': [
    NAME_COLUMN,
    column('AddressType', textAt(['addressType']), 'The type of address carried by this EndpointSlice.'),
    column(
      'Ports',
      (slice) =>
        joined(
          list(slice.ports).map((port) => text(port.port) || '*'),
          '<unset>',
        ),
      'The network ports exposed by each endpoint in this slice.',
    ),
    column('Endpoints', sliceAddresses, 'The unique endpoints in this slice.'),
    AGE_COLUMN,
  ],
  events: [
    column(
      'Last Seen',
      (event, now) => ageSince(eventTime(event, 'lastTimestamp'), now),
      'The time at which the most recent occurrence of this event was recorded.',
    ),
    column('Type', textAt(['type']), 'Type of this event (Normal, Warning), new types could be added in the future'),
    column(
      'Reason',
      textAt(['reason']),
      "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
    ),
    column('Object', involved, 'The object that this event is about.'),
    wide('Subobject', textAt(['involvedObject', 'fieldPath']), 'A part of the object.'),
    wide(
      'Source',
      (event) => text(memberAt(event, ['source', 'component'])) || text(event.reportingComponent),
      'The component reporting this event. Should be a short machine understandable string.',
    ),
    column(
      'Message',
      (event) => text(event.message).trim(),
      'A human-readable description of the status of this operation.',
    ),
    wide(
      'First Seen',
      (event, now) => ageSince(eventTime(event, 'firstTimestamp'), now),
      'The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)',
    ),
    wide('Count', (event) => text(event.count ?? 1), 'The number of times this event has occurred.'),
    { ...NAME_COLUMN, priority: 1 },
  ],
  secrets: [
    NAME_COLUMN,
    column('Type', textAt(['type']), 'Used to facilitate programmatic handling of secret data.'),
    DATA_COLUMN,
    AGE_COLUMN,
  ],
  configmaps: [NAME_COLUMN, DATA_COLUMN, AGE_COLUMN],
  serviceaccounts: [
    NAME_COLUMN,
    column('Secrets', size('secrets'), 'The number of secrets of the account.'),
    AGE_COLUMN,
  ],
  persistentvolumeclaims: [
    NAME_COLUMN,
    column('Status', phaseOrTerminating, 'phase represents the current phase of PersistentVolumeClaim.'),
    column(
      'Volume',
      textAt(['spec', 'volumeName']),
      'volumeName is the binding reference to the PersistentVolume backing this claim.',
    ),
    column(
      'Capacity',
      textAt(['status', 'capacity', 'storage']),
      'capacity represents the actual resources of the underlying volume.',
    ),
    column('Access Modes', accessModes, 'accessModes contains the desired access modes the volume should have.'),
    column(
      'StorageClass',
      textAt(['spec', 'storageClassName']),
      'storageClassName is the name of the StorageClass required by the claim.',
    ),
    column(
      'VolumeAttributesClass',
      textAt(['spec', 'volumeAttributesClassName'], '<unset>'),
      'The name of the VolumeAttributesClass of the claim.',
    ),
    AGE_COLUMN,
    wide(
      'VolumeMode',
      textAt(['spec', 'volumeMode']),
      'volumeMode defines what type of volume is required by the claim.',
    ),
  ],
  persistentvolumes: [
    NAME_COLUMN,
    column(
      'Capacity',
      textAt(['spec', 'capacity', 'storage']),
      "capacity is the description of the persistent volume's resources and capacity.",
    ),
    column('Access Modes', accessModes, 'accessModes contains all ways the volume can be mounted.'),
    column(
      'Reclaim Policy',
      textAt(['spec', 'persistentVolumeReclaimPolicy']),
      'What happens to a persistent volume when released from its claim.',
    ),
    column(
      'Status',
      phaseOrTerminating,
      'phase indicates if a volume is available, bound to a claim, or released by a claim.',
    ),
    column(
      'Claim',
      (volume) => {
        const claim = memberAt(volume, ['spec', 'claimRef']);
        return isJsonObject(claim) ? `${text(claim.namespace)}/${text(claim.name)}` : '';
      },
      'claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim.',
    ),
    column(
      'StorageClass',
      textAt(['spec', 'storageClassName']),
      'storageClassName is the name of StorageClass to which this persistent volume belongs.',
    ),
    column(
      'VolumeAttributesClass',
      textAt(['spec', 'volumeAttributesClassName'], '<unset>'),
      'Name of VolumeAttributesClass to which this persistent volume belongs.',
    ),
    column('Reason', textAt(['status', 'reason']), 'reason is a brief CamelCase string that describes any failure.'),
    AGE_COLUMN,
  ],
  'storageclasses.storage.k8s.io': [
    {
      ...ownName,
      cell: (object) => (isDefaultClass(object) ? `${object.metadata.name} (default)` : object.metadata.name),
    },
    column('Provisioner', textAt(['provisioner']), 'provisioner indicates the type of the provisioner.'),
    column(
      'ReclaimPolicy',
      textAt(['reclaimPolicy'], 'Delete'),
      'reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class.',
    ),
    column(
      'VolumeBindingMode',
      textAt(['volumeBindingMode'], 'Immediate'),
      'volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.',
    ),
    column(
      'AllowVolumeExpansion',
      (object) => object.allowVolumeExpansion === true,
      'allowVolumeExpansion shows whether the storage class allow volume expand.',
    ),
    AGE_COLUMN,
  ],
  'jobs.batch': [
    NAME_COLUMN,
    column('Status', jobStatus, 'Status of the job.'),
    column(
      'Completions',
      (job) => `${text(at('status', 'succeeded')(job) ?? 0)}/${text(at('spec', 'completions')(job) ?? 1)}`,
      'How many pods have succeeded, of how many.',
    ),
    column('Duration', jobDuration, 'Time required to complete the job.'),
    AGE_COLUMN,
    ...TEMPLATE_COLUMNS,
    SELECTOR_COLUMN,
  ],
  'cronjobs.batch': [
    NAME_COLUMN,
    column(
      'Schedule',
      textAt(['spec', 'schedule']),
      'The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.',
    ),
    column('Timezone', textAt(['spec', 'timeZone'], NONE), 'The time zone name for the given schedule.'),
    column(
      'Suspend',
      (job) => (at('spec', 'suspend')(job) === true ? 'True' : 'False'),
      'This flag tells the controller to suspend subsequent executions.',
    ),
    column('Active', size('status', 'active'), 'A list of pointers to currently running jobs.', 'integer'),
    column(
      'Last Schedule',
      (job, now) => {
        const last = at('status', 'lastScheduleTime')(job);
        return last === undefined ? NONE : ageSince(last, now);
      },
      'Information when was the last time the job was successfully scheduled.',
    ),
    AGE_COLUMN,
  ],
  'poddisruptionbudgets.policy': [
    NAME_COLUMN,
    column(
      'Min Available',
      (budget) => text(at('spec', 'minAvailable')(budget)) || 'N/A',
      'The minimum number of pods that must be available.',
    ),
    column(
      'Max Unavailable',
      (budget) => text(at('spec', 'maxUnavailable')(budget)) || 'N/A',
      'The maximum number of pods that may be unavailable.',
    ),
    column(
      'Allowed Disruptions',
      countAt('status', 'disruptionsAllowed'),
      'Calculated number of pods that may be disrupted at this time.',
      'integer',
    ),
    AGE_COLUMN,
  ],
  'ingresses.networking.k8s.io': [
    NAME_COLUMN,
    column(
      'Class',
      textAt(['spec', 'ingressClassName'], NONE),
      'The name of the IngressClass resource that should be used for additional configuration',
    ),
    column(
      'Hosts',
      (ingress) =>
        joined(
          list(at('spec', 'rules')(ingress)).map((rule) => text(rule.host) || '*'),
          '*',
        ),
      'Hosts that incoming requests are matched against before the ingress rule',
    ),
    column(
      'Address',
      (ingress) =>
        joined(
          list(at('status', 'loadBalancer', 'ingress')(ingress)).map((entry) => text(entry.ip) || text(entry.hostname)),
          '',
        ),
      'Address is a list containing ingress points for the load-balancer',
    ),
    column(
      'Ports',
      (ingress) => (list(at('spec', 'tls')(ingress)).length > 0 ? '80, 443' : '80'),
      'Ports of TLS configurations that open',
    ),
    AGE_COLUMN,
  ],
  'networkpolicies.networking.k8s.io': [
    NAME_COLUMN,
    column(
      'Pod-Selector',
      (policy) => selectorText(at('spec', 'podSelector')(policy)),
      'Selects the pods to which this policy applies.',
    ),
    AGE_COLUMN,
  ],
  'horizontalpodautoscalers.autoscaling': [
    NAME_COLUMN,
    column(
      'Reference',
      (scaler) =>
        `${text(at('spec', 'scaleTargetRef', 'kind')(scaler))}/${text(at('spec', 'scaleTargetRef', 'name')(scaler))}`,
      'What is scaled.',
    ),
    column(
      'MinPods',
      (scaler) => text(at('spec', 'minReplicas')(scaler)) || '<unset>',
      'The lower limit for the number of pods.',
    ),
    column('MaxPods', countAt('spec', 'maxReplicas'), 'The upper limit for the number of pods.', 'integer'),
    column('Replicas', countAt('status', 'currentReplicas'), 'The current number of replicas.', 'integer'),
    AGE_COLUMN,
  ],
  'customresourcedefinitions.apiextensions.k8s.io': [
    NAME_COLUMN,
    { ...column('Created At', (definition) => definition.metadata.creationTimestamp, AGE_COLUMN.description, 'date') },
  ],
  'leases.coordination.k8s.io': [
    NAME_COLUMN,
    column(
      'Holder',
      textAt(['spec', 'holderIdentity']),
      'holderIdentity contains the identity of the holder of a current lease.',
    ),
    AGE_COLUMN,
  ],
  'csidrivers.storage.k8s.io': [
    NAME_COLUMN,
    column(
      'AttachRequired',
      (driver) => at('spec', 'attachRequired')(driver) !== false,
      'attachRequired indicates this CSI volume driver requires an attach operation.',
      'boolean',
    ),
    column(
      'PodInfoOnMount',
      (driver) => at('spec', 'podInfoOnMount')(driver) === true,
      'podInfoOnMount indicates this CSI volume driver requires additional pod information.',
      'boolean',
    ),
    column(
      'StorageCapacity',
      (driver) => at('spec', 'storageCapacity')(driver) === true,
      'storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage capacity.',
      'boolean',
    ),
    AGE_COLUMN,
  ],
  'priorityclasses.scheduling.k8s.io': [
    NAME_COLUMN,
    column('Value', countAt('value'), 'value represents the integer value of this priority class.', 'integer'),
    column(
      'Global-Default',
      (priority) => priority.globalDefault === true,
      'globalDefault specifies whether this PriorityClass should be considered as the default priority.',
      'boolean',
    ),
    AGE_COLUMN,
    column(
      'PreemptionPolicy',
      textAt(['preemptionPolicy'], 'PreemptLowerPriority'),
      'preemptionPolicy is the Policy for preempting pods with lower priority.',
    ),
  ],
  'clusterroles.rbac.authorization.k8s.io': ROLE_COLUMNS,
  'roles.rbac.authorization.k8s.io': ROLE_COLUMNS,
  'clusterrolebindings.rbac.authorization.k8s.io': BINDING_COLUMNS,
  'rolebindings.rbac.authorization.k8s.io': BINDING_COLUMNS,
};

const PLAIN: readonly TableColumn[] = [NAME_COLUMN, AGE_COLUMN];

export function builtInColumns(storage: string): readonly TableColumn[] {
  return COLUMNS[storage] ?? PLAIN;
}
