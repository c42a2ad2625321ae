import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { load } from 'js-yaml';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { MEMBER_1, MEMBER_2, SAMPLE_TIME, memberClusterObject } from '#libs/testing/fleet-hub-samples.js';
import {
  candidateMember,
  checkPlacement,
  forecast,
  placementPolicy,
  placementSpec,
  placementStrategy,
  resourceSelector,
  type WantedPlacement,
} from './placement.policy.js';

const policy = (input: JsonObject) => placementPolicy.parse(input);

const WANTED: { wanted: WantedPlacement; spec: JsonObject; reason: string }[] = [
  {
    wanted: { namespaces: ['a', 'b'] },
    spec: {
      resourceSelectors: [
        { group: '', version: 'v1', kind: 'Namespace', name: 'a' },
        { group: '', version: 'v1', kind: 'Namespace', name: 'b' },
      ],
    },
    reason: 'namespaces alone, for every member',
  },
  {
    wanted: {
      resourceSelectors: [
        resourceSelector.parse({
          version: 'v1',
          kind: 'Namespace',
          matchLabels: { a: 'b' },
          selectionScope: 'NamespaceOnly',
        }),
        resourceSelector.parse({
          group: 'apiextensions.k8s.io',
          version: 'v1',
          kind: 'CustomResourceDefinition',
          name: 'x',
        }),
      ],
      policy: policy({ placementType: 'PickFixed', members: ['m1'] }),
    },
    spec: {
      resourceSelectors: [
        {
          group: '',
          version: 'v1',
          kind: 'Namespace',
          labelSelector: { matchLabels: { a: 'b' } },
          selectionScope: 'NamespaceOnly',
        },
        { group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition', name: 'x' },
      ],
      policy: { placementType: 'PickFixed', clusterNames: ['m1'] },
    },
    reason: 'selectors, on named members',
  },
  {
    wanted: {
      namespaces: ['a'],
      policy: policy({
        placementType: 'PickN',
        numberOfClusters: 2,
        matchLabels: { env: 'dev' },
        matchExpressions: [{ key: 'tier', operator: 'In', values: ['x'] }],
        propertyExpressions: [{ name: 'kubernetes-fleet.io/node-count', operator: 'Ge', value: '3' }],
        preferences: [{ weight: 20, matchLabels: { zone: 'z' } }],
        topologySpread: [{ topologyKey: 'region', maxSkew: 2 }],
        tolerations: [{ key: 'maintenance', operator: 'Exists' }],
      }),
      strategy: placementStrategy.parse({
        type: 'RollingUpdate',
        maxUnavailable: '25%',
        maxSurge: '1',
        unavailablePeriodSeconds: 10,
        applyType: 'ServerSideApply',
        whenToTakeOver: 'IfNoDiff',
        allowCoOwnership: true,
      }),
    },
    spec: {
      resourceSelectors: [{ group: '', version: 'v1', kind: 'Namespace', name: 'a' }],
      policy: {
        placementType: 'PickN',
        numberOfClusters: 2,
        affinity: {
          clusterAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              clusterSelectorTerms: [
                {
                  labelSelector: {
                    matchLabels: { env: 'dev' },
                    matchExpressions: [{ key: 'tier', operator: 'In', values: ['x'] }],
                  },
                  propertySelector: {
                    matchExpressions: [{ name: 'kubernetes-fleet.io/node-count', operator: 'Ge', values: ['3'] }],
                  },
                },
              ],
            },
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 20, preference: { labelSelector: { matchLabels: { zone: 'z' } } } },
            ],
          },
        },
        topologySpreadConstraints: [{ topologyKey: 'region', maxSkew: 2 }],
        tolerations: [{ key: 'maintenance', operator: 'Exists', effect: 'NoSchedule' }],
      },
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: '25%', maxSurge: 1, unavailablePeriodSeconds: 10 },
        applyStrategy: { type: 'ServerSideApply', whenToTakeOver: 'IfNoDiff', allowCoOwnership: true },
      },
    },
    reason: 'everything that can be said',
  },
];

describe('placementSpec', () => {
  it.each(WANTED)('writes $reason', ({ wanted, spec }) => {
    expect(() => checkPlacement(wanted)).not.toThrow();
    expect(placementSpec(wanted)).toEqual(spec);
  });

  const definition = path.resolve(
    import.meta.dirname,
    '../../../../shared/fleet-crds/placement.kubernetes-fleet.io_clusterresourceplacements.yaml',
  );
  const checked = existsSync(definition) ? it : it.skip;
  checked.each(WANTED)(
    'is what the definition of Fleet takes, with no field that it does not know: $reason (skipped where ../shared/fleet-crds is absent)',
    ({ wanted }) => {
      const validate = new Ajv({ strict: false, validateFormats: false }).compile(schemaOf(definition));
      validate(placementSpec(wanted));
      expect(validate.errors).toBeNull();
    },
  );
});

/** The specification of the definition's newest version, closed against fields that it does not know. */
function schemaOf(file: string): JsonObject {
  const crd = load(readFileSync(file, 'utf8')) as {
    spec: { versions: { name: string; schema: { openAPIV3Schema: { properties: { spec: JsonObject } } } }[] };
  };
  const version = crd.spec.versions.find(({ name }) => name === 'v1');
  if (version === undefined) throw new Error('The definition has no v1');
  return closed(version.schema.openAPIV3Schema.properties.spec) as JsonObject;
}

