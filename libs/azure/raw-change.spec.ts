import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { changedBody, memberObject } from './raw-change.js';

const pool = ArmId.parse(
  '/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg/providers/Microsoft.ContainerService/ManagedClusters/c/agentPools/p',
);

describe('changedBody', () => {
  const observed = {
    id: pool.toString(),
    systemData: { createdBy: 'x' },
    futureSibling: [1, { a: null }],
    properties: {
      count: 1,
      provisioningState: 'Succeeded',
      currentOrchestratorVersion: '1.33.5',
      eTag: '"1"',
      futureField: { nested: { deep: true } },
      upgradeSettings: { maxSurge: '10%', futureNested: 'kept' },
    },
  };

  it('keeps everything that it does not know, at every depth', () => {
    const body = changedBody(pool, observed, (draft) => {
      memberObject(draft, 'properties').count = 3;
    });
    expect(body).toEqual({
      id: pool.toString(),
      futureSibling: [1, { a: null }],
      properties: {
        count: 3,
        futureField: { nested: { deep: true } },
        upgradeSettings: { maxSurge: '10%', futureNested: 'kept' },
      },
    });
  });

  it('leaves what was read as it was: it is compared and cached afterwards', () => {
    const before = structuredClone(observed);
    changedBody(pool, observed, (draft) => {
      memberObject(memberObject(draft, 'properties'), 'upgradeSettings').maxSurge = '50%';
    });
    expect(observed).toEqual(before);
  });

  it('finds the list of read-only members in any case of the id', () => {
    const upper = ArmId.parse(pool.toString().toUpperCase().replace('/SUBSCRIPTIONS', '/subscriptions'));
    expect(changedBody(upper, observed, () => undefined).properties).not.toHaveProperty('provisioningState');
  });
});
