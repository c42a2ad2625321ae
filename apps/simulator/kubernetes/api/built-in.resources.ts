import {
  apiVersionOf,
  type NameRule,
  type ScalePaths,
  type ServedResource,
  type ServedSubresource,
} from './served.resource.js';

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const OBJECT_VERBS = ['get', 'patch', 'update'];

const SCALE: ScalePaths = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
};

/** What differs from an ordinary namespaced resource. */
interface Traits {
  short?: string[];
  categories?: string[];
  scope?: 'Namespaced' | 'Cluster';
  verbs?: string[];
  singular?: string;
  status?: true;
  scale?: true;
  more?: ServedSubresource[];
  generation?: ServedResource['generation'];
  nameRule?: NameRule;
  storage?: { resource: string; apiVersion: string };
  virtual?: true;
}

function resource(group: string, version: string, plural: string, kind: string, traits: Traits = {}): ServedResource {
  const more = traits.more ?? [];
  const subresources: ServedSubresource[] = [
    ...more,
    ...(traits.scale
      ? [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: OBJECT_VERBS }]
      : []),
    ...(traits.status ? [{ name: 'status', kind, verbs: OBJECT_VERBS }] : []),
  ];
  return {
    group,
    version,
    plural,
    singular: traits.singular ?? kind.toLowerCase(),
    kind,
    listKind: `${kind}List`,
    namespaced: traits.scope !== 'Cluster',
    shortNames: traits.short ?? [],
    categories: traits.categories ?? [],
    verbs: traits.virtual ? ['create'] : (traits.verbs ?? ALL_VERBS),
    subresources: subresources.sort((one, other) => (one.name < other.name ? -1 : 1)),
    storage: traits.storage?.resource ?? (group === '' ? plural : `${plural}.${group}`),
    storageApiVersion: traits.storage?.apiVersion ?? apiVersionOf({ group, version }),
    generation: traits.generation ?? 'none',
    scale: traits.scale ? SCALE : undefined,
    virtual: traits.virtual ?? false,
    nameRule: traits.nameRule ?? 'dns-subdomain',
    custom: undefined,
  };
}

const WORKLOAD: Traits = { status: true, generation: 'spec', categories: ['all'] };
const CLUSTER: Traits = { scope: 'Cluster' };

const CORE = (plural: string, kind: string, traits: Traits = {}): ServedResource =>
  resource('', 'v1', plural, kind, traits);