function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isJsonObject(schema)) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  const isOpen =
    schema.additionalProperties === undefined && isJsonObject(schema.properties) && schema.type === 'object';
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}

describe('checkPlacement', () => {
  it.each<{ wanted: WantedPlacement; path: string; reason: string }>([
    { wanted: {}, path: 'namespaces', reason: 'nothing is to be placed' },
    {
      wanted: { namespaces: Array.from({ length: 101 }, (_, at) => `n${at}`) },
      path: 'resourceSelectors',
      reason: 'more than a placement can hold',
    },
    {
      wanted: {
        resourceSelectors: [resourceSelector.parse({ version: 'v1', kind: 'Node', name: 'a', matchLabels: {} })],
      },
      path: 'resourceSelectors.0',
      reason: 'a name and labels',
    },
    {
      wanted: {
        resourceSelectors: [resourceSelector.parse({ version: 'v1', kind: 'Node', selectionScope: 'NamespaceOnly' })],
      },
      path: 'resourceSelectors.0.selectionScope',
      reason: 'no namespace',
    },
    { wanted: of({ placementType: 'PickN' }), path: 'policy.numberOfClusters', reason: 'how many is not said' },
    { wanted: of({ numberOfClusters: 1 }), path: 'policy.numberOfClusters', reason: 'all and a number contradict' },
    { wanted: of({ members: ['a'] }), path: 'policy.members', reason: 'all and names contradict' },
    { wanted: of({ preferences: [] }), path: 'policy.preferences', reason: 'where all are chosen none is preferred' },
    { wanted: of({ placementType: 'PickFixed' }), path: 'policy.members', reason: 'which ones is not said' },
    {
      wanted: of({ placementType: 'PickFixed', members: ['a'], matchLabels: {} }),
      path: 'policy.matchLabels',
      reason: 'names and labels contradict',
    },
    {
      wanted: of({ matchExpressions: [{ key: 'a', operator: 'In' }] }),
      path: 'policy.matchExpressions.0.values',
      reason: 'in what is not said',
    },
    {
      wanted: of({ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] }),
      path: 'policy.matchExpressions.0.values',
      reason: 'presence has no value',
    },
  ])('refuses $path: $reason', ({ wanted, path: at }) => {
    expect(() => checkPlacement(wanted)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', violations: [expect.objectContaining({ path: at })] }),
    );
  });
});

function of(input: JsonObject): WantedPlacement {
  return { namespaces: ['a'], policy: policy(input) };
}

describe('forecast', () => {
  const members = [
    candidateMember(memberClusterObject(MEMBER_1), SAMPLE_TIME),
    candidateMember(
      memberClusterObject(MEMBER_2, { spec: { taints: [{ key: 'maintenance', value: 'yes', effect: 'NoSchedule' }] } }),
      SAMPLE_TIME,
    ),
  ];

  it.each<{
    input: JsonObject | undefined;
    matching: string[];
    unknown?: string[];
    tainted?: string[];
    reason: string;
  }>([
    { input: undefined, matching: [MEMBER_1], tainted: [MEMBER_2], reason: 'a taint keeps away' },
    { input: { tolerations: [{ operator: 'Exists' }] }, matching: [MEMBER_1, MEMBER_2], reason: 'all is tolerated' },
    {
      input: { tolerations: [{ key: 'maintenance', value: 'yes' }] },
      matching: [MEMBER_1, MEMBER_2],
      reason: 'the very taint is tolerated',
    },
    {
      input: { tolerations: [{ key: 'maintenance', value: 'no' }] },
      matching: [MEMBER_1],
      tainted: [MEMBER_2],
      reason: 'another value is not',
    },
    { input: { matchLabels: { 'fleet.azure.com/location': 'westus' } }, matching: [], reason: 'no label fits' },
    {
      input: { matchExpressions: [{ key: 'fleet.azure.com/location', operator: 'In', values: ['eastus'] }] },
      matching: [MEMBER_1],
      tainted: [MEMBER_2],
      reason: 'one of the values',
    },
    {
      input: { matchExpressions: [{ key: 'fleet.azure.com/location', operator: 'NotIn', values: ['eastus'] }] },
      matching: [],
      reason: 'none of the values',
    },
    {
      input: { matchExpressions: [{ key: 'fleet.azure.com/location', operator: 'DoesNotExist' }] },
      matching: [],
      reason: 'the label is there',
    },
    {
      input: { matchExpressions: [{ key: 'none', operator: 'DoesNotExist' }] },
      matching: [MEMBER_1],
      tainted: [MEMBER_2],
      reason: 'the label is not there',
    },
    {
      input: { placementType: 'PickFixed', members: [MEMBER_2, 'demo-aks09'] },
      matching: [MEMBER_2],
      unknown: ['demo-aks09'],
      reason: 'a name counts in spite of taints',
    },
  ])('finds $matching: $reason', ({ input, matching, unknown = [], tainted = [] }) => {
    const found = forecast(input === undefined ? undefined : policy(input), members);
    expect(found.matching.map(({ name }) => name)).toEqual(matching);
    expect(found.unknown).toEqual(unknown);
    expect(found.tainted.map(({ name }) => name)).toEqual(tainted);
  });
});
