import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import {
  duplicate,
  forbidden,
  goTextMap,
  goValue,
  invalid,
  notSupported,
  required,
  type FieldCause,
} from './field.cause.js';
import { formatApiVersion, type GroupVersionKind } from './group-version-kind.js';
import { configKeyFaults, labelCauses, labelNameFaults, portNameFaults } from './name.rules.js';
import { numberIn, objectIn, objectsIn, textIn, textsIn } from './object.members.js';
import { atLeastZeroCauses, podSpecCauses, portNumberCauses, restartPolicyCauses } from './pod.validation.js';
import { quantityText } from './quantity.js';
import { sameJson } from './same-json.js';
import { typeName } from './structural.validation.js';
import { memberSchema, type StructuralSchema } from './structural.schema.js';

type Validator = (object: JsonObject, previous: JsonObject | undefined) => FieldCause[];

const RBAC = 'rbac.authorization.k8s.io';

/** What `pkg/apis/<group>/validation` of the real server refuses, by API version and kind. */
const VALIDATORS: Readonly<Record<string, Validator>> = {
  'v1/Pod': podCauses,
  'v1/Service': serviceCauses,
  'v1/Secret': secretCauses,
  'v1/ConfigMap': configMapCauses,
  'v1/PersistentVolumeClaim': claimCauses,
  'v1/PersistentVolume': volumeCauses,
  'apps/v1/Deployment': deploymentCauses,
  'apps/v1/ReplicaSet': replicaSetCauses,
  'apps/v1/StatefulSet': statefulSetCauses,
  'apps/v1/DaemonSet': daemonSetCauses,
  'batch/v1/Job': jobCauses,
  'batch/v1/CronJob': cronJobCauses,
  'policy/v1/PodDisruptionBudget': disruptionBudgetCauses,
  'rbac.authorization.k8s.io/v1/Role': (role) => ruleListCauses(role, true),
  'rbac.authorization.k8s.io/v1/ClusterRole': (role) => ruleListCauses(role, false),
  'rbac.authorization.k8s.io/v1/RoleBinding': (binding, previous) =>
    bindingCauses(binding, previous, ['ClusterRole', 'Role']),
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': (binding, previous) =>
    bindingCauses(binding, previous, ['ClusterRole']),
  'storage.k8s.io/v1/StorageClass': storageClassCauses,
  'storage.k8s.io/v1/CSIDriver': csiDriverCauses,
  'autoscaling/v1/Scale': (scale) => atLeastZeroCauses(objectIn(scale, 'spec'), ['replicas'], 'spec'),
  'autoscaling/v1/HorizontalPodAutoscaler': autoscalerCauses,
  'autoscaling/v2/HorizontalPodAutoscaler': autoscalerCauses,
  'scheduling.k8s.io/v1/PriorityClass': (priority, previous) =>
    changed(priority, previous, 'value') ? [forbidden('value', 'may not be changed in an update.')] : [],
  'coordination.k8s.io/v1/Lease': leaseCauses,
  'networking.k8s.io/v1/Ingress': ingressCauses,
  'apiextensions.k8s.io/v1/CustomResourceDefinition': definitionCauses,
};

/** What the real server refuses in an object of a built-in kind. Through `/status` only its types and words count. */
export function builtInCauses(
  kind: GroupVersionKind,
  schema: StructuralSchema,
  object: JsonObject,
  previous: JsonObject | undefined,
  subresource: string,
): FieldCause[] {
  const typing: FieldCause[] = [];
  visitTypes(schema, object, '', typing);
  if (typing.length > 0) return typing;
  const words: FieldCause[] = [];
  visitWords(schema, object, '', words);
  if (subresource !== '' && subresource !== 'scale') return words;
  const validator = VALIDATORS[`${formatApiVersion(kind.group, kind.version)}/${kind.kind}`];
  return [...(validator?.(object, previous) ?? []), ...words];
}

function join(field: string, key: string): string {
  return field === '' ? key : `${field}.${key}`;
}

