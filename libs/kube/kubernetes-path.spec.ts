import { describe, expect, it } from '@jest/globals';
import { apiResource } from '#libs/testing/fake-kube.js';
import { kubernetesPath } from './kubernetes-path.js';

const pods = apiResource('v1', 'Pod', 'pods');
const deployments = apiResource('apps/v1', 'Deployment', 'deployments');
const nodes = apiResource('v1', 'Node', 'nodes', { namespaced: false });

describe('kubernetesPath', () => {
  it.each([
    {
      path: kubernetesPath(pods, 'demo', 'web'),
      expected: '/api/v1/namespaces/demo/pods/web',
      reason: 'the core group',
    },
    {
      path: kubernetesPath(deployments, 'demo', 'web', 'scale'),
      expected: '/apis/apps/v1/namespaces/demo/deployments/web/scale',
      reason: 'a subresource',
    },
    { path: kubernetesPath(pods, undefined), expected: '/api/v1/pods', reason: 'all namespaces' },
    { path: kubernetesPath(nodes, 'demo', 'n1'), expected: '/api/v1/nodes/n1', reason: 'an object in no namespace' },
    {
      path: kubernetesPath(
        apiResource('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', { namespaced: false }),
        undefined,
        'system:node',
      ),
      expected: '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode',
      reason: 'a name with a colon',
    },
  ])('$expected: $reason', ({ path, expected }) => {
    expect(path).toBe(expected);
  });

  it.each([
    { namespace: 'demo', name: '..', reason: 'a step upwards' },
    { namespace: 'demo', name: 'a/b', reason: 'another path' },
    { namespace: 'demo', name: 'a%2fb', reason: 'another path in disguise' },
    { namespace: '..', name: 'a', reason: 'a step upwards in the namespace' },
    { namespace: 'demo', name: '', reason: 'nothing, which would be the whole collection' },
    { namespace: undefined, name: 'web', reason: 'an object of some namespace' },
  ])('refuses $namespace/$name: $reason', ({ namespace, name }) => {
    expect(() => kubernetesPath(pods, namespace, name)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});
