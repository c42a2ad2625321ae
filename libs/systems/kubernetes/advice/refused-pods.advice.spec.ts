import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { heldOnHubAdvice } from './held-on-hub.advice.js';
import { refusedPodsAdvice } from './refused-pods.advice.js';

const ID = 'kubernetes://c/apps/Deployment/web/web';

function workloadOf(message: string | null, replicas = 3, made = 0): JsonObject {
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: message ?? '' };
  return { spec: { replicas }, status: { replicas: made, conditions: message === null ? [] : [failure] } };
}

describe('workloads whose pods are refused', () => {
  it.each<{ workload: JsonObject; events?: string[]; found: string[]; reason: string }>([
    {
      workload: workloadOf('pods "web-1" is forbidden: exceeded quota: small, requested: pods=1'),
      found: ['PODS_OVER_QUOTA'],
      reason: 'the quota is used up',
    },
    {
      workload: workloadOf('pods "web-1" is forbidden: maximum memory usage per Container is 1Gi'),
      found: ['PODS_OUTSIDE_LIMITS'],
      reason: 'a container is too large',
    },
    {
      workload: workloadOf('pods "web-1" is forbidden: violates PodSecurity "restricted:latest"'),
      found: ['PODS_VIOLATE_SECURITY'],
      reason: 'a standard is not kept',
    },
    {
      workload: workloadOf(
        'pods "web-" is forbidden: error looking up service account web/a: serviceaccount "a" not found',
      ),
      found: ['PODS_NEED_SERVICE_ACCOUNT'],
      reason: 'the account is missing',
    },
    { workload: workloadOf('admission webhook "w" denied the request'), found: ['PODS_REFUSED'], reason: 'a webhook' },
    {
      workload: workloadOf(null),
      events: ['Error creating: exceeded quota'],
      found: ['PODS_OVER_QUOTA'],
      reason: 'only the events say it',
    },
    { workload: workloadOf(null), found: [], reason: 'nobody says anything' },
    { workload: workloadOf(null, 3, 3), events: ['exceeded quota'], found: [], reason: 'all are there by now' },
  ])('$found: $reason', ({ workload, events = [], found }) => {
    const advice = refusedPodsAdvice({ workload, id: ID, failedCreates: events });
    expect(advice.map(({ code }) => code)).toEqual(found);
  });

  it('offers to want as many as the quota allows', () => {
    const [advice] = refusedPodsAdvice({ workload: workloadOf('exceeded quota', 5, 2), id: ID, failedCreates: [] });
    expect(advice?.remedies.flatMap(({ operations }) => operations)).toEqual([
      { type: 'kubernetes.workload.scale', input: { workload: ID, replicas: 2 } },
    ]);
  });
});

it.each([
  { held: true, found: ['HELD_ON_HUB'] },
  { held: false, found: [] },
])('what a hub holds is held by design: $found', ({ held, found }) => {
  expect(heldOnHubAdvice(held, 'web').map(({ code, severity }) => [code, severity])).toEqual(
    found.map((code) => [code, 'info']),
  );
});
