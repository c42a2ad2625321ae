import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { classifyArmError, failedOperationError } from './arm-error.classifier.js';

const SUBSCRIPTION = '/subscriptions/00000000-0000-0000-0000-000000000001';
const AUTHORIZATION = `${SUBSCRIPTION}/providers/Microsoft.Authorization`;
const POLICY = {
  code: 'RequestDisallowedByPolicy',
  message: "Resource 'aks1' was disallowed by policy.",
  additionalInfo: [
    {
      type: 'PolicyViolation',
      info: {
        policyDefinitionDisplayName: 'Allowed locations',
        policyDefinitionId: `${AUTHORIZATION}/policyDefinitions/locations`,
        policyAssignmentId: `${AUTHORIZATION}/policyAssignments/europe`,
        policyAssignmentParameters: { listOfAllowedLocations: ['westeurope'] },
      },
    },
  ],
};
const NAMED = {
  name: 'Allowed locations',
  definition: `${AUTHORIZATION}/policyDefinitions/locations`,
  assignment: `${AUTHORIZATION}/policyAssignments/europe`,
};
const LOCKED = (scopes: string): JsonObject => ({
  code: 'ScopeLocked',
  message: `The scope '${SUBSCRIPTION}/resourceGroups/a/providers/x/y/z' cannot perform delete operation because following scope(s) are locked: ${scopes}. Please remove the lock and try again.`,
});

describe('who of the rules of the owner has refused a request', () => {
  it.each<{ reason: string; error: JsonObject; diagnosis: { code: string; evidence: JsonObject } | undefined }>([
    {
      reason: 'a policy',
      error: POLICY,
      diagnosis: { code: 'POLICY_FORBIDS', evidence: { policies: [NAMED] } },
    },
    {
      reason: 'a policy about a part of the request',
      error: { code: 'DeploymentFailed', message: '', details: [POLICY] },
      diagnosis: { code: 'POLICY_FORBIDS', evidence: { policies: [NAMED] } },
    },
    {
      reason: 'a policy that is not named',
      error: { code: 'RequestDisallowedByPolicy', message: 'no' },
      diagnosis: { code: 'POLICY_FORBIDS', evidence: { policies: [] } },
    },
    {
      reason: 'a lock',
      error: LOCKED(`'${SUBSCRIPTION}/resourceGroups/a'`),
      diagnosis: { code: 'SCOPE_LOCKED', evidence: { lockedScopes: [`${SUBSCRIPTION}/resourceGroups/a`] } },
    },
    {
      reason: 'two locks',
      error: LOCKED(`'${SUBSCRIPTION}/resourceGroups/a,${SUBSCRIPTION}'`),
      diagnosis: {
        code: 'SCOPE_LOCKED',
        evidence: { lockedScopes: [`${SUBSCRIPTION}/resourceGroups/a`, SUBSCRIPTION] },
      },
    },
    { reason: 'none of them', error: { code: 'QuotaExceeded', message: '' }, diagnosis: undefined },
  ])('$reason', ({ error, diagnosis }) => {
    const refusal = { status: 403, headers: new Map<string, string>(), action: 'PUT x', now: new Date(0) };
    const body = { error };
    const told = [
      classifyArmError({ ...refusal, body }),
      classifyArmError({ ...refusal, body: JSON.stringify(body) }),
      failedOperationError('PUT x', body),
    ];
    for (const { diagnosis: given } of told) {
      if (diagnosis === undefined) expect(given).toBeUndefined();
      else expect(given).toMatchObject(diagnosis);
    }
  });
});
