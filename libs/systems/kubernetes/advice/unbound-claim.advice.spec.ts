import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { storageClass } from '#libs/testing/kubernetes-samples.js';
import type { KnownObject } from '../../contract/advice.js';
import { claimNamesOf, unboundClaimAdvice } from './unbound-claim.advice.js';

const pod = {
  spec: {
    volumes: [
      { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'e', emptyDir: {} },
    ],
  },
  status: {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
      },
    ],
  },
};

function classOf(name: string, isDefault = false, change: JsonObject = {}): KnownObject {
  const annotations = { 'storageclass.kubernetes.io/is-default-class': String(isDefault) };
  const properties = { ...storageClass(name), metadata: { name, annotations }, ...change };
  return { uid: name, id: `/${name}`, kind: 'StorageClass', name, clusterUid: 'c', namespace: null, properties };
}

const claimOf = (storageClassName: string | null, phase = 'Pending'): JsonObject => ({
  spec: storageClassName === null ? {} : { storageClassName },
  status: { phase },
});
const late = { volumeBindingMode: 'WaitForFirstConsumer' };

describe('pods whose volume claims are not bound', () => {
  it.each<{
    claim?: JsonObject;
    classes?: KnownObject[];
    warning?: string;
    object?: JsonObject;
    found: string[];
    reason: string;
  }>([
    { found: ['CLAIM_NOT_FOUND'], reason: 'there is no claim' },
    { claim: claimOf('fast', 'Bound'), found: [], reason: 'it is bound' },
    { claim: claimOf('fast'), found: ['STORAGE_CLASS_NOT_FOUND'], reason: 'there is no such class' },
    { claim: claimOf('none', 'Pending'), classes: [], found: ['STORAGE_CLASS_NOT_FOUND'], reason: 'nor any other' },
    { claim: claimOf(null), found: ['CLAIM_WITHOUT_CLASS'], reason: 'there is no default class' },
    { claim: claimOf(null), classes: [classOf('default', true)], found: ['CLAIM_NOT_BOUND'], reason: 'it waits' },
    { claim: claimOf('slow'), found: ['CLAIM_NOT_BOUND'], reason: 'its driver has made none' },
    {
      claim: claimOf('slow'),
      classes: [classOf('slow', false, late)],
      found: [],
      reason: 'it is bound when the pod has a place',
    },
    {
      claim: claimOf('slow'),
      classes: [classOf('slow', false, late)],
      warning: 'quota of disks exceeded',
      found: ['CLAIM_NOT_BOUND'],
      reason: 'its driver has failed',
    },
    { object: { spec: {}, status: {} }, found: [], reason: 'the pod does not wait for one' },
  ])('$found: $reason', ({ claim, classes = [classOf('slow')], warning = null, object = pod, found }) => {
    const claims = [{ name: 'data', claim, warning }];
    const advice = unboundClaimAdvice({ pod: object, cluster: 'c', namespace: 'web', claims, classes });
    expect(advice.map(({ code }) => code)).toEqual(found);
  });

  it('makes the missing class like the default one, and a missing claim in it', () => {
    const classes = [classOf('slow'), classOf('usual', true)];
    const situation = { pod, cluster: 'c', namespace: 'web', classes };
    const [missing] = unboundClaimAdvice({
      ...situation,
      claims: [{ name: 'data', claim: claimOf('fast'), warning: null }],
    });
    expect(missing?.remedies[0]?.operations).toMatchObject([
      { type: 'kubernetes.storageClass.create', input: { cluster: 'c', name: 'fast' } },
    ]);
    const [absent] = unboundClaimAdvice({ ...situation, claims: [{ name: 'data', claim: undefined, warning: null }] });
    const [operation] = absent?.remedies[0]?.operations ?? [];
    expect(operation?.type).toBe('kubernetes.manifest.apply');
    expect(JSON.parse((operation?.input as { manifest: string }).manifest)).toMatchObject({
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'web' },
      spec: { storageClassName: 'usual' },
    });
  });

  it('knows the claims of a pod by name', () => {
    expect(claimNamesOf(pod)).toEqual(['data']);
  });
});