function visitTypes(schema: StructuralSchema | undefined, value: Json, field: string, causes: FieldCause[]): void {
  if (schema === undefined || value === null) return;
  const expected = expectedType(schema, value);
  if (expected !== undefined) {
    const given = typeName(value);
    causes.push({
      reason: 'FieldValueTypeInvalid',
      message: `Invalid value: "${given}": ${field} in body must be of type ${expected}: "${given}"`,
      field,
    });
    return;
  }
  if (schema.format === 'quantity' && quantityText(value) === undefined) {
    const detail = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    causes.push(invalid(field, goValue(value), detail));
  }
  visitInside(schema, value, field, (inner, part, at) => visitTypes(inner, part, at, causes));
}

/** @returns what it should be, when it is something else */
function expectedType(schema: StructuralSchema, value: Json): string | undefined {
  const given = typeName(value);
  if (schema['x-kubernetes-int-or-string'] === true)
    return given === 'integer' || given === 'string' ? undefined : 'integer,string';
  if (schema.type === undefined || schema.type === given) return undefined;
  if (given === 'integer' && schema.type === 'number') return undefined;
  return schema.format === 'quantity' && typeof value === 'number' ? undefined : schema.type;
}

function visitWords(schema: StructuralSchema | undefined, value: Json, field: string, causes: FieldCause[]): void {
  if (schema === undefined || value === null) return;
  // Empty is how a Go struct says absent.
  if (schema.enum !== undefined && value !== '' && !schema.enum.includes(value)) {
    causes.push(notSupported(field, value, schema.enum));
  }
  visitInside(schema, value, field, (inner, part, at) => visitWords(inner, part, at, causes));
}

function visitInside(
  schema: StructuralSchema,
  value: Json,
  field: string,
  visit: (schema: StructuralSchema | undefined, value: Json, field: string) => void,
): void {
  if (Array.isArray(value))
    for (const [index, item] of value.entries()) visit(schema.items, item, `${field}[${index}]`);
  else if (isJsonObject(value)) {
    for (const [key, member] of Object.entries(value)) visit(memberSchema(schema, key), member, join(field, key));
  }
}

function changed(object: JsonObject, previous: JsonObject | undefined, key: string): boolean {
  return previous !== undefined && !sameJson(object[key] ?? null, previous[key] ?? null);
}

// Workloads

function deploymentCauses(deployment: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(deployment, 'spec');
  const deadline = numberIn(spec, 'progressDeadlineSeconds');
  const ready = numberIn(spec, 'minReadySeconds') ?? 0;
  return [
    ...atLeastZeroCauses(spec, ['replicas'], 'spec'),
    ...selectorCauses(spec, previous, 'deployment'),
    ...templateCauses(spec, ['Always']),
    ...deploymentStrategyCauses(objectIn(spec, 'strategy')),
    ...atLeastZeroCauses(spec, ['minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'], 'spec'),
    ...(deadline !== undefined && deadline <= ready
      ? [invalid('spec.progressDeadlineSeconds', String(deadline), 'must be greater than minReadySeconds')]
      : []),
  ];
}

function deploymentStrategyCauses(strategy: JsonObject): FieldCause[] {
  const field = 'spec.strategy.rollingUpdate';
  const rolling = strategy.rollingUpdate;
  if (strategy.type === 'Recreate') {
    return isJsonObject(rolling) ? [forbidden(field, "may not be specified when strategy `type` is 'Recreate'")] : [];
  }
  if (!isJsonObject(rolling)) return [];
  const isNothing = (value: Json | undefined): boolean => value === 0 || value === '0%';
  if (!isNothing(rolling.maxUnavailable) || !isNothing(rolling.maxSurge)) return [];
  return [
    invalid(`${field}.maxUnavailable`, goIntOrString(rolling.maxUnavailable), 'may not be 0 when `maxSurge` is 0'),
  ];
}

function goIntOrString(value: Json | undefined): string {
  const number = typeof value === 'number' ? value : 0;
  const text = typeof value === 'string' ? value : '';
  return `intstr.IntOrString{Type:${typeof value === 'string' ? 1 : 0}, IntVal:${number}, StrVal:${JSON.stringify(text)}}`;
}

