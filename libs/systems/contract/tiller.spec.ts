import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { isRefusalOfTiller, isTillerWithoutRights } from './tiller.js';

const tiller = (spec: JsonObject, name = 'tiller-deploy', namespace = 'kube-system'): JsonObject => ({
  metadata: { name, namespace },
  spec: { template: { spec } },
});

describe('a Tiller without rights', () => {
  it.each<{ deployment: JsonObject; is: boolean; reason: string }>([
    { deployment: tiller({}), is: true, reason: 'helm init alone' },
    { deployment: tiller({ serviceAccount: 'default' }), is: true, reason: 'the default account by its name' },
    { deployment: tiller({ serviceAccountName: 'tiller', serviceAccount: 'tiller' }), is: false, reason: 'its own' },
    { deployment: tiller({ serviceAccount: 'tiller' }), is: false, reason: 'its own, as it was named before' },
    { deployment: tiller({}, 'web'), is: false, reason: 'something else' },
    { deployment: tiller({}, 'tiller-deploy', 'team'), is: false, reason: 'one for a namespace' },
    { deployment: {}, is: false, reason: 'nothing' },
  ])('$is: $reason', ({ deployment, is }) => {
    expect(isTillerWithoutRights(deployment)).toBe(is);
  });
});

describe('what Helm says then', () => {
  it.each([
    {
      text: 'Error: release myconnector-linux-westus failed: namespaces "default" is forbidden: User "system:serviceaccount:kube-system:default" cannot get namespaces in the namespace "default"',
      is: true,
      reason: 'the connector is installed',
    },
    {
      text: 'Error: configmaps is forbidden: User "system:serviceaccount:kube-system:default" cannot list configmaps in the namespace "kube-system"',
      is: true,
      reason: 'releases are listed',
    },
    {
      text: 'namespaces "default" is forbidden: User "system:serviceaccount:web:default" cannot get namespaces in the namespace "default"',
      is: false,
      reason: 'somebody else has no rights',
    },
    { text: 'Error: could not find tiller', is: false, reason: 'there is no Tiller' },
  ])('$is: $reason', ({ text, is }) => {
    expect(isRefusalOfTiller(text)).toBe(is);
  });
});
