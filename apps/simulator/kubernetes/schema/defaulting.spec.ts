import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { applyDefaults } from './defaulting.js';
import { parseApiVersion } from './group-version-kind.js';
import { SchemaCatalog } from './schema.catalog.js';
import type { StructuralSchema } from './structural.schema.js';

const catalog = new SchemaCatalog();

function defaulted(apiVersion: string, kind: string, object: JsonObject): JsonObject {
  const { group, version } = parseApiVersion(apiVersion);
  return applyDefaults({ group, version, kind }, catalog.find(group, version, kind)!, object);
}

function defaultedSpec(apiVersion: string, kind: string, spec: JsonObject): JsonObject {
  return defaulted(apiVersion, kind, { spec }).spec as JsonObject;
}

function defaultedContainer(container: JsonObject, podSpec: JsonObject = {}): JsonObject {
  const { containers } = defaultedSpec('v1', 'Pod', { ...podSpec, containers: [{ name: 'c', ...container }] });
  return (containers as JsonObject[])[0]!;
}

describe('pods', () => {
  it.each([
    { image: 'web', policy: 'Always', reason: 'no tag is latest' },
    { image: 'web:latest', policy: 'Always', reason: 'latest moves' },
    { image: 'web:1.2', policy: 'IfNotPresent', reason: 'a tag' },
    { image: 'registry:5000/web', policy: 'Always', reason: 'the colon is that of a port' },
    { image: 'registry:5000/web:1', policy: 'IfNotPresent', reason: 'a port and a tag' },
    { image: 'web@sha256:abc', policy: 'IfNotPresent', reason: 'a digest never moves' },
  ])('pulls $image $policy: $reason', ({ image, policy }) => {
    expect(defaultedContainer({ image }).imagePullPolicy).toBe(policy);
  });

  it('fills in ports, probes and references to fields', () => {
    const container = defaultedContainer(
      {
        image: 'web:1',
        ports: [{ containerPort: 80 }],
        livenessProbe: { httpGet: { port: 80 } },
        env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
      },
      { hostNetwork: true },
    );
    expect(container).toMatchObject({
      ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
      livenessProbe: {
        httpGet: { path: '/', port: 80, scheme: 'HTTP' },
        timeoutSeconds: 1,
        periodSeconds: 10,
        successThreshold: 1,
        failureThreshold: 3,
      },
      env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
      resources: {},
    });
  });

  it('takes requests from limits in a pod, but not in a template', () => {
    const resources = { limits: { cpu: '1000m', memory: '1Gi' }, requests: { cpu: '0.5' } };
    expect(defaultedContainer({ resources }).resources).toEqual({
      limits: { cpu: '1', memory: '1Gi' },
      requests: { cpu: '500m', memory: '1Gi' },
    });
    const template = { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '1' } } }] } };
    expect(defaultedSpec('apps/v1', 'Deployment', { template })).toMatchObject({
      template: { spec: { containers: [{ resources: { limits: { cpu: '1' } } }] } },
    });
  });

  it('writes the old name of the account beside the new one', () => {
    expect(defaultedSpec('v1', 'Pod', { serviceAccountName: 'a' })).toMatchObject({ serviceAccount: 'a' });
  });

  it('gives volumes their modes and a source', () => {
    const volumes = [
      { name: 'a' },
      { name: 'b', secret: { secretName: 's' } },
      { name: 'c', projected: { sources: [] } },
    ];
    expect(defaultedSpec('v1', 'Pod', { volumes }).volumes).toEqual([
      { name: 'a', emptyDir: {} },
      { name: 'b', secret: { secretName: 's', defaultMode: 420 } },
      { name: 'c', projected: { sources: [], defaultMode: 420 } },
    ]);
  });
});