/** The resources that every cluster serves, grouped as a real server lists them. */
export const BUILT_IN_RESOURCES: readonly ServedResource[] = [
  CORE('configmaps', 'ConfigMap', { short: ['cm'] }),
  CORE('endpoints', 'Endpoints', { short: ['ep'], singular: 'endpoints' }),
  CORE('events', 'Event', { short: ['ev'] }),
  CORE('limitranges', 'LimitRange', { short: ['limits'] }),
  CORE('namespaces', 'Namespace', {
    ...CLUSTER,
    short: ['ns'],
    verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
    status: true,
    nameRule: 'dns-label',
    more: [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }],
  }),
  CORE('nodes', 'Node', { ...CLUSTER, short: ['no'], status: true }),
  CORE('persistentvolumeclaims', 'PersistentVolumeClaim', { short: ['pvc'], status: true }),
  CORE('persistentvolumes', 'PersistentVolume', { ...CLUSTER, short: ['pv'], status: true }),
  CORE('pods', 'Pod', {
    short: ['po'],
    categories: ['all'],
    status: true,
    more: [
      { name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
      { name: 'log', kind: 'Pod', verbs: ['get'] },
    ],
  }),
  CORE('resourcequotas', 'ResourceQuota', { short: ['quota'], status: true }),
  CORE('secrets', 'Secret'),
  CORE('serviceaccounts', 'ServiceAccount', {
    short: ['sa'],
    more: [{ name: 'token', kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] }],
  }),
  CORE('services', 'Service', { short: ['svc'], categories: ['all'], status: true, nameRule: 'dns-1035-label' }),
  resource('apps', 'v1', 'controllerrevisions', 'ControllerRevision'),
  resource('apps', 'v1', 'daemonsets', 'DaemonSet', { ...WORKLOAD, short: ['ds'] }),
  resource('apps', 'v1', 'deployments', 'Deployment', {
    ...WORKLOAD,
    short: ['deploy'],
    scale: true,
    generation: 'spec-and-annotations',
  }),
  resource('apps', 'v1', 'replicasets', 'ReplicaSet', { ...WORKLOAD, short: ['rs'], scale: true }),
  resource('apps', 'v1', 'statefulsets', 'StatefulSet', { ...WORKLOAD, short: ['sts'], scale: true }),
  resource('events.k8s.io', 'v1', 'events', 'Event', {
    short: ['ev'],
    storage: { resource: 'events', apiVersion: 'v1' },
  }),
  resource('authentication.k8s.io', 'v1', 'selfsubjectreviews', 'SelfSubjectReview', { ...CLUSTER, virtual: true }),
  resource('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview', { ...CLUSTER, virtual: true }),
  resource('authorization.k8s.io', 'v1', 'localsubjectaccessreviews', 'LocalSubjectAccessReview', { virtual: true }),
  resource('authorization.k8s.io', 'v1', 'selfsubjectaccessreviews', 'SelfSubjectAccessReview', {
    ...CLUSTER,
    virtual: true,
  }),
  resource('authorization.k8s.io', 'v1', 'selfsubjectrulesreviews', 'SelfSubjectRulesReview', {
    ...CLUSTER,
    virtual: true,
  }),
  resource('authorization.k8s.io', 'v1', 'subjectaccessreviews', 'SubjectAccessReview', { ...CLUSTER, virtual: true }),
  resource('autoscaling', 'v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', {
    short: ['hpa'],
    categories: ['all'],
    status: true,
  }),
  resource('autoscaling', 'v1', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', {
    short: ['hpa'],
    categories: ['all'],
    status: true,
    storage: { resource: 'horizontalpodautoscalers.autoscaling', apiVersion: 'autoscaling/v2' },
  }),
  resource('batch', 'v1', 'cronjobs', 'CronJob', { ...WORKLOAD, short: ['cj'] }),
  resource('batch', 'v1', 'jobs', 'Job', WORKLOAD),
  resource('networking.k8s.io', 'v1', 'ingressclasses', 'IngressClass', { ...CLUSTER, generation: 'spec' }),
  resource('networking.k8s.io', 'v1', 'ingresses', 'Ingress', { short: ['ing'], status: true, generation: 'spec' }),
  resource('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy', {
    short: ['netpol'],
    generation: 'spec',
  }),
  resource('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget', {
    short: ['pdb'],
    status: true,
    generation: 'spec',
  }),
  resource('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings', 'ClusterRoleBinding', {
    ...CLUSTER,
    nameRule: 'path-segment',
  }),
  resource('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole', { ...CLUSTER, nameRule: 'path-segment' }),
  resource('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding', { nameRule: 'path-segment' }),
  resource('rbac.authorization.k8s.io', 'v1', 'roles', 'Role', { nameRule: 'path-segment' }),
  resource('storage.k8s.io', 'v1', 'csidrivers', 'CSIDriver', { ...CLUSTER, generation: 'absent-at-first' }),
  resource('storage.k8s.io', 'v1', 'csinodes', 'CSINode', CLUSTER),
  resource('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass', { ...CLUSTER, short: ['sc'] }),
  resource('storage.k8s.io', 'v1', 'volumeattachments', 'VolumeAttachment', { ...CLUSTER, status: true }),
  resource('admissionregistration.k8s.io', 'v1', 'mutatingwebhookconfigurations', 'MutatingWebhookConfiguration', {
    ...CLUSTER,
    generation: 'spec',
  }),
  resource('admissionregistration.k8s.io', 'v1', 'validatingwebhookconfigurations', 'ValidatingWebhookConfiguration', {
    ...CLUSTER,
    generation: 'spec',
  }),
  resource('apiextensions.k8s.io', 'v1', 'customresourcedefinitions', 'CustomResourceDefinition', {
    ...CLUSTER,
    short: ['crd', 'crds'],
    categories: ['api-extensions'],
    status: true,
    generation: 'spec',
  }),
  resource('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass', {
    ...CLUSTER,
    short: ['pc'],
    generation: 'spec',
  }),
  resource('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  resource('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass', CLUSTER),
  resource('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice', { generation: 'spec' }),
];
