/**
 * The messages that clients such as kubectl send as protobuf: number and `name:type` of each field, as in the
 * `generated.proto` files of Kubernetes. `[]` repeats; `int` and `bool` are left out where they are zero, as Go's JSON does
 * it, those with a question mark are pointers there and are kept; `map` holds text, `map-bytes` base64. What is not listed
 * must be empty: nothing of an object is dropped in silence.
 */
const FIELDS = {
  ObjectMeta: {
    1: 'name:text',
    2: 'generateName:text',
    3: 'namespace:text',
    5: 'uid:text',
    6: 'resourceVersion:text',
    7: 'generation:int',
    8: 'creationTimestamp:time',
    9: 'deletionTimestamp:time',
    10: 'deletionGracePeriodSeconds:int?',
    11: 'labels:map',
    12: 'annotations:map',
    13: 'ownerReferences:OwnerReference[]',
    14: 'finalizers:text[]',
  },
  OwnerReference: {
    1: 'kind:text',
    3: 'name:text',
    4: 'uid:text',
    5: 'apiVersion:text',
    6: 'controller:bool?',
    7: 'blockOwnerDeletion:bool?',
  },
  LabelSelector: { 1: 'matchLabels:map', 2: 'matchExpressions:LabelSelectorRequirement[]' },
  LabelSelectorRequirement: { 1: 'key:text', 2: 'operator:text', 3: 'values:text[]' },
  DeleteOptions: {
    1: 'gracePeriodSeconds:int?',
    2: 'preconditions:Preconditions',
    3: 'orphanDependents:bool?',
    4: 'propagationPolicy:text',
    5: 'dryRun:text[]',
  },
  Preconditions: { 1: 'uid:text', 2: 'resourceVersion:text' },
  Namespace: { 1: 'metadata:ObjectMeta', 2: 'spec:NamespaceSpec', 3: 'status:ignored' },
  NamespaceSpec: { 1: 'finalizers:text[]' },
  ConfigMap: { 1: 'metadata:ObjectMeta', 2: 'data:map', 3: 'binaryData:map-bytes', 4: 'immutable:bool?' },
  Secret: {
    1: 'metadata:ObjectMeta',
    2: 'data:map-bytes',
    3: 'type:text',
    4: 'stringData:map',
    5: 'immutable:bool?',
  },
  ServiceAccount: {
    1: 'metadata:ObjectMeta',
    2: 'secrets:ObjectReference[]',
    3: 'imagePullSecrets:LocalObjectReference[]',
    4: 'automountServiceAccountToken:bool?',
  },
  ObjectReference: { 1: 'kind:text', 2: 'namespace:text', 3: 'name:text', 4: 'uid:text', 5: 'apiVersion:text' },
  LocalObjectReference: { 1: 'name:text' },
  Service: { 1: 'metadata:ObjectMeta', 2: 'spec:ServiceSpec', 3: 'status:ignored' },
  ServiceSpec: {
    1: 'ports:ServicePort[]',
    2: 'selector:map',
    3: 'clusterIP:text',
    4: 'type:text',
    5: 'externalIPs:text[]',
    7: 'sessionAffinity:text',
    8: 'loadBalancerIP:text',
    10: 'externalName:text',
    18: 'clusterIPs:text[]',
  },
  ServicePort: {
    1: 'name:text',
    2: 'protocol:text',
    3: 'port:int',
    4: 'targetPort:IntOrString',
    5: 'nodePort:int',
    6: 'appProtocol:text',
  },
  Deployment: { 1: 'metadata:ObjectMeta', 2: 'spec:DeploymentSpec', 3: 'status:ignored' },
  DeploymentSpec: {
    1: 'replicas:int?',
    2: 'selector:LabelSelector',
    3: 'template:PodTemplateSpec',
    4: 'strategy:DeploymentStrategy',
    5: 'minReadySeconds:int',
    6: 'revisionHistoryLimit:int?',
    7: 'paused:bool',
    9: 'progressDeadlineSeconds:int?',
  },
  DeploymentStrategy: { 1: 'type:text', 2: 'rollingUpdate:RollingUpdateDeployment' },
  RollingUpdateDeployment: { 1: 'maxUnavailable:IntOrString', 2: 'maxSurge:IntOrString' },
  PodTemplateSpec: { 1: 'metadata:ObjectMeta', 2: 'spec:PodSpec' },
  PodSpec: {
    2: 'containers:Container[]',
    3: 'restartPolicy:text',
    4: 'terminationGracePeriodSeconds:int?',
    6: 'dnsPolicy:text',
    7: 'nodeSelector:map',
    8: 'serviceAccountName:text',
    10: 'nodeName:text',
    11: 'hostNetwork:bool',
    15: 'imagePullSecrets:LocalObjectReference[]',
    19: 'schedulerName:text',
  },
  Container: {
    1: 'name:text',
    2: 'image:text',
    3: 'command:text[]',
    4: 'args:text[]',
    5: 'workingDir:text',
    6: 'ports:ContainerPort[]',
    7: 'env:EnvVar[]',
    8: 'resources:ResourceRequirements',
    14: 'imagePullPolicy:text',
    16: 'stdin:bool',
    18: 'tty:bool',
  },
  ContainerPort: { 1: 'name:text', 2: 'hostPort:int', 3: 'containerPort:int', 4: 'protocol:text', 5: 'hostIP:text' },
  EnvVar: { 1: 'name:text', 2: 'value:text' },
  ResourceRequirements: { 1: 'limits:map-quantity', 2: 'requests:map-quantity' },
  CronJob: { 1: 'metadata:ObjectMeta', 2: 'spec:CronJobSpec', 3: 'status:ignored' },
  CronJobSpec: {
    1: 'schedule:text',
    2: 'startingDeadlineSeconds:int?',
    3: 'concurrencyPolicy:text',
    4: 'suspend:bool?',
    5: 'jobTemplate:JobTemplateSpec',
    6: 'successfulJobsHistoryLimit:int?',
    7: 'failedJobsHistoryLimit:int?',
    8: 'timeZone:text',
  },
  JobTemplateSpec: { 1: 'metadata:ObjectMeta', 2: 'spec:JobSpec' },
  ResourceQuota: { 1: 'metadata:ObjectMeta', 2: 'spec:ResourceQuotaSpec', 3: 'status:ignored' },
  ResourceQuotaSpec: { 1: 'hard:map-quantity', 2: 'scopes:text[]' },
  Job: { 1: 'metadata:ObjectMeta', 2: 'spec:JobSpec', 3: 'status:ignored' },
  JobSpec: {
    1: 'parallelism:int?',
    2: 'completions:int?',
    3: 'activeDeadlineSeconds:int?',
    4: 'selector:LabelSelector',
    6: 'template:PodTemplateSpec',
    7: 'backoffLimit:int?',
    8: 'ttlSecondsAfterFinished:int?',
  },
  Role: { 1: 'metadata:ObjectMeta', 2: 'rules:PolicyRule[]' },
  ClusterRole: { 1: 'metadata:ObjectMeta', 2: 'rules:PolicyRule[]' },
  PolicyRule: {
    1: 'verbs:text[]',
    2: 'apiGroups:text[]',
    3: 'resources:text[]',
    4: 'resourceNames:text[]',
    5: 'nonResourceURLs:text[]',
  },
  RoleBinding: { 1: 'metadata:ObjectMeta', 2: 'subjects:Subject[]', 3: 'roleRef:RoleRef' },
  ClusterRoleBinding: { 1: 'metadata:ObjectMeta', 2: 'subjects:Subject[]', 3: 'roleRef:RoleRef' },
  Subject: { 1: 'kind:text', 2: 'apiGroup:text', 3: 'name:text', 4: 'namespace:text' },
  RoleRef: { 1: 'apiGroup:text', 2: 'kind:text', 3: 'name:text' },
  Eviction: { 1: 'metadata:ObjectMeta', 2: 'deleteOptions:DeleteOptions' },
  SelfSubjectAccessReview: { 1: 'metadata:ObjectMeta', 2: 'spec:SelfSubjectAccessReviewSpec', 3: 'status:ignored' },
  SelfSubjectAccessReviewSpec: {
    1: 'resourceAttributes:ResourceAttributes',
    2: 'nonResourceAttributes:NonResourceAttributes',
  },
  ResourceAttributes: {
    1: 'namespace:text',
    2: 'verb:text',
    3: 'group:text',
    4: 'version:text',
    5: 'resource:text',
    6: 'subresource:text',
    7: 'name:text',
  },
  NonResourceAttributes: { 1: 'path:text', 2: 'verb:text' },
  SelfSubjectRulesReview: { 1: 'metadata:ObjectMeta', 2: 'spec:SelfSubjectRulesReviewSpec', 3: 'status:ignored' },
  SelfSubjectRulesReviewSpec: { 1: 'namespace:text' },
  SelfSubjectReview: { 1: 'metadata:ObjectMeta', 2: 'status:ignored' },
  TokenRequest: { 1: 'metadata:ObjectMeta', 2: 'spec:TokenRequestSpec', 3: 'status:ignored' },
  TokenRequestSpec: {
    1: 'audiences:text[]',
    3: 'boundObjectRef:BoundObjectReference',
    4: 'expirationSeconds:int?',
  },
  BoundObjectReference: { 1: 'kind:text', 2: 'apiVersion:text', 3: 'name:text', 4: 'uid:text' },
} as const;

/** Of a field: how its value is read, and whether it repeats. */
export interface ProtobufField {
  name: string;
  /** A scalar, a map, or the name of a message. */
  type: string;
  repeated: boolean;
}

const MESSAGES: ReadonlyMap<string, ReadonlyMap<number, ProtobufField>> = new Map(
  Object.entries(FIELDS).map(([message, fields]) => [
    message,
    new Map(Object.entries(fields).map(([number, text]) => [Number(number), fieldOf(text)])),
  ]),
);

/** undefined for a message that is not known here. */
export function protobufMessage(name: string): ReadonlyMap<number, ProtobufField> | undefined {
  return MESSAGES.get(name);
}

function fieldOf(text: string): ProtobufField {
  const [name = '', type = ''] = text.split(':');
  return { name, type: type.replace('[]', ''), repeated: type.endsWith('[]') };
}