function replicaSetCauses(set: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(set, 'spec');
  return [
    ...atLeastZeroCauses(spec, ['replicas', 'minReadySeconds'], 'spec'),
    ...selectorCauses(spec, previous, 'deployment'),
    ...templateCauses(spec, ['Always']),
  ];
}

const STATEFUL_SET_CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function statefulSetCauses(set: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(set, 'spec');
  const fixed = (of: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(of).filter(([key]) => ![...STATEFUL_SET_CHANGEABLE, 'revisionHistoryLimit'].includes(key)),
    );
  const isChanged = previous !== undefined && !sameJson(fixed(spec), fixed(objectIn(previous, 'spec')));
  const names = STATEFUL_SET_CHANGEABLE.map((name) => `'${name}'`);
  return [
    ...atLeastZeroCauses(spec, ['replicas', 'minReadySeconds'], 'spec'),
    ...selectorCauses(spec, undefined, 'statefulset'),
    ...templateCauses(spec, ['Always']),
    ...(isChanged
      ? [
          forbidden(
            'spec',
            `updates to statefulset spec for fields other than ${names.slice(0, -1).join(', ')} and ${names.at(-1)!} are forbidden`,
          ),
        ]
      : []),
  ];
}

function daemonSetCauses(set: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(set, 'spec');
  return [...selectorCauses(spec, previous, 'daemonset'), ...templateCauses(spec, ['Always'])];
}

/** Required, not empty, and once chosen the same for ever. */
function selectorCauses(spec: JsonObject, previous: JsonObject | undefined, kind: string): FieldCause[] {
  const selector = spec.selector;
  if (!isJsonObject(selector)) return [required('spec.selector')];
  const field = 'spec.selector';
  const isEmpty =
    Object.keys(objectIn(selector, 'matchLabels')).length + objectsIn(selector, 'matchExpressions').length === 0;
  const before = objectIn(previous, 'spec').selector;
  return [
    ...labelCauses(objectIn(selector, 'matchLabels'), `${field}.matchLabels`),
    ...(isEmpty ? [invalid(field, goSelector(selector), `empty selector is invalid for ${kind}`)] : []),
    ...(previous !== undefined && !sameJson(before ?? null, selector)
      ? [invalid(field, goSelector(selector), 'field is immutable')]
      : []),
  ];
}

function goSelector(selector: JsonObject): string {
  const labels = objectIn(selector, 'matchLabels');
  const expressions = objectsIn(selector, 'matchExpressions').map((expression) => {
    const values = textsIn(expression, 'values').map((value) => JSON.stringify(value));
    return `v1.LabelSelectorRequirement{Key:${JSON.stringify(textIn(expression, 'key'))}, Operator:${JSON.stringify(textIn(expression, 'operator'))}, Values:[]string${values.length === 0 ? '(nil)' : `{${values.join(', ')}}`}}`;
  });
  const matchLabels = selector.matchLabels === undefined ? 'map[string]string(nil)' : goTextMap(labels);
  const matchExpressions = `[]v1.LabelSelectorRequirement${expressions.length === 0 ? '(nil)' : `{${expressions.join(', ')}}`}`;
  return `v1.LabelSelector{MatchLabels:${matchLabels}, MatchExpressions:${matchExpressions}}`;
}

function templateCauses(spec: JsonObject, restartPolicies: readonly string[]): FieldCause[] {
  const template = objectIn(spec, 'template');
  const labels = objectIn(objectIn(template, 'metadata'), 'labels');
  const field = 'spec.template.metadata.labels';
  const selector = spec.selector;
  const podSpec = objectIn(template, 'spec');
  return [
    ...(isJsonObject(selector) && !selects(selector, labels)
      ? [invalid(field, goTextMap(labels), '`selector` does not match template `labels`')]
      : []),
    ...labelCauses(labels, field),
    ...podSpecCauses(podSpec, 'spec.template.spec'),
    ...restartPolicyCauses(podSpec, 'spec.template.spec', restartPolicies),
  ];
}

