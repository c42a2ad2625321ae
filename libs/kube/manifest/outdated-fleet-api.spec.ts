import { readFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import type { JsonObject } from '#libs/kernel/json.js';
import { findOutdatedFleetDocument, outdatedNetworking } from './outdated-fleet-api.js';

const terms = [{ labelSelector: { matchLabels: { 'fleet.azure.com/location': 'eastus' } } }];
const selectors = [{ group: '', version: 'v1', kind: 'Namespace', name: 'kuard-demo' }];
const today = 'placement.kubernetes-fleet.io/v1';

function placement(apiVersion: string, policy?: JsonObject): JsonObject {
  const spec = { resourceSelectors: selectors, ...(policy === undefined ? {} : { policy }) };
  return { apiVersion, kind: 'ClusterResourcePlacement', metadata: { name: 'kuard-demo' }, spec };
}

function replacementOf(object: JsonObject): JsonObject | undefined {
  const text = findOutdatedFleetDocument(object)?.replacement;
  return typeof text === 'string' ? (load(text) as JsonObject) : undefined;
}

const required = { requiredDuringSchedulingIgnoredDuringExecution: { clusterSelectorTerms: terms } };
const oldPolicy = { affinity: { clusterAffinity: { clusterSelectorTerms: terms } } };
const newPolicy = { placementType: 'PickAll', affinity: { clusterAffinity: required } };

describe('documents of the preview of Fleet Manager', () => {
  it.each<{ before: JsonObject; code: string; after: JsonObject; reason: string }>([
    {
      before: placement('fleet.azure.com/v1alpha1', oldPolicy),
      code: 'OUTDATED_FLEET_API',
      after: placement(today, newPolicy),
      reason: 'a placement by labels',
    },
    {
      before: placement('fleet.azure.com/v1alpha1'),
      code: 'OUTDATED_FLEET_API',
      after: placement(today),
      reason: 'a placement on every member',
    },
    {
      before: placement('fleet.azure.com/v1alpha1', { clusterNames: ['aks01'], ...oldPolicy }),
      code: 'OUTDATED_FLEET_API',
      after: placement(today, { placementType: 'PickFixed', clusterNames: ['aks01'] }),
      reason: 'names went before labels',
    },
    {
      before: placement('fleet.azure.com/v1alpha1', { clusterNames: [], ...oldPolicy }),
      code: 'OUTDATED_FLEET_API',
      after: placement(today, newPolicy),
      reason: 'no names are none',
    },
    {
      before: placement(today, oldPolicy),
      code: 'OUTDATED_PLACEMENT_SHAPE',
      after: placement(today, newPolicy),
      reason: 'the old shape under the API of today',
    },
    {
      before: placement('placement.kubernetes-fleet.io/v1beta1', {
        placementType: 'PickN',
        numberOfClusters: 2,
        ...oldPolicy,
      }),
      code: 'OUTDATED_PLACEMENT_SHAPE',
      after: placement(today, { placementType: 'PickN', numberOfClusters: 2, affinity: { clusterAffinity: required } }),
      reason: 'what else the policy says stays',
    },
    {
      before: placement(today, {
        affinity: { clusterAffinity: { clusterSelectorTerms: [{ labelSelector: {} }], ...required } },
      }),
      code: 'OUTDATED_PLACEMENT_SHAPE',
      after: placement(today, newPolicy),
      reason: 'where both shapes are there, only the new one counts for a hub',
    },
    {
      before: {
        apiVersion: 'fleet.azure.com/v1alpha1',
        kind: 'MemberCluster',
        metadata: { name: 'aks01' },
        spec: { state: 'Join', identity: { kind: 'User', name: 'x' }, heartbeatPeriodSeconds: 15 },
      },
      code: 'OUTDATED_FLEET_API',
      after: {
        apiVersion: 'cluster.kubernetes-fleet.io/v1',
        kind: 'MemberCluster',
        metadata: { name: 'aks01' },
        spec: { identity: { kind: 'User', name: 'x' }, heartbeatPeriodSeconds: 15 },
      },
      reason: 'a member, whose state is no longer said',
    },
  ])('$code: $reason', ({ before, code, after }) => {
    expect(findOutdatedFleetDocument(before)).toMatchObject({ code });
    expect(replacementOf(before)).toEqual(after);
  });

  it('leaves out of the replacement what only servers write', () => {
    const stored = placement(today, oldPolicy);
    stored.metadata = { name: 'kuard-demo', labels: { a: 'b' }, resourceVersion: '5', uid: 'u', managedFields: [] };
    stored.status = { conditions: [] };
    expect(replacementOf(stored)).toEqual({
      ...placement(today, newPolicy),
      metadata: { name: 'kuard-demo', labels: { a: 'b' } },
    });
  });

  it('knows no equivalent of what is gone altogether', () => {
    const object = { apiVersion: 'fleet.azure.com/v1alpha1', kind: 'Other', metadata: { name: 'o' } };
    expect(findOutdatedFleetDocument(object)).toMatchObject({ code: 'OUTDATED_FLEET_API', replacement: null });
  });

  it.each<{ object: JsonObject; reason: string }>([
    { object: placement(today, newPolicy), reason: 'a placement of today' },
    { object: placement(today), reason: 'a placement on every member' },
    {
      object: { apiVersion: 'networking.fleet.azure.com/v1alpha1', kind: 'ServiceExport', metadata: { name: 's' } },
      reason: 'networking has kept its group',
    },
    {
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'fleet.azure.com' } },
      reason: 'something else',
    },
    { object: { kind: 'ClusterResourcePlacement' }, reason: 'no apiVersion' },
    { object: { apiVersion: today, kind: 'ClusterResourcePlacement', spec: { policy: 5 } }, reason: 'any nonsense' },
  ])('says nothing of $reason', ({ object }) => {
    expect(findOutdatedFleetDocument(object)).toBeUndefined();
  });

  it('answers a version of Fleet networking that is not served with the one that is', () => {
    const object = {
      apiVersion: 'networking.fleet.azure.com/v1alpha1',
      kind: 'ServiceExport',
      metadata: { name: 's' },
    };
    const served = { group: 'networking.fleet.azure.com', version: 'v1beta1', kind: 'ServiceExport' };
    const resource = { ...served, plural: 'serviceexports', namespaced: true, verbs: [], subresources: [] };
    const outdated = outdatedNetworking(object, resource);
    expect(load(outdated?.replacement ?? '')).toEqual({ ...object, apiVersion: 'networking.fleet.azure.com/v1beta1' });
    expect(outdatedNetworking(object, { ...resource, group: 'apps' })).toBeUndefined();
  });
});

