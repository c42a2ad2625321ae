/** One field of a message. A type with a capital letter is another message. */
export interface ProtobufField {
  name: string;
  type: string | { map: 'string' | 'bytes' };
  repeated?: true;
  /** Means something also when it is zero. */
  always?: true;
}

type Message = Readonly<Record<number, ProtobufField>>;

const text = (name: string): ProtobufField => ({ name, type: 'string' });
const texts = (name: string): ProtobufField => ({ name, type: 'string', repeated: true });
const count = (name: string): ProtobufField => ({ name, type: 'int' });
const optionalCount = (name: string): ProtobufField => ({ name, type: 'int', always: true });
const optionalFlag = (name: string): ProtobufField => ({ name, type: 'bool', always: true });
const one = (name: string, type: string): ProtobufField => ({ name, type });
const many = (name: string, type: string): ProtobufField => ({ name, type, repeated: true });
const map = (name: string, values: 'string' | 'bytes' = 'string'): ProtobufField => ({ name, type: { map: values } });
/** What a client always sends and the server never takes from it. */
const ignored = (name: string): ProtobufField => ({ name, type: 'ignored' });

const metadata = one('metadata', 'ObjectMeta');
const status = ignored('status');
const ROLE: Message = { 1: metadata, 2: many('rules', 'PolicyRule') };
const BINDING: Message = { 1: metadata, 2: many('subjects', 'Subject'), 3: one('roleRef', 'RoleRef') };

/**
 * The messages that kubectl 1.32 makes for its commands that do not go by file (`create namespace`, `auth can-i`, `drain` …), by
 * field number as in the `generated.proto` files of k8s.io/api.
 */
