import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import type { PatchFault } from './patch.error.js';
import { SchemaCatalog } from './schema.catalog.js';
import { applyStrategicMergePatch } from './strategic-merge-patch.js';

const catalog = new SchemaCatalog();
const pod = catalog.find('', 'v1', 'Pod')!;
const deployment = catalog.find('apps', 'v1', 'Deployment')!;

/** The same for the specification of a pod. */
function patchedPod(spec: JsonObject, patch: JsonObject): JsonObject {
  return applyStrategicMergePatch(pod, { spec }, { spec: patch }).spec as JsonObject;
}

describe('applyStrategicMergePatch', () => {
  const two = {
    containers: [
      { name: 'a', image: '1' },
      { name: 'b', image: '2' },
    ],
  };
  const patches: { spec: JsonObject; patch: JsonObject; result: JsonObject; reason: string }[] = [
    {
      spec: two,
      patch: { containers: [{ name: 'b', image: '3' }] },
      result: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '3' },
        ],
      },
      reason: 'an item is found by its key',
    },
    {
      spec: two,
      patch: { containers: [{ name: 'c', image: '3' }] },
      result: {
        containers: [
          { name: 'c', image: '3' },
          { name: 'a', image: '1' },
          { name: 'b', image: '2' },
        ],
      },
      reason: 'what is new comes first, as kubectl shows it',
    },
    {
      spec: two,
      patch: { containers: [{ name: 'a', $patch: 'delete' }] },
      result: { containers: [{ name: 'b', image: '2' }] },
      reason: 'an item is removed',
    },
    {
      spec: two,
      patch: { containers: [{ name: 'z', image: '9' }, { $patch: 'replace' }] },
      result: { containers: [{ name: 'z', image: '9' }] },
      reason: 'the list is replaced',
    },
    {
      spec: two,
      patch: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
      result: {
        containers: [
          { name: 'b', image: '2' },
          { name: 'a', image: '1' },
        ],
      },
      reason: 'only the order changes',
    },
    {
      spec: two,
      patch: {
        '$setElementOrder/containers': [{ name: 'a' }, { name: 'n' }, { name: 'b' }],
        containers: [{ name: 'n', image: '0' }],
      },
      result: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'n', image: '0' },
          { name: 'b', image: '2' },
        ],
      },
      reason: 'a new item at its place',
    },
    {
      spec: { tolerations: [{ key: 'a' }] },
      patch: { tolerations: [{ key: 'b' }] },
      result: { tolerations: [{ key: 'b' }] },
      reason: 'a list without a merge key is replaced',
    },
    {
      spec: { volumes: [{ name: 'v', emptyDir: {} }] },
      patch: { volumes: [{ name: 'v', hostPath: { path: '/x' }, $retainKeys: ['name', 'hostPath'] }] },
      result: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
      reason: 'the source of a volume is exchanged',
    },
    {
      spec: { securityContext: { runAsUser: 1 } },
      patch: { securityContext: { $patch: 'replace', runAsGroup: 2 } },
      result: { securityContext: { runAsGroup: 2 } },
      reason: 'an object is replaced',
    },
    {
      spec: { nodeName: 'n', hostname: 'h' },
      patch: { nodeName: null },
      result: { hostname: 'h' },
      reason: 'null removes',
    },
    {
      spec: {},
      patch: {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', $patch: 'delete' },
            ],
          },
        ],
      },
      result: { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }] }] },
      reason: 'directives are not stored',
    },
  ];
  it.each(patches)('$reason', ({ spec, patch, result }) => {
    const before = structuredClone({ spec, patch });
    expect(patchedPod(spec, patch)).toEqual(result);
    expect({ spec, patch }).toEqual(before);
  });

  it('merges and thins out lists of texts', () => {
    const object = { metadata: { finalizers: ['a', 'b'] } };
    expect(applyStrategicMergePatch(pod, object, { metadata: { finalizers: ['c', 'a'] } })).toEqual({
      metadata: { finalizers: ['c', 'a', 'b'] },
    });
    expect(
      applyStrategicMergePatch(pod, object, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }),
    ).toEqual({ metadata: { finalizers: ['b'] } });
  });

  it('keeps of a deployment’s strategy what is named', () => {
    const object = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMergePatch(deployment, object, patch)).toEqual({ spec: { strategy: { type: 'Recreate' } } });
  });

  const refusals: { patch: unknown; fault: PatchFault; reason: string }[] = [
    { patch: [], fault: 'malformed', reason: 'no object' },
    { patch: { spec: { $patch: 'fly' } }, fault: 'malformed', reason: 'no such directive' },
    { patch: { spec: { containers: [{ image: '1' }] } }, fault: 'unprocessable', reason: 'no merge key' },
    { patch: { spec: { containers: ['a'] } }, fault: 'malformed', reason: 'no object in the list' },
    { patch: { spec: { '$setElementOrder/containers': 'a' } }, fault: 'malformed', reason: 'no list of an order' },
    {
      patch: { spec: { $retainKeys: ['a'], nodeName: 'n' } },
      fault: 'malformed',
      reason: 'sets what it does not retain',
    },
  ];
  it.each(refusals)('refuses $patch: $reason', ({ patch, fault }) => {
    const object = { spec: { containers: [{ name: 'a' }] } };
    expect(() => applyStrategicMergePatch(pod, object, patch)).toThrow(expect.objectContaining({ fault }));
  });
});
