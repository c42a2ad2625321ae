import type { JsonObject } from '#libs/kernel/json.js';
import { kubernetesTime } from './timestamp.js';
import type { ClusterObjects, KubernetesObject, ObjectDraft, ObjectWriter } from './cluster.objects.js';
import { POD_FAULT_ANNOTATION } from './controllers/controller.options.js';

/** What becomes of the add-on in the cluster. */
export type VirtualNodePlan =
  | { connector: 'running'; subnetId: string; mustDelegate: boolean }
  /** The connector does not come up, and there is no node. */
  | { connector: 'failing'; why: string };

export const ADDON_NODE = 'virtual-node-aci-linux';
const CONNECTOR = 'aci-connector-linux';
const SYSTEM = 'kube-system';
const EARLY_PREFIX = 'virtual-kubelet-aci-connector-linux-';
const TILLER = 'tiller-deploy';
const HELM: ObjectWriter = { manager: 'helm', user: 'masterclient' };
const WHY = 'simulator.pilothouse/connector-fault';
const WRITER: ObjectWriter = {
  manager: 'virtual-kubelet',
  user: 'system:serviceaccount:kube-system:aci-connector-linux',
};
const ADDON_MANAGER: ObjectWriter = { manager: 'kube-addon-manager', user: 'system:masters' };

interface NodeDraft {
  name: string;
  taint: JsonObject;
  resources: Record<string, string>;
  labels: Record<string, string>;
  kubeletVersion: string;
}

/** Whether pods of the node run as container groups. */
export function isVirtualNode(node: { metadata: { labels?: Record<string, string> } }): boolean {
  return node.metadata.labels?.type === 'virtual-kubelet';
}

/** Whether the node is that of the early connector, whose container groups are in no network. */
export function isEarlyNode(name: string): boolean {
  return name.startsWith(EARLY_PREFIX);
}

/** Makes the connector of the add-on and its node be as the plan says; without one neither is there. */
export function followAddon(objects: ClusterObjects, plan: VirtualNodePlan | undefined, now: Date): void {
  if (plan === undefined) {
    if (objects.get('deployments.apps', SYSTEM, CONNECTOR) !== undefined)
      objects.delete('deployments.apps', SYSTEM, CONNECTOR, ADDON_MANAGER);
    removeNode(objects, ADDON_NODE);
    return;
  }
  const template = connectorTemplate(plan.connector === 'failing' ? plan.why : undefined);
  const present = objects.get('deployments.apps', SYSTEM, CONNECTOR);
  if (present === undefined) objects.create(connector(template), ADDON_MANAGER);
  else
    objects.update('deployments.apps', SYSTEM, CONNECTOR, ADDON_MANAGER, (object) => ({
      ...object,
      spec: { ...(object as { spec?: JsonObject }).spec, template },
    }));
  // A node stays after its connector has died, and is not ready then.
  if (plan.connector === 'running') ensureNode(objects, addonNode(), now);
  else if (objects.get('nodes', undefined, ADDON_NODE) !== undefined) setReady(objects, ADDON_NODE, 'Unknown', now);
}

/** The node of the connector that was installed by hand before there was an add-on. */
export function followEarlyConnector(objects: ClusterObjects, region: string | undefined, now: Date): void {
  if (region === undefined) return;
  const node = earlyNode(region);
  if (objects.get('nodes', undefined, node.name) === undefined) installTiller(objects);
  ensureNode(objects, node, now);
}

/** As `helm init` of Helm 2 leaves it: without an account of its own. Whoever takes it away is rid of it. */
function installTiller(objects: ClusterObjects): void {
  if (objects.get('deployments.apps', SYSTEM, TILLER) !== undefined) return;
  const labels = { app: 'helm', name: 'tiller' };
  const container = {
    name: 'tiller',
    image: 'gcr.io/kubernetes-helm/tiller:v2.9.1',
    env: [
      { name: 'TILLER_NAMESPACE', value: SYSTEM },
      { name: 'TILLER_HISTORY_MAX', value: '0' },
    ],
    ports: [
      { containerPort: 44134, name: 'tiller' },
      { containerPort: 44135, name: 'http' },
    ],
  };
  objects.create(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: TILLER, namespace: SYSTEM, labels },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    HELM,
  );
}

