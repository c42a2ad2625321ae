import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { deployment, statefulSet, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { KubernetesClient } from '../kubernetes.client.js';
import { WorkloadAdvisor } from './workload.advisor.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const { uid } = watchedCluster();
const none = { spec: { replicas: 3 }, status: { replicas: 0, conditions: [] } };

function eventOn(kind: string, name: string, message: string): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.1`, namespace: 'web' },
    involvedObject: { kind, name, namespace: 'web' },
    reason: 'FailedCreate',
    type: 'Warning',
    message,
  };
}

const set: KubernetesObject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web-1', namespace: 'web', ownerReferences: [{ kind: 'Deployment', name: 'web' }] },
};

function advise(object: KubernetesObject, others: KubernetesObject[], onHub = false) {
  const kube = new FakeKube();
  const cluster = kube.cluster(uid).add(...others);
  if (!onHub) cluster.withdraw(PLACEMENT);
  const { name } = object.metadata;
  const { namespace = 'web' } = object.metadata;
  const id = `kubernetes://${uid}/apps/${object.kind}/${namespace}/${name}`;
  const known = {
    uid: name,
    id,
    kind: 'Workload',
    name,
    clusterUid: uid,
    namespace,
    properties: object as JsonObject,
  };
  const context = {
    signal: new AbortController().signal,
    correlationId: 'c',
    inCluster: () => Promise.resolve([]),
  };
  return new WorkloadAdvisor(new KubernetesClient(kube)).advise(known, context);
}

describe('the advisor of workloads', () => {
  it('reads the events of the replica sets of a Deployment', async () => {
    const advice = await advise(deployment('web', none), [
      set,
      eventOn('ReplicaSet', 'web-1', 'exceeded quota: small'),
    ]);
    expect(advice).toMatchObject([{ code: 'PODS_OVER_QUOTA', evidence: { message: 'exceeded quota: small' } }]);
  });

  it('reads the events of what makes its pods itself', async () => {
    const advice = await advise(statefulSet('db', none), [eventOn('StatefulSet', 'db', 'denied the request')]);
    expect(advice).toMatchObject([{ code: 'PODS_REFUSED' }]);
  });

  it('says of a workload on a hub that it is held by design', async () => {
    const advice = await advise(deployment('web', none), [], true);
    expect(advice).toMatchObject([{ code: 'HELD_ON_HUB', severity: 'info' }]);
  });

  it.each([
    { serviceAccountName: undefined, found: ['TILLER_WITHOUT_RIGHTS'], reason: 'it has no account of its own' },
    { serviceAccountName: 'tiller', found: [], reason: 'it has one' },
  ])('$found of Tiller: $reason', async ({ serviceAccountName, found }) => {
    const spec = serviceAccountName === undefined ? {} : { serviceAccountName };
    const tiller = deployment('tiller-deploy', {
      metadata: { namespace: 'kube-system' },
      spec: { replicas: 1, template: { spec } },
      status: { replicas: 1, conditions: [] },
    });
    expect((await advise(tiller, [])).map(({ code }) => code)).toEqual(found);
  });

  it('has nothing to say of a workload that has its pods', async () => {
    const full = { spec: { replicas: 1 }, status: { replicas: 1, conditions: [] } };
    expect(await advise(deployment('web', full), [set, eventOn('ReplicaSet', 'web-1', 'exceeded quota')])).toEqual([]);
  });
});