describe('other kinds', () => {
  const specs: { apiVersion: string; kind: string; spec: JsonObject; expected: JsonObject; reason: string }[] = [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      spec: { strategy: { type: 'Recreate' } },
      expected: { strategy: { type: 'Recreate' }, replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 },
      reason: 'without rolling there is nothing to say about it',
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      spec: { volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: { accessModes: ['ReadWriteOnce'] } }] },
      expected: {
        podManagementPolicy: 'OrderedReady',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
        volumeClaimTemplates: [
          { kind: 'PersistentVolumeClaim', spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
        ],
      },
      reason: 'templates of claims are claims',
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      spec: {},
      expected: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } } },
      reason: 'one node at a time',
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      spec: { parallelism: 3 },
      expected: { parallelism: 3, backoffLimit: 6, completionMode: 'NonIndexed', suspend: false },
      reason: 'a work queue has no number of completions',
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      spec: { ports: [{ port: 80 }] },
      expected: {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      },
      reason: 'the target is the port',
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      spec: { type: 'LoadBalancer', sessionAffinity: 'ClientIP' },
      expected: {
        externalTrafficPolicy: 'Cluster',
        allocateLoadBalancerNodePorts: true,
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
      },
      reason: 'a load balancer',
    },
    {
      apiVersion: 'v1',
      kind: 'LimitRange',
      spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { memory: '1Mi' } }] },
      expected: {
        limits: [{ default: { cpu: '2' }, defaultRequest: { cpu: '2', memory: '1Mi' } }],
      },
      reason: 'the maximum is the default',
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      spec: { egress: [{ ports: [{ port: 53 }] }] },
      expected: {
        policyTypes: ['Ingress', 'Egress'],
        egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
        podSelector: {},
      },
      reason: 'what is spoken of is restricted',
    },
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      spec: { names: { kind: 'Thing', plural: 'things' } },
      expected: { names: { singular: 'thing', listKind: 'ThingList' }, conversion: { strategy: 'None' } },
      reason: 'names follow the kind',
    },
  ];
  it.each(specs)('$kind: $reason', ({ apiVersion, kind, spec, expected }) => {
    expect(defaultedSpec(apiVersion, kind, spec)).toMatchObject(expected);
  });

  it('says nothing about traffic of a service that is only a name', () => {
    const spec = defaultedSpec('v1', 'Service', { type: 'ExternalName', externalName: 'x.org' });
    expect(Object.keys(spec).sort()).toEqual(['externalName', 'sessionAffinity', 'type']);
  });

  it('labels a namespace with its name', () => {
    expect(defaulted('v1', 'Namespace', { metadata: { name: 'n' } }).metadata).toMatchObject({
      labels: { 'kubernetes.io/metadata.name': 'n' },
    });
  });

  it('keeps the text data of a secret as data', () => {
    const secret = defaulted('v1', 'Secret', { stringData: { a: 'ä' }, data: { b: 'Yg==' } });
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'w6Q=', b: 'Yg==' } });
    expect(secret.stringData).toBeUndefined();
  });

  it('lets all of a node’s capacity be used', () => {
    expect(defaulted('v1', 'Node', { status: { capacity: { cpu: '10000' } } }).status).toMatchObject({
      capacity: { cpu: '10k' },
      allocatable: { cpu: '10k' },
    });
  });

  it('knows the group of roles, users and groups', () => {
    const binding = defaulted('rbac.authorization.k8s.io/v1', 'RoleBinding', {
      roleRef: { kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u' },
        { kind: 'ServiceAccount', name: 's', namespace: 'n' },
      ],
    });
    expect(binding).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io' }, { kind: 'ServiceAccount', name: 's', namespace: 'n' }],
    });
  });
});

describe('custom resources', () => {
  const schema: StructuralSchema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: { type: 'integer', default: 3 },
          mode: { type: 'object', default: {}, properties: { name: { type: 'string', default: 'fast' } } },
          items: { type: 'array', items: { type: 'object', properties: { on: { type: 'boolean', default: true } } } },
          maybe: { type: 'string', nullable: true, default: 'x' },
        },
      },
    },
  };
  const kind = { group: 'x', version: 'v1', kind: 'Thing' };

  it.each([
    { spec: {}, result: { size: 3, mode: { name: 'fast' }, maybe: 'x' }, reason: 'defaults have defaults inside' },
    {
      spec: { size: null },
      result: { size: 3, mode: { name: 'fast' }, maybe: 'x' },
      reason: 'null where it is not allowed',
    },
    { spec: { maybe: null }, result: { size: 3, mode: { name: 'fast' }, maybe: null }, reason: 'null where it is' },
    {
      spec: { items: [{}] },
      result: { items: [{ on: true }], size: 3, mode: { name: 'fast' }, maybe: 'x' },
      reason: 'in lists',
    },
  ])('$reason', ({ spec, result }) => {
    expect(applyDefaults(kind, schema, { spec }).spec).toEqual(result);
  });

  it('does not make what has no default', () => {
    expect(applyDefaults(kind, schema, {})).toEqual({ apiVersion: 'x/v1', kind: 'Thing' });
  });
});

it('changes nothing a second time', () => {
  const once = defaulted('apps/v1', 'Deployment', {
    metadata: { name: 'd' },
    spec: { template: { spec: { containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '1000m' } } }] } } },
  });
  expect(defaulted('apps/v1', 'Deployment', once)).toEqual(once);
});
