import { describe, expect, it } from '@jest/globals';
import { KubernetesId } from './kubernetes-id.js';
import { parseResourceId } from './resource-id.js';

const CLUSTER = '0f2c1a3e-8f5b-5f0e-9b1d-2a6d1c7e4b90';

describe('KubernetesId', () => {
  it.each([
    {
      text: `kubernetes://${CLUSTER}/apps/Deployment/demo/kuard`,
      namespace: 'demo',
      group: 'apps',
      reason: 'of a group',
    },
    {
      text: `kubernetes://${CLUSTER}/core/Pod/demo/kuard-1`,
      namespace: 'demo',
      group: '',
      reason: 'of the core group',
    },
    {
      text: `kubernetes://${CLUSTER}/core/Node/aks-1`,
      namespace: undefined,
      group: '',
      reason: 'of the cluster itself',
    },
    {
      text: `kubernetes://${CLUSTER}/rbac.authorization.k8s.io/ClusterRole/system:Node`,
      namespace: undefined,
      group: 'rbac.authorization.k8s.io',
      reason: 'with a colon and a capital',
    },
  ])('reads and writes an id $reason', ({ text, namespace, group }) => {
    const id = parseResourceId(text);
    expect(id).toMatchObject({ clusterUid: CLUSTER, namespace, group });
    expect(String(id)).toBe(text);
  });

  it('has one uid however the uid of the cluster is written, and another for another case of the name', () => {
    const uidOf = (cluster: string, name: string): string =>
      KubernetesId.parse(`kubernetes://${cluster}/core/Node/${name}`).uid;
    expect(uidOf(CLUSTER.toUpperCase(), 'a')).toBe(uidOf(CLUSTER, 'a'));
    expect(uidOf(CLUSTER, 'A')).not.toBe(uidOf(CLUSTER, 'a'));
  });

  it.each([
    { text: 'kubernetes://', reason: 'nothing in it' },
    { text: 'kubernetes://cluster/core/Pod/a/b', reason: 'a cluster that is no uid' },
    { text: `kubernetes://${CLUSTER}/core/pods/a/b`, reason: 'a plural for a kind' },
    { text: `kubernetes://${CLUSTER}/core/Pod/a/b/c`, reason: 'too many names' },
    { text: `kubernetes://${CLUSTER}/core/Pod`, reason: 'no name' },
    { text: `kubernetes://${CLUSTER}/core/Pod/../b`, reason: 'a relative segment' },
    { text: `kubernetes://${CLUSTER}/core/Pod/a%2Fb/c`, reason: 'an escaped slash' },
    { text: `kubernetes://${CLUSTER}/Apps/Pod/a/b`, reason: 'a group in capitals' },
    { text: `kubernetes://${CLUSTER}/core/Pod/a/${'b'.repeat(254)}`, reason: 'a name that is too long' },
  ])('refuses an id with $reason', ({ text }) => {
    expect(() => parseResourceId(text)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});