export const PROTOBUF_MESSAGES: Readonly<Record<string, Message>> = {
  Unknown: {
    1: one('typeMeta', 'TypeMeta'),
    2: { name: 'raw', type: 'bytes' },
    3: ignored('contentEncoding'),
    4: ignored('contentType'),
  },
  TypeMeta: { 1: text('apiVersion'), 2: text('kind') },
  TextEntry: { 1: { ...text('key'), always: true }, 2: { ...text('value'), always: true } },
  BytesEntry: { 1: { ...text('key'), always: true }, 2: { name: 'value', type: 'bytes', always: true } },
  IntOrString: { 1: ignored('type'), 2: count('intVal'), 3: text('strVal') },
  ObjectMeta: {
    1: text('name'),
    2: text('generateName'),
    3: text('namespace'),
    4: ignored('selfLink'),
    5: text('uid'),
    6: text('resourceVersion'),
    7: ignored('generation'),
    8: ignored('creationTimestamp'),
    9: ignored('deletionTimestamp'),
    10: ignored('deletionGracePeriodSeconds'),
    11: map('labels'),
    12: map('annotations'),
    13: many('ownerReferences', 'OwnerReference'),
    14: texts('finalizers'),
  },
  OwnerReference: {
    1: text('kind'),
    3: text('name'),
    4: text('uid'),
    5: text('apiVersion'),
    6: optionalFlag('controller'),
    7: optionalFlag('blockOwnerDeletion'),
  },
  DeleteOptions: {
    1: optionalCount('gracePeriodSeconds'),
    2: one('preconditions', 'Preconditions'),
    3: optionalFlag('orphanDependents'),
    4: text('propagationPolicy'),
    5: texts('dryRun'),
  },
  Preconditions: { 1: text('uid'), 2: text('resourceVersion') },

  Namespace: { 1: metadata, 2: one('spec', 'NamespaceSpec'), 3: status },
  NamespaceSpec: { 1: texts('finalizers') },
  ConfigMap: { 1: metadata, 2: map('data'), 3: map('binaryData', 'bytes'), 4: optionalFlag('immutable') },
  Secret: {
    1: metadata,
    2: map('data', 'bytes'),
    3: text('type'),
    4: map('stringData'),
    5: optionalFlag('immutable'),
  },
  ServiceAccount: {
    1: metadata,
    3: many('imagePullSecrets', 'LocalObjectReference'),
    4: optionalFlag('automountServiceAccountToken'),
  },
  LocalObjectReference: { 1: text('name') },
  Service: { 1: metadata, 2: one('spec', 'ServiceSpec'), 3: status },
  ServiceSpec: {
    1: many('ports', 'ServicePort'),
    2: map('selector'),
    3: text('clusterIP'),
    4: text('type'),
    5: texts('externalIPs'),
    7: text('sessionAffinity'),
    8: text('loadBalancerIP'),
    9: texts('loadBalancerSourceRanges'),
    10: text('externalName'),
    11: text('externalTrafficPolicy'),
    12: count('healthCheckNodePort'),
    13: { name: 'publishNotReadyAddresses', type: 'bool' },
  },
  ServicePort: {
    1: text('name'),
    2: text('protocol'),
    3: count('port'),
    4: one('targetPort', 'IntOrString'),
    5: count('nodePort'),
    6: text('appProtocol'),
  },

  /** Of autoscaling/v2. */
  HorizontalPodAutoscaler: { 1: metadata, 2: one('spec', 'HorizontalPodAutoscalerSpec'), 3: status },
  HorizontalPodAutoscalerSpec: {
    1: one('scaleTargetRef', 'CrossVersionObjectReference'),
    2: optionalCount('minReplicas'),
    3: count('maxReplicas'),
    4: many('metrics', 'MetricSpec'),
  },
  CrossVersionObjectReference: { 1: text('kind'), 2: text('name'), 3: text('apiVersion') },
  MetricSpec: { 1: text('type'), 4: one('resource', 'ResourceMetricSource') },
  ResourceMetricSource: { 1: text('name'), 2: one('target', 'MetricTarget') },
  MetricTarget: { 1: text('type'), 4: optionalCount('averageUtilization') },
  Deployment: { 1: metadata, 2: one('spec', 'DeploymentSpec'), 3: status },
  DeploymentSpec: {
    1: optionalCount('replicas'),
    2: one('selector', 'LabelSelector'),
    3: one('template', 'PodTemplateSpec'),
    4: one('strategy', 'DeploymentStrategy'),
    5: count('minReadySeconds'),
    6: optionalCount('revisionHistoryLimit'),
    7: { name: 'paused', type: 'bool' },
    9: optionalCount('progressDeadlineSeconds'),
  },
  DeploymentStrategy: { 1: text('type') },
  LabelSelector: { 1: map('matchLabels'), 2: many('matchExpressions', 'LabelSelectorRequirement') },
  LabelSelectorRequirement: { 1: text('key'), 2: text('operator'), 3: texts('values') },
  PodTemplateSpec: { 1: metadata, 2: one('spec', 'PodSpec') },
  PodSpec: {
    2: many('containers', 'Container'),
    3: text('restartPolicy'),
    4: optionalCount('terminationGracePeriodSeconds'),
    6: text('dnsPolicy'),
    7: map('nodeSelector'),
    8: text('serviceAccountName'),
    9: text('serviceAccount'),
    10: text('nodeName'),
    11: { name: 'hostNetwork', type: 'bool' },
    12: { name: 'hostPID', type: 'bool' },
    13: { name: 'hostIPC', type: 'bool' },
    16: text('hostname'),
    17: text('subdomain'),
    19: text('schedulerName'),
    24: text('priorityClassName'),
  },
  Container: {
    1: text('name'),
    2: text('image'),
    3: texts('command'),
    4: texts('args'),
    5: text('workingDir'),
    6: many('ports', 'ContainerPort'),
    8: one('resources', 'NoResources'),
    13: text('terminationMessagePath'),
    14: text('imagePullPolicy'),
    16: { name: 'stdin', type: 'bool' },
    17: { name: 'stdinOnce', type: 'bool' },
    18: { name: 'tty', type: 'bool' },
    20: text('terminationMessagePolicy'),
  },
  ContainerPort: {
    1: text('name'),
    2: count('hostPort'),
    3: count('containerPort'),
    4: text('protocol'),
    5: text('hostIP'),
  },
  NoResources: {},

  Role: ROLE,
  ClusterRole: ROLE,
  RoleBinding: BINDING,
  ClusterRoleBinding: BINDING,
  PolicyRule: {
    1: texts('verbs'),
    2: texts('apiGroups'),
    3: texts('resources'),
    4: texts('resourceNames'),
    5: texts('nonResourceURLs'),
  },
  Subject: { 1: text('kind'), 2: text('apiGroup'), 3: text('name'), 4: text('namespace') },
  RoleRef: { 1: text('apiGroup'), 2: text('kind'), 3: text('name') },

  Eviction: { 1: metadata, 2: one('deleteOptions', 'DeleteOptions') },
  SelfSubjectAccessReview: { 1: metadata, 2: one('spec', 'AccessReviewSpec'), 3: status },
  SubjectAccessReview: { 1: metadata, 2: one('spec', 'SubjectAccessReviewSpec'), 3: status },
  AccessReviewSpec: {
    1: one('resourceAttributes', 'ResourceAttributes'),
    2: one('nonResourceAttributes', 'NonResourceAttributes'),
  },
  SubjectAccessReviewSpec: {
    1: one('resourceAttributes', 'ResourceAttributes'),
    2: one('nonResourceAttributes', 'NonResourceAttributes'),
    3: text('user'),
    4: texts('groups'),
    6: text('uid'),
  },
  ResourceAttributes: {
    1: text('namespace'),
    2: text('verb'),
    3: text('group'),
    4: text('version'),
    5: text('resource'),
    6: text('subresource'),
    7: text('name'),
  },
  NonResourceAttributes: { 1: text('path'), 2: text('verb') },
  SelfSubjectRulesReview: { 1: metadata, 2: one('spec', 'RulesReviewSpec'), 3: status },
  RulesReviewSpec: { 1: text('namespace') },
  SelfSubjectReview: { 1: metadata, 2: status },
  TokenRequest: { 1: metadata, 2: one('spec', 'TokenRequestSpec'), 3: status },
  TokenRequestSpec: {
    1: texts('audiences'),
    3: one('boundObjectRef', 'BoundObjectReference'),
    4: optionalCount('expirationSeconds'),
  },
  BoundObjectReference: { 1: text('kind'), 2: text('apiVersion'), 3: text('name'), 4: text('uID') },
};