function selects(selector: JsonObject, labels: JsonObject): boolean {
  const hasLabels = Object.entries(objectIn(selector, 'matchLabels')).every(([key, value]) => labels[key] === value);
  return (
    hasLabels &&
    objectsIn(selector, 'matchExpressions').every((expression) => {
      const label = labels[textIn(expression, 'key')];
      const isListed = typeof label === 'string' && textsIn(expression, 'values').includes(label);
      switch (expression.operator) {
        case 'In':
          return isListed;
        case 'NotIn':
          return !isListed;
        case 'Exists':
          return label !== undefined;
        default:
          return label === undefined;
      }
    })
  );
}

function jobCauses(job: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(job, 'spec');
  const before = previous === undefined ? undefined : objectIn(previous, 'spec');
  const template = objectIn(spec, 'template');
  return [
    ...jobSpecCauses(spec, 'spec'),
    // A suspended job may still be moved elsewhere.
    ...(changed(spec, before, 'template') && before?.suspend !== true
      ? [invalid('spec.template', goValue(template), 'field is immutable')]
      : []),
    ...(changed(spec, before, 'completionMode')
      ? [invalid('spec.completionMode', goValue(spec.completionMode), 'field is immutable')]
      : []),
  ];
}

const JOB_NUMBERS = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'];

function jobSpecCauses(spec: JsonObject, field: string): FieldCause[] {
  const podSpec = objectIn(objectIn(spec, 'template'), 'spec');
  return [
    ...atLeastZeroCauses(spec, JOB_NUMBERS, field),
    ...podSpecCauses(podSpec, `${field}.template.spec`),
    ...restartPolicyCauses(podSpec, `${field}.template.spec`, ['OnFailure', 'Never']),
  ];
}

function cronJobCauses(job: JsonObject): FieldCause[] {
  const spec = objectIn(job, 'spec');
  return [
    ...(textIn(spec, 'schedule') === '' ? [required('spec.schedule')] : []),
    ...atLeastZeroCauses(
      spec,
      ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'],
      'spec',
    ),
    ...jobSpecCauses(objectIn(objectIn(spec, 'jobTemplate'), 'spec'), 'spec.jobTemplate.spec'),
  ];
}

function podCauses(pod: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(pod, 'spec');
  const causes = podSpecCauses(spec, 'spec');
  if (previous === undefined || sameJson(fixedPodSpec(spec), fixedPodSpec(objectIn(previous, 'spec')))) return causes;
  const detail =
    'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
  return [...causes, forbidden('spec', detail)];
}

/** What of a pod cannot be changed. */
function fixedPodSpec(spec: JsonObject): JsonObject {
  const {
    activeDeadlineSeconds: _deadline,
    tolerations: _tolerations,
    nodeName: _node,
    schedulingGates: _gates,
    ...fixed
  } = spec;
  for (const list of ['containers', 'initContainers']) {
    if (spec[list] !== undefined)
      fixed[list] = objectsIn(spec, list).map(({ image: _image, ...container }) => container);
  }
  return fixed;
}

function disruptionBudgetCauses(budget: JsonObject): FieldCause[] {
  const spec = objectIn(budget, 'spec');
  if (spec.minAvailable === undefined || spec.maxUnavailable === undefined) return [];
  return [invalid('spec', goValue(spec), 'minAvailable and maxUnavailable cannot be both set')];
}

function autoscalerCauses(autoscaler: JsonObject): FieldCause[] {
  const spec = objectIn(autoscaler, 'spec');
  const least = numberIn(spec, 'minReplicas') ?? 1;
  const most = numberIn(spec, 'maxReplicas') ?? 0;
  return [
    ...(least < 1 ? [invalid('spec.minReplicas', String(least), 'must be greater than or equal to 1')] : []),
    ...(most < 1 ? [invalid('spec.maxReplicas', String(most), 'must be greater than 0')] : []),
    ...(most < least
      ? [invalid('spec.maxReplicas', String(most), 'must be greater than or equal to `minReplicas`')]
      : []),
  ];
}

