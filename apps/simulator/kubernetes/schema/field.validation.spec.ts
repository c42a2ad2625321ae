import { describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { applyDefaults } from './defaulting.js';
import { prune, validateObject } from './field.validation.js';
import { parseApiVersion } from './group-version-kind.js';
import { applyMergePatch } from './merge-patch.js';
import { SchemaCatalog } from './schema.catalog.js';
import type { StructuralSchema } from './structural.schema.js';

const catalog = new SchemaCatalog();

interface Draft {
  apiVersion: string;
  kind: string;
  [member: string]: Json;
}

/** `<field>: <message>`, as the server would say it. */
function complaints(draft: Draft, change?: JsonObject, subresource = ''): string[] {
  const kind = { ...parseApiVersion(draft.apiVersion), kind: draft.kind };
  const schema = catalog.find(kind.group, kind.version, kind.kind)!;
  const created = applyDefaults(kind, schema, draft);
  if (change === undefined) return texts(validateObject(kind, schema, created, undefined, subresource));
  const changed = applyDefaults(kind, schema, applyMergePatch(created, change));
  return texts(validateObject(kind, schema, changed, created, subresource));
}

function texts(causes: { field: string; message: string }[]): string[] {
  return causes.map(({ field, message }) => `${field}: ${message}`);
}

function deployment(podSpec: JsonObject, spec: JsonObject = {}): Draft {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    spec: {
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }], ...podSpec } },
      ...spec,
    },
  };
}

function withContainer(container: JsonObject, podSpec: JsonObject = {}): Draft {
  return deployment({ containers: [{ name: 'c', image: 'i', ...container }], ...podSpec });
}

const service = (spec: JsonObject): Draft => ({ apiVersion: 'v1', kind: 'Service', spec });
const secret = (members: JsonObject): Draft => ({ apiVersion: 'v1', kind: 'Secret', ...members });
const rbac = 'rbac.authorization.k8s.io/v1';
const storage = 'storage.k8s.io/v1';
const CONTAINER = 'spec.template.spec.containers[0]';