describe('what a real hub was seen to answer', () => {
  const recordings = path.resolve(import.meta.dirname, '../../../../shared/recordings/fleet-hub');
  const recorded = existsSync(recordings) ? it : it.skip;
  const note = existsSync(recordings) ? '' : ' (skipped: the recordings of ../shared are not there)';

  recorded(`refuses what the hub took with a warning, and would have placed everywhere${note}`, () => {
    const text = readFileSync(path.join(recordings, '16-create-crp-old-shape-warns.json'), 'utf8');
    const { request, response } = JSON.parse(text) as {
      request: { body: JsonObject };
      response: { body: { spec: JsonObject } };
    };
    expect(response.body.spec.policy).toEqual({ affinity: { clusterAffinity: {} }, placementType: 'PickAll' });
    expect(findOutdatedFleetDocument(request.body)?.code).toBe('OUTDATED_PLACEMENT_SHAPE');
  });

  recorded(`recognises what the hub does not know at all${note}`, () => {
    const text = readFileSync(path.join(recordings, '23-create-old-api-crp.json'), 'utf8');
    const { request, response } = JSON.parse(text) as { request: { body: JsonObject }; response: { status: number } };
    expect(response.status).toBe(404);
    expect(findOutdatedFleetDocument(request.body)?.code).toBe('OUTDATED_FLEET_API');
  });
});