function leaseCauses(lease: JsonObject): FieldCause[] {
  const spec = objectIn(lease, 'spec');
  const seconds = numberIn(spec, 'leaseDurationSeconds');
  return [
    ...(seconds !== undefined && seconds <= 0
      ? [invalid('spec.leaseDurationSeconds', String(seconds), 'must be greater than 0')]
      : []),
    ...atLeastZeroCauses(spec, ['leaseTransitions'], 'spec'),
  ];
}

// Network

function serviceCauses(service: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(service, 'spec');
  const ports = objectsIn(spec, 'ports');
  const isExternal = spec.type === 'ExternalName';
  const needsPorts = !isExternal && spec.clusterIP !== 'None';
  return [
    ...(needsPorts && ports.length === 0 ? [required('spec.ports')] : []),
    ...(isExternal && textIn(spec, 'externalName') === '' ? [required('spec.externalName')] : []),
    ...ports.flatMap((port, index) => servicePortCauses(port, `spec.ports[${index}]`, ports.length > 1)),
    ...repeatedPortCauses(ports),
    ...labelCauses(objectIn(spec, 'selector'), 'spec.selector'),
    ...clusterAddressCauses(spec, objectIn(previous, 'spec')),
  ];
}

function servicePortCauses(port: JsonObject, field: string, needsName: boolean): FieldCause[] {
  const name = textIn(port, 'name');
  const target = port.targetPort;
  return [
    ...(name === '' && needsName ? [required(`${field}.name`)] : []),
    ...(name === '' ? [] : labelNameFaults(name).map((fault) => invalid(`${field}.name`, JSON.stringify(name), fault))),
    ...portNumberCauses(port.port, `${field}.port`),
    ...portNumberCauses(target, `${field}.targetPort`),
    ...(typeof target === 'string'
      ? portNameFaults(target).map((fault) => invalid(`${field}.targetPort`, JSON.stringify(target), fault))
      : []),
  ];
}

function repeatedPortCauses(ports: readonly JsonObject[]): FieldCause[] {
  const names = new Set<string>();
  const numbers = new Set<string>();
  return ports.flatMap((port, index) => {
    const name = textIn(port, 'name');
    const number = `${numberIn(port, 'port') ?? 0}/${textIn(port, 'protocol')}`;
    const causes: FieldCause[] = [];
    if (name !== '' && names.has(name)) causes.push(duplicate(`spec.ports[${index}].name`, JSON.stringify(name)));
    if (numbers.has(number)) causes.push(duplicate(`spec.ports[${index}]`, goValue(port)));
    names.add(name);
    numbers.add(number);
    return causes;
  });
}

/** An address that was given to a service stays its address, unless it becomes a mere name. */
function clusterAddressCauses(spec: JsonObject, before: JsonObject): FieldCause[] {
  const [address, present] = [textIn(before, 'clusterIP'), textIn(spec, 'clusterIP')];
  if (address === '' || address === present || [spec, before].some((one) => one.type === 'ExternalName')) return [];
  const addresses = textsIn(spec, 'clusterIPs').map((one) => JSON.stringify(one));
  return [invalid('spec.clusterIPs[0]', `[]string{${addresses.join(', ')}}`, 'may not change once set')];
}

function ingressCauses(ingress: JsonObject): FieldCause[] {
  const spec = objectIn(ingress, 'spec');
  const rules = objectsIn(spec, 'rules');
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    return [invalid('spec', goValue([]), 'either `defaultBackend` or `rules` must be specified')];
  }
  return rules.flatMap((rule, index) =>
    objectsIn(objectIn(rule, 'http'), 'paths').flatMap((path, at) =>
      textIn(path, 'pathType') === ''
        ? [required(`spec.rules[${index}].http.paths[${at}].pathType`, 'pathType must be specified')]
        : [],
    ),
  );
}

// Configuration and storage

function immutableDataCauses(
  object: JsonObject,
  previous: JsonObject | undefined,
  members: readonly string[],
): FieldCause[] {
  if (previous?.immutable !== true) return [];
  const detail = 'field is immutable when `immutable` is set';
  return [
    ...(object.immutable === true ? [] : [forbidden('immutable', detail)]),
    ...members.filter((member) => changed(object, previous, member)).map((member) => forbidden(member, detail)),
  ];
}