function addonNode(): NodeDraft {
  return {
    name: ADDON_NODE,
    taint: { key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' },
    resources: { cpu: '10k', memory: '4Ti', pods: '5k' },
    labels: {
      'alpha.service-controller.kubernetes.io/exclude-balancer': 'true',
      'kubernetes.azure.com/managed': 'false',
    },
    kubeletVersion: 'v1.25.0-vk-azure-aci-1.6.2',
  };
}

function earlyNode(region: string): NodeDraft {
  return {
    name: `${EARLY_PREFIX}${region}`,
    taint: { key: 'azure.com/aci', effect: 'NoSchedule' },
    resources: { cpu: '20', memory: '100Gi', pods: '20' },
    labels: {},
    kubeletVersion: 'v1.8.3',
  };
}

function connector(template: JsonObject): ObjectDraft {
  const labels = { app: CONNECTOR };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: CONNECTOR, namespace: SYSTEM, labels },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  };
}

/** @param why it dies again and again; undefined where it runs. */
function connectorTemplate(why: string | undefined): JsonObject {
  const fault = why === undefined ? {} : { annotations: { [POD_FAULT_ANNOTATION]: 'CrashLoopBackOff', [WHY]: why } };
  return {
    metadata: { labels: { app: CONNECTOR }, ...fault },
    spec: {
      containers: [
        {
          name: CONNECTOR,
          image: 'mcr.microsoft.com/oss/virtual-kubelet/virtual-kubelet:1.6.2',
          resources: { requests: { cpu: '100m', memory: '128Mi' } },
        },
      ],
    },
  };
}

function ensureNode(objects: ClusterObjects, draft: NodeDraft, now: Date): void {
  const { name } = draft;
  if (objects.get('nodes', undefined, name) === undefined) {
    objects.create(
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name,
          labels: {
            type: 'virtual-kubelet',
            'beta.kubernetes.io/os': 'linux',
            'kubernetes.io/hostname': name,
            'kubernetes.io/os': 'linux',
            'kubernetes.io/role': 'agent',
            'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
            ...draft.labels,
          },
        },
        spec: { taints: [draft.taint] },
      },
      WRITER,
    );
    objects.updateStatus('nodes', undefined, name, WRITER, (node) => ({ ...node, status: statusOf(draft, now) }));
    return;
  }
  setReady(objects, name, 'True', now);
}

function statusOf({ name, resources, kubeletVersion }: NodeDraft, now: Date): JsonObject {
  return {
    capacity: resources,
    allocatable: resources,
    conditions: [
      condition('Ready', 'True', 'KubeletReady', 'kubelet is ready.', now),
      condition('OutOfDisk', 'False', 'KubeletHasSufficientDisk', 'kubelet has sufficient disk space available', now),
      condition(
        'MemoryPressure',
        'False',
        'KubeletHasSufficientMemory',
        'kubelet has sufficient memory available',
        now,
      ),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure', now),
      condition('NetworkUnavailable', 'False', 'RouteCreated', 'RouteController created a route', now),
    ],
    addresses: [
      { type: 'InternalIP', address: '10.244.255.2' },
      { type: 'Hostname', address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '',
      osImage: '',
      containerRuntimeVersion: '',
      kubeletVersion,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  };
}

function condition(type: string, status: string, reason: string, message: string, now: Date): JsonObject {
  const time = kubernetesTime(now);
  return { type, status, reason, message, lastHeartbeatTime: time, lastTransitionTime: time };
}

function setReady(objects: ClusterObjects, name: string, status: 'True' | 'Unknown', now: Date): void {
  objects.updateStatus('nodes', undefined, name, WRITER, (node) => {
    const { conditions = [] } = (node as KubernetesObject & { status?: { conditions?: JsonObject[] } }).status ?? {};
    const ready = conditions.find((each) => each.type === 'Ready');
    if (ready?.status === status) return undefined;
    const [reason, message] =
      status === 'True'
        ? ['KubeletReady', 'kubelet is ready.']
        : ['NodeStatusUnknown', 'Kubelet stopped posting node status.'];
    const changed = conditions.map((each) =>
      each === ready ? condition('Ready', status, reason, message, now) : each,
    );
    return { ...node, status: { ...(node as { status?: JsonObject }).status, conditions: changed } };
  });
}

function removeNode(objects: ClusterObjects, name: string): void {
  if (objects.get('nodes', undefined, name) !== undefined) objects.delete('nodes', undefined, name, WRITER);
}
