import { describe, expect, it } from '@jest/globals';
import type { Sql } from '#libs/database/sql.js';
import { ApprovalPolicy } from './approval.policy.js';

const SUBSCRIPTION = '/subscriptions/11111111-2222-3333-4444-555555555555';
const PRODUCTION = `${SUBSCRIPTION}/resourceGroups/Production`;
const CLUSTER = `${PRODUCTION}/providers/Microsoft.ContainerService/managedClusters/aks-1`;
const CLUSTER_UID = '0d9c1d8e-1d0b-4c57-9c1b-000000000001';
const ATTACHED_UID = '0d9c1d8e-1d0b-4c57-9c1b-000000000002';
const WORKLOAD = `kubernetes://${CLUSTER_UID}/apps/Deployment/shop/web`;
const FLEET = `${SUBSCRIPTION}/resourceGroups/fleets/providers/Microsoft.ContainerService/fleets/f1`;

const noSql: Sql = { query: () => Promise.reject(new Error('The policy asks only its port.')) };

function policy(...rules: [type: string, scope: string | null][]): ApprovalPolicy {
  const approvals = rules.map(([type, scope]) => ({
    text: `${type}@${scope}`,
    type,
    scope: scope?.toLowerCase() ?? null,
  }));
  return new ApprovalPolicy({ approvals, approvalHours: 24 }, (uid) =>
    Promise.resolve(uid === CLUSTER_UID ? CLUSTER : undefined),
  );
}

describe('ApprovalPolicy', () => {
  it.each<{ reason: string; rule: [string, string | null]; type: string; touched: string[]; asks: boolean }>([
    { reason: 'the type itself', rule: ['fleet.delete', null], type: 'fleet.delete', touched: [FLEET], asks: true },
    { reason: 'another type', rule: ['fleet.delete', null], type: 'fleet.create', touched: [FLEET], asks: false },
    { reason: 'a family of types', rule: ['fleet.*', null], type: 'fleet.member.join', touched: [FLEET], asks: true },
    {
      reason: 'a family is not what its name begins with',
      rule: ['fleet.*', null],
      type: 'fleets.x',
      touched: [FLEET],
      asks: false,
    },
    { reason: 'everything', rule: ['*', null], type: 'aks.nodePool.scale', touched: [CLUSTER], asks: true },
    {
      reason: 'in the scope, in another case',
      rule: ['*', PRODUCTION],
      type: 'aks.nodePool.scale',
      touched: [`${CLUSTER}/agentPools/a`],
      asks: true,
    },
    { reason: 'the scope itself', rule: ['*', CLUSTER], type: 'aks.cluster.stop', touched: [CLUSTER], asks: true },
    {
      reason: 'a name that only begins like the scope',
      rule: ['*', CLUSTER],
      type: 'aks.cluster.stop',
      touched: [`${CLUSTER}0`],
      asks: false,
    },
    { reason: 'elsewhere', rule: ['*', PRODUCTION], type: 'fleet.delete', touched: [FLEET], asks: false },
    {
      reason: 'what is only named by the input counts',
      rule: ['*', PRODUCTION],
      type: 'fleet.member.join',
      touched: [FLEET, CLUSTER],
      asks: true,
    },
    {
      reason: 'an object in a cluster of the scope',
      rule: ['*', PRODUCTION],
      type: 'kubernetes.workload.scale',
      touched: [WORKLOAD],
      asks: true,
    },
    {
      reason: 'an object of an attached cluster',
      rule: ['*', `kubernetes://${ATTACHED_UID}`],
      type: 'kubernetes.workload.scale',
      touched: [WORKLOAD.replace(CLUSTER_UID, ATTACHED_UID)],
      asks: true,
    },
    {
      reason: 'an object of a cluster that nobody knows',
      rule: ['*', PRODUCTION],
      type: 'kubernetes.workload.scale',
      touched: [WORKLOAD.replace(CLUSTER_UID, ATTACHED_UID)],
      asks: false,
    },
    {
      reason: 'in the scope, of another type',
      rule: ['fleet.*', PRODUCTION],
      type: 'aks.nodePool.scale',
      touched: [CLUSTER],
      asks: false,
    },
  ])('asks or not: $reason', async ({ rule, type, touched, asks }) => {
    const found = await policy(rule).ruleFor(
      type,
      touched.map((id) => ({ id })),
      noSql,
    );
    expect(found !== undefined).toBe(asks);
  });

  it('names the rule that asks', async () => {
    const found = await policy(['fleet.create', null], ['fleet.delete', FLEET]).ruleFor(
      'fleet.delete',
      [{ id: FLEET }],
      noSql,
    );
    expect(found?.text).toBe(`fleet.delete@${FLEET}`);
  });
});