function dataKeyCauses(object: JsonObject, member: string): FieldCause[] {
  return Object.keys(objectIn(object, member)).flatMap((key) =>
    configKeyFaults(key).map((fault) => invalid(`${member}[${key}]`, JSON.stringify(key), fault)),
  );
}

function configMapCauses(map: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const members = ['data', 'binaryData'];
  return [...members.flatMap((member) => dataKeyCauses(map, member)), ...immutableDataCauses(map, previous, members)];
}

/** The keys that a secret of a type has to have. */
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

function secretCauses(secret: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const data = objectIn(secret, 'data');
  const type = textIn(secret, 'type');
  const missing = (SECRET_KEYS[type] ?? []).filter((key) => data[key] === undefined);
  return [
    ...dataKeyCauses(secret, 'data'),
    ...missing.map((key) => required(`data[${key}]`)),
    ...['.dockerconfigjson', '.dockercfg']
      .filter(
        (key) => SECRET_KEYS[type]?.includes(key) === true && data[key] !== undefined && !holdsJson(textIn(data, key)),
      )
      .map((key) => invalid(`data[${key}]`, '"<secret contents redacted>"', 'invalid character in the JSON text')),
    ...immutableDataCauses(secret, previous, ['data']),
    ...(changed(secret, previous, 'type') ? [invalid('type', JSON.stringify(type), 'field is immutable')] : []),
  ];
}

function holdsJson(encoded: string): boolean {
  try {
    JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
    return true;
  } catch (error) {
    if (!Error.isError(error) || error.name !== 'SyntaxError') throw error;
    return false;
  }
}

function claimCauses(claim: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(claim, 'spec');
  const storage = objectIn(objectIn(spec, 'resources'), 'requests').storage;
  const fixed = ({ resources: _resources, volumeAttributesClassName: _class, ...kept }: JsonObject): JsonObject => kept;
  const before = objectIn(previous, 'spec');
  // Binding a claim names its volume.
  const isBound = before.volumeName === undefined ? { ...before, volumeName: spec.volumeName ?? null } : before;
  const isChanged =
    previous !== undefined && !sameJson(fixed({ volumeName: null, ...spec }), fixed({ volumeName: null, ...isBound }));
  return [
    ...(textsIn(spec, 'accessModes').length === 0
      ? [required('spec.accessModes', 'at least 1 access mode is required')]
      : []),
    ...(storage === undefined ? [required('spec.resources[storage]')] : []),
    ...(isChanged
      ? [
          forbidden(
            'spec',
            'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
          ),
        ]
      : []),
  ];
}

function volumeCauses(volume: JsonObject): FieldCause[] {
  const spec = objectIn(volume, 'spec');
  return [
    ...(textsIn(spec, 'accessModes').length === 0 ? [required('spec.accessModes')] : []),
    ...(Object.keys(objectIn(spec, 'capacity')).length === 0 ? [required('spec.capacity')] : []),
  ];
}

function storageClassCauses(storageClass: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const fixed = ['parameters', 'provisioner', 'reclaimPolicy'].filter((member) =>
    changed(storageClass, previous, member),
  );
  const mode = storageClass.volumeBindingMode;
  return [
    ...(textIn(storageClass, 'provisioner') === '' ? [required('provisioner')] : []),
    ...fixed.map((member) => forbidden(member, `updates to ${member} are forbidden.`)),
    ...(changed(storageClass, previous, 'volumeBindingMode')
      ? [invalid('volumeBindingMode', goValue(mode), 'field is immutable')]
      : []),
  ];
}

function csiDriverCauses(driver: JsonObject, previous: JsonObject | undefined): FieldCause[] {
  const spec = objectIn(driver, 'spec');
  const before = previous === undefined ? undefined : objectIn(previous, 'spec');
  return ['attachRequired', 'volumeLifecycleModes']
    .filter((member) => changed(spec, before, member))
    .map((member) => invalid(`spec.${member}`, goValue(spec[member]), 'field is immutable'));
}