describe('new objects of built-in kinds', () => {
  const refused: { draft: Draft; complaint: string; reason: string }[] = [
    {
      draft: deployment({ containers: [] }),
      complaint: 'spec.template.spec.containers: Required value',
      reason: 'no container',
    },
    {
      draft: deployment({ containers: [{ name: 'c', image: 'i' }], initContainers: [{ name: 'c', image: 'i' }] }),
      complaint: `${CONTAINER}.name: Duplicate value: "c"`,
      reason: 'a name is unique in a pod',
    },
    { draft: withContainer({ name: '' }), complaint: `${CONTAINER}.name: Required value`, reason: 'no name' },
    {
      draft: withContainer({ image: ' i' }),
      complaint: `${CONTAINER}.image: Invalid value: " i": must not have leading or trailing whitespace`,
      reason: 'blanks around an image',
    },
    {
      draft: withContainer({ ports: [{ containerPort: 70000 }] }),
      complaint: `${CONTAINER}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
      reason: 'no such port',
    },
    {
      draft: withContainer({
        ports: [
          { containerPort: 1, name: 'a' },
          { containerPort: 2, name: 'a' },
        ],
      }),
      complaint: `${CONTAINER}.ports[1].name: Duplicate value: "a"`,
      reason: 'a port name is unique',
    },
    {
      draft: withContainer({ ports: [{ containerPort: 1, protocol: 'ICMP' }] }),
      complaint: `${CONTAINER}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`,
      reason: 'no such protocol',
    },
    {
      draft: withContainer({ env: [{ value: '1' }] }),
      complaint: `${CONTAINER}.env[0].name: Required value`,
      reason: 'no variable name',
    },
    {
      draft: withContainer({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      complaint: `${CONTAINER}.volumeMounts[0].name: Not found: "v"`,
      reason: 'no such volume',
    },
    {
      draft: withContainer(
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
        { volumes: [{ name: 'v' }] },
      ),
      complaint: `${CONTAINER}.volumeMounts[1].mountPath: Invalid value: "/v": must be unique`,
      reason: 'a path is unique',
    },
    {
      draft: deployment({ volumes: [{ name: 'v' }, { name: 'v' }] }),
      complaint: 'spec.template.spec.volumes[1].name: Duplicate value: "v"',
      reason: 'a volume name is unique',
    },
    {
      draft: withContainer({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      complaint: `${CONTAINER}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
      reason: 'more than the limit',
    },
    {
      draft: withContainer({ resources: { limits: { cpu: '-1' } } }),
      complaint: `${CONTAINER}.resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
      reason: 'less than nothing',
    },
    {
      draft: withContainer({ resources: { limits: { cpu: 'much' } } }),
      complaint: `${CONTAINER}.resources.limits.cpu: Invalid value: "much": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
      reason: 'no quantity',
    },
    {
      draft: withContainer({ livenessProbe: {} }),
      complaint: `${CONTAINER}.livenessProbe: Required value: must specify a handler type`,
      reason: 'a probe of nothing',
    },
    {
      draft: withContainer({ livenessProbe: { exec: { command: ['a'] }, successThreshold: 2 } }),
      complaint: `${CONTAINER}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
      reason: 'alive is alive',
    },
    {
      draft: deployment({ restartPolicy: 'Never' }),
      complaint: 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
      reason: 'a deployment keeps its pods',
    },
    {
      draft: deployment({ tolerations: [{ key: 'k', operator: 'Exists', value: 'v' }] }),
      complaint:
        'spec.template.spec.tolerations[0].operator: Invalid value: "Exists": value must be empty when `operator` is \'Exists\'',
      reason: 'existence has no value',
    },
    {
      draft: deployment({}, { replicas: -1 }),
      complaint: 'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
      reason: 'less than none',
    },
    { draft: deployment({}, { selector: null }), complaint: 'spec.selector: Required value', reason: 'no selector' },
    {
      draft: deployment({}, { selector: {} }),
      complaint:
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment',
      reason: 'it would select everything',
    },
    {
      draft: deployment({}, { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
      complaint: "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
      reason: 'nothing rolls',
    },
    {
      draft: deployment({}, { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      complaint:
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, StrVal:""}: may not be 0 when `maxSurge` is 0',
      reason: 'it could never move',
    },
    {
      draft: deployment({}, { progressDeadlineSeconds: 10, minReadySeconds: 10 }),
      complaint: 'spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds',
      reason: 'it could never be ready in time',
    },
    {
      draft: deployment({}, { replicas: 'many' }),
      complaint: 'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
      reason: 'no number',
    },
    {
      draft: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }] } } },
      },
      complaint:
        'spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"',
      reason: 'a job ends',
    },
    { draft: service({}), complaint: 'spec.ports: Required value', reason: 'a service without ports' },
    {
      draft: service({ ports: [{ port: 80, name: 'a' }, { port: 81 }] }),
      complaint: 'spec.ports[1].name: Required value',
      reason: 'several ports need names',
    },
    {
      draft: service({
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'a' },
        ],
      }),
      complaint: 'spec.ports[1].name: Duplicate value: "a"',
      reason: 'different names',
    },
    {
      draft: service({ type: 'Magic', ports: [{ port: 80 }] }),
      complaint:
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      reason: 'no such type',
    },
    {
      draft: service({ type: 'ExternalName' }),
      complaint: 'spec.externalName: Required value',
      reason: 'a name for nothing',
    },
    {
      draft: secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }),
      complaint: 'data[tls.key]: Required value',
      reason: 'half a key pair',
    },
    {
      draft: secret({ type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'eA==' } }),
      complaint:
        'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character in the JSON text',
      reason: 'no JSON, and no word of what it is',
    },
    {
      draft: { apiVersion: 'v1', kind: 'ConfigMap', data: { 'a b': '1' } },
      complaint:
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      reason: 'a key with a blank',
    },
    {
      draft: { apiVersion: rbac, kind: 'Role', rules: [{ verbs: ['get'], resources: ['pods'] }] },
      complaint: 'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      reason: 'a rule for no group',
    },
    {
      draft: {
        apiVersion: rbac,
        kind: 'RoleBinding',
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [{ kind: 'ServiceAccount', name: 's' }],
      },
      complaint: 'subjects[0].namespace: Required value',
      reason: 'accounts live in namespaces',
    },
    {
      draft: { apiVersion: rbac, kind: 'ClusterRoleBinding', roleRef: { kind: 'Role', name: 'r' } },
      complaint: 'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
      reason: 'a role is of one namespace',
    },
    {
      draft: { apiVersion: storage, kind: 'StorageClass' },
      complaint: 'provisioner: Required value',
      reason: 'nobody to make it',
    },
    {
      draft: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec: { accessModes: ['ReadWriteOnce'] } },
      complaint: 'spec.resources[storage]: Required value',
      reason: 'a claim to nothing',
    },
    {
      draft: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', spec: { minAvailable: 1, maxUnavailable: 1 } },
      complaint:
        'spec: Invalid value: map[string]interface {}{"maxUnavailable":1, "minAvailable":1}: minAvailable and maxUnavailable cannot be both set',
      reason: 'one or the other',
    },
    {
      draft: { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: -2 } },
      complaint: 'spec.replicas: Invalid value: -2: must be greater than or equal to 0',
      reason: 'less than none',
    },
    {
      draft: {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'x' },
        spec: {
          group: 'g',
          scope: 'Cluster',
          names: { kind: 'T', plural: 'ts' },
          versions: [{ name: 'v1', storage: true, served: true, schema: { openAPIV3Schema: {} } }],
        },
      },
      complaint: 'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group',
      reason: 'the name follows the resource',
    },
  ];
  it.each(refused)('$draft.kind: $reason', ({ draft, complaint }) => {
    expect(complaints(draft)).toEqual([complaint]);
  });

  const accepted: { draft: Draft; reason: string }[] = [
    { draft: deployment({}), reason: 'a small deployment' },
    { draft: withContainer({ resources: { limits: { cpu: 1 } } }), reason: 'a quantity as a number' },
    { draft: deployment({ tolerations: [{ operator: 'Exists' }] }), reason: 'everything is tolerated' },
    {
      draft: deployment({}, { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
      reason: 'never less than wanted',
    },
    { draft: service({ clusterIP: 'None' }), reason: 'a headless service needs no ports' },
    {
      draft: service({
        ports: [
          { port: 53, protocol: 'UDP', name: 'u' },
          { port: 53, name: 't' },
        ],
      }),
      reason: 'protocols differ',
    },
    { draft: secret({ data: { a: '' } }), reason: 'a secret of no special type' },
  ];
  it.each(accepted)('accepts $reason', ({ draft }) => {
    expect(complaints(draft)).toEqual([]);
  });
});

describe('changes of built-in kinds', () => {
  const fixedSecret = secret({ immutable: true, data: { a: '' } });
  const refused: { draft: Draft; change: JsonObject; complaint: string; reason: string }[] = [
    {
      draft: deployment({}),
      change: {
        spec: { selector: { matchLabels: { app: 'a', b: 'c' } }, template: { metadata: { labels: { b: 'c' } } } },
      },
      complaint:
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"a", "b":"c"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable',
      reason: 'it would forget its pods',
    },
    {
      draft: { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'c', image: 'i' }] } },
      change: { spec: { hostname: 'h' } },
      complaint:
        'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      reason: 'a running pod',
    },
    {
      draft: { ...deployment({}), kind: 'StatefulSet' },
      change: { spec: { serviceName: 'other' } },
      complaint:
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      reason: 'its pods have names by it',
    },
    {
      draft: fixedSecret,
      change: { data: { a: 'eA==' } },
      complaint: 'data: Forbidden: field is immutable when `immutable` is set',
      reason: 'said to be immutable',
    },
    {
      draft: fixedSecret,
      change: { immutable: null },
      complaint: 'immutable: Forbidden: field is immutable when `immutable` is set',
      reason: 'for ever',
    },
    {
      draft: secret({ type: 'a' }),
      change: { type: 'b' },
      complaint: 'type: Invalid value: "b": field is immutable',
      reason: 'a secret stays what it is',
    },
    {
      draft: { apiVersion: rbac, kind: 'RoleBinding', roleRef: { kind: 'Role', name: 'r' } },
      change: { roleRef: { name: 's' } },
      complaint:
        'roleRef: Invalid value: rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"Role", Name:"s"}: cannot change roleRef',
      reason: 'another role is another binding',
    },
    {
      draft: { apiVersion: storage, kind: 'StorageClass', provisioner: 'p' },
      change: { reclaimPolicy: 'Retain' },
      complaint: 'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.',
      reason: 'volumes rely on it',
    },
    {
      draft: { apiVersion: storage, kind: 'CSIDriver', spec: {} },
      change: { spec: { attachRequired: false } },
      complaint: 'spec.attachRequired: Invalid value: false: field is immutable',
      reason: 'volumes are attached by it',
    },
    {
      draft: service({ ports: [{ port: 80 }], clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }),
      change: { spec: { clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.2'] } },
      complaint: 'spec.clusterIPs[0]: Invalid value: []string{"10.0.0.2"}: may not change once set',
      reason: 'clients know the address',
    },
    {
      draft: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      change: { spec: { storageClassName: 'other' } },
      complaint:
        'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      reason: 'the volume is there already',
    },
  ];
  it.each(refused)('$draft.kind: $reason', ({ draft, change, complaint }) => {
    expect(complaints(draft, change)).toEqual([complaint]);
  });

  it.each([
    {
      draft: { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'c', image: 'i' }] } },
      change: { spec: { containers: [{ name: 'c', image: 'j' }], nodeName: 'n' } },
      reason: 'a new image, and the node that the scheduler found',
    },
    {
      draft: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      change: { spec: { volumeName: 'v', resources: { requests: { storage: '2Gi' } } } },
      reason: 'a claim is bound, and grows',
    },
    { draft: deployment({}), change: { spec: { replicas: 3 } }, reason: 'more of the same' },
  ])('accepts $reason', ({ draft, change }) => {
    expect(complaints(draft, change as JsonObject)).toEqual([]);
  });

  it('looks only at the types of a status', () => {
    const broken = deployment({ containers: [] });
    expect(complaints(broken, { status: { replicas: 1 } }, 'status')).toEqual([]);
    expect(complaints(broken, { status: { replicas: 'x' } }, 'status')).toHaveLength(1);
  });
});

describe('custom resources', () => {
  const schema: StructuralSchema = {
    type: 'object',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        minProperties: 1,
        properties: {
          text: { type: 'string', minLength: 2, maxLength: 3, pattern: '^a' },
          time: { type: 'string', format: 'date-time' },
          number: { type: 'number', minimum: 1, exclusiveMinimum: true, multipleOf: 2 },
          whole: { type: 'integer' },
          either: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
          list: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'string' } },
          set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
          parts: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            items: {
              type: 'object',
              required: ['name'],
              properties: {
                name: { type: 'string' },
                fixed: {
                  type: 'string',
                  'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'is fixed' }],
                },
              },
            },
          },
          map: { type: 'object', additionalProperties: { type: 'integer', maximum: 5 } },
          one: { oneOf: [{ type: 'string' }, { type: 'integer' }], not: { enum: ['x'] } },
          ruled: {
            type: 'object',
            properties: { low: { type: 'integer' }, high: { type: 'integer' } },
            'x-kubernetes-validations': [
              {
                rule: 'self.low <= self.high',
                messageExpression: "'low is ' + string(self.low)",
                reason: 'FieldValueForbidden',
                fieldPath: '.low',
              },
            ],
          },
        },
      },
    },
  };
  const kind = { group: 'x', version: 'v1', kind: 'Thing' };
  const check = (spec: Json, previous?: Json): string[] =>
    texts(validateObject(kind, schema, { spec }, previous === undefined ? undefined : { spec: previous }, ''));
  const UNCHECKED =
    '<nil>: Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

  const refused: { spec: Json; complaints: string[]; reason: string }[] = [
    {
      spec: { text: 'a' },
      complaints: ['spec.text: Invalid value: "a": spec.text in body should be at least 2 chars long'],
      reason: 'too short',
    },
    {
      spec: { text: 'aaaa' },
      complaints: ['spec.text: Too long: may not be more than 3 bytes', UNCHECKED],
      reason: 'too long',
    },
    {
      spec: { text: 'bb' },
      complaints: ['spec.text: Invalid value: "bb": spec.text in body should match \'^a\''],
      reason: 'no match',
    },
    {
      spec: { time: 'now' },
      complaints: ['spec.time: Invalid value: "now": spec.time in body must be of type date-time: "now"'],
      reason: 'no time',
    },
    {
      spec: { number: 1 },
      complaints: [
        'spec.number: Invalid value: 1: spec.number in body should be greater than 1',
        'spec.number: Invalid value: 1: spec.number in body should be a multiple of 2',
      ],
      reason: 'the least is excluded',
    },
    {
      spec: { whole: 1.5 },
      complaints: [
        'spec.whole: Invalid value: "number": spec.whole in body must be of type integer: "number"',
        UNCHECKED,
      ],
      reason: 'no whole number',
    },
    {
      spec: { either: true },
      complaints: [
        'spec.either: Invalid value: "boolean": spec.either in body must be of type integer,string: "boolean"',
        UNCHECKED,
      ],
      reason: 'neither',
    },
    {
      spec: { list: [] },
      complaints: ['spec.list: Invalid value: 0: spec.list in body should have at least 1 items'],
      reason: 'too few',
    },
    {
      spec: { list: ['a', 'b', 'c'] },
      complaints: ['spec.list: Too many: 3: must have at most 2 items', UNCHECKED],
      reason: 'too many',
    },
    { spec: { set: ['a', 'a'] }, complaints: ['spec.set[1]: Duplicate value: "a"'], reason: 'twice in a set' },
    {
      spec: { parts: [{ name: 'a' }, { name: 'a' }] },
      complaints: ['spec.parts[1]: Duplicate value: map[string]interface {}{"name":"a"}'],
      reason: 'a key twice',
    },
    {
      spec: { parts: [{}] },
      complaints: ['spec.parts[0].name: Required value', UNCHECKED],
      reason: 'missing in an item',
    },
    {
      spec: { map: { k: 6 } },
      complaints: ['spec.map.k: Invalid value: 6: spec.map.k in body should be less than or equal to 5'],
      reason: 'a value of a map',
    },
    {
      spec: { one: true },
      complaints: ['spec.one: Invalid value: true: spec.one must validate one and only one schema (oneOf)'],
      reason: 'none of the alternatives',
    },
    {
      spec: { one: 'x' },
      complaints: ['spec.one: Invalid value: "x": spec.one must not validate the schema (not)'],
      reason: 'what is excluded',
    },
    {
      spec: null,
      complaints: ['spec: Invalid value: "null": spec in body must be of type object: "null"', UNCHECKED],
      reason: 'null',
    },
    {
      spec: {},
      complaints: ['spec: Invalid value: map[string]interface {}{}: spec in body should have at least 1 properties'],
      reason: 'nothing in it',
    },
    {
      spec: { ruled: { low: 2, high: 1 } },
      complaints: ['spec.ruled.low: Forbidden: low is 2'],
      reason: 'a rule with its own message, reason and path',
    },
    {
      spec: { ruled: { low: 2 } },
      complaints: ['spec.ruled.low: Invalid value: "object": no such key: high evaluating rule: self.low <= self.high'],
      reason: 'a rule that fails',
    },
  ];
  it.each(refused)('refuses $spec: $reason', ({ spec, complaints: expected }) => {
    expect(check(spec)).toEqual(expected);
  });

  const part = (name: string, fixed: string): JsonObject => ({ name, fixed });
  it.each([
    {
      before: { parts: [part('a', '1')] },
      after: { parts: [part('a', '2')] },
      expected: ['spec.parts[0].fixed: Invalid value: "string": is fixed'],
      reason: 'the same item by its key',
    },
    {
      before: { parts: [part('a', '1')] },
      after: { parts: [part('b', '2'), part('a', '1')] },
      expected: [],
      reason: 'a new item has nothing to be compared with',
    },
    {
      before: { text: 'far too long' },
      after: { text: 'far too long', whole: 1 },
      expected: [],
      reason: 'what was wrong before and did not change',
    },
    {
      before: { ruled: { low: 2, high: 1 } },
      after: { ruled: { low: 2, high: 1 }, whole: 1 },
      expected: [],
      reason: 'a rule about what did not change',
    },
    {
      before: { text: 'far too long' },
      after: { text: 'even longer' },
      expected: [
        'spec.text: Too long: may not be more than 3 bytes',
        'spec.text: Invalid value: "even longer": spec.text in body should match \'^a\'',
        UNCHECKED,
      ],
      reason: 'what is changed has to be right',
    },
  ])('compares with what was: $reason', ({ before, after, expected }) => {
    expect(check(after, before)).toEqual(expected);
  });
});

describe('prune', () => {
  const pod = catalog.find('', 'v1', 'Pod')!;

  it('drops what is unknown and says where it stood', () => {
    const labels = { anything: 'goes' };
    const draft = {
      metadata: { labels, bogus: 1 },
      spec: { containers: [{ name: 'a' }, { name: 'b', foo: {} }] },
      extra: [],
    };
    expect(prune(pod, draft)).toEqual({
      object: { metadata: { labels }, spec: { containers: [{ name: 'a' }, { name: 'b' }] } },
      unknownFields: ['metadata.bogus', 'spec.containers[1].foo', 'extra'],
    });
  });

  it('keeps everything where the schema says so, but looks at what it knows inside', () => {
    const schema: StructuralSchema = {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { known: { type: 'object', properties: { a: { type: 'string' } } } },
    };
    expect(prune(schema, { free: { x: 1 }, known: { a: '1', b: '2' } })).toEqual({
      object: { free: { x: 1 }, known: { a: '1' } },
      unknownFields: ['known.b'],
    });
  });
});