// Access

function ruleListCauses(role: JsonObject, isNamespaced: boolean): FieldCause[] {
  return objectsIn(role, 'rules').flatMap((rule, index) => {
    const field = `rules[${index}]`;
    const has = (member: string): boolean => textsIn(rule, member).length > 0;
    const causes = has('verbs') ? [] : [required(`${field}.verbs`, 'verbs must contain at least one value')];
    if (has('nonResourceURLs')) {
      if (isNamespaced) {
        const urls = textsIn(rule, 'nonResourceURLs').map((url) => JSON.stringify(url));
        const detail = 'namespaced rules cannot apply to non-resource URLs';
        causes.push(invalid(`${field}.nonResourceURLs`, `[]string{${urls.join(', ')}}`, detail));
      }
      return causes;
    }
    if (!has('apiGroups'))
      causes.push(required(`${field}.apiGroups`, 'resource rules must supply at least one api group'));
    if (!has('resources'))
      causes.push(required(`${field}.resources`, 'resource rules must supply at least one resource'));
    return causes;
  });
}

function bindingCauses(binding: JsonObject, previous: JsonObject | undefined, kinds: readonly string[]): FieldCause[] {
  const role = objectIn(binding, 'roleRef');
  const [group, kind, name] = ['apiGroup', 'kind', 'name'].map((member) => textIn(role, member));
  const goRole = `rbac.RoleRef{APIGroup:${JSON.stringify(group)}, Kind:${JSON.stringify(kind)}, Name:${JSON.stringify(name)}}`;
  return [
    ...(group === RBAC ? [] : [notSupported('roleRef.apiGroup', group ?? '', [RBAC])]),
    ...(kinds.includes(kind ?? '') ? [] : [notSupported('roleRef.kind', kind ?? '', kinds)]),
    ...(name === '' ? [required('roleRef.name')] : []),
    ...objectsIn(binding, 'subjects').flatMap((subject, index) => subjectCauses(subject, `subjects[${index}]`)),
    ...(changed(binding, previous, 'roleRef') ? [invalid('roleRef', goRole, 'cannot change roleRef')] : []),
  ];
}

function subjectCauses(subject: JsonObject, field: string): FieldCause[] {
  const causes = textIn(subject, 'name') === '' ? [required(`${field}.name`)] : [];
  const group = textIn(subject, 'apiGroup');
  switch (subject.kind) {
    case 'ServiceAccount':
      if (group !== '') causes.push(notSupported(`${field}.apiGroup`, group, ['']));
      if (textIn(subject, 'namespace') === '') causes.push(required(`${field}.namespace`));
      return causes;
    case 'User':
    case 'Group':
      return group === RBAC ? causes : [...causes, notSupported(`${field}.apiGroup`, group, [RBAC])];
    default:
      return [...causes, notSupported(`${field}.kind`, textIn(subject, 'kind'), ['Group', 'ServiceAccount', 'User'])];
  }
}

// Custom resources

function definitionCauses(definition: JsonObject): FieldCause[] {
  const spec = objectIn(definition, 'spec');
  const name = textIn(objectIn(definition, 'metadata'), 'name');
  const versions = objectsIn(spec, 'versions');
  const stored = versions.filter((version) => version.storage === true);
  const group = textIn(spec, 'group');
  return [
    ...(name === `${textIn(objectIn(spec, 'names'), 'plural')}.${group}`
      ? []
      : [invalid('metadata.name', JSON.stringify(name), 'must be spec.names.plural+"."+spec.group')]),
    ...(group === '' ? [required('spec.group')] : []),
    ...(textIn(spec, 'scope') === '' ? [required('spec.scope')] : []),
    ...(stored.length === 1
      ? []
      : [invalid('spec.versions', goValue(versions), 'must have exactly one version marked as storage version')]),
    ...versions.flatMap((version, index) =>
      isJsonObject(objectIn(version, 'schema').openAPIV3Schema)
        ? []
        : [required(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required')],
    ),
  ];
}
