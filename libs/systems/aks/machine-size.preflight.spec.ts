import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { aksOperation, aksWorld } from '#libs/testing/aks-operation.harness.js';
import { CLUSTER_ID, SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { sizeFindings } from './machine-size.preflight.js';

interface Row {
  pool: JsonObject;
  found: string[];
  reason: string;
  arrange?(arm: FakeArm): void;
}

const ROWS: Row[] = [
  { pool: { vmSize: 'standard_d2S_v5', zones: ['1', '3'] }, found: [], reason: 'however it is written' },
  { pool: { vmSize: 'Standard_A0' }, found: ['VM_SIZE_NOT_OFFERED'], reason: 'the size has retired' },
  { pool: { vmSize: 'Standard_D2s_v3' }, found: ['VM_SIZE_RESTRICTED'], reason: 'not for this subscription' },
  {
    pool: { vmSize: 'Standard_D2s_v4', zones: ['2', '3'] },
    found: ['VM_ZONES_RESTRICTED'],
    reason: 'one zone is full',
  },
  { pool: { vmSize: 'Standard_D2s_v4', zones: ['1', '2'] }, found: [], reason: 'the others are not' },
  { pool: { vmSize: 'Standard_D2s_v4' }, found: [], reason: 'no zone was asked for' },
  { pool: { vmSize: 'Standard_B1s' }, found: ['VM_SIZE_TOO_SMALL'], reason: 'one core, one gigabyte' },
  {
    pool: { vmSize: 'Standard_D2s_v5' },
    found: ['VM_SIZES_UNKNOWN'],
    reason: 'nobody may look',
    arrange: (arm) => {
      arm.answer('GET', /skus$/, refusal(403, 'AuthorizationFailed', 'no'));
    },
  },
];

function world(arrange: Row['arrange']): FakeArm {
  const arm = new FakeArm();
  arrange?.(arm);
  return aksWorld({}, arm);
}

const cluster = (pool: JsonObject) => ({
  subscriptionId: SUBSCRIPTION,
  resourceGroup: 'demo_aks01',
  name: 'new',
  location: 'eastus',
  systemPool: pool,
});
const nodePool = (pool: JsonObject) => ({ cluster: CLUSTER_ID, name: 'extra', mode: 'System', ...pool });

describe('machines that the subscription may not have', () => {
  it.each(ROWS)('$found: $reason', async ({ pool, found, arrange }) => {
    const arm = world(arrange);
    expect(await aksOperation(arm, 'aks.cluster.create', cluster(pool)).findings()).toEqual(found);
    expect(await aksOperation(arm, 'aks.nodePool.create', nodePool(pool)).findings()).toEqual(found);
  });

  it('has a row for each finding', () => {
    expect([...new Set(ROWS.flatMap(({ found }) => found))].sort()).toEqual(Object.keys(sizeFindings).sort());
  });

  it('lets user pools be small', async () => {
    const small = { ...nodePool({ vmSize: 'Standard_B1s' }), mode: 'User' };
    expect(await aksOperation(aksWorld(), 'aks.nodePool.create', small).findings()).toEqual([]);
  });

  it('names sizes that are as large and can be had', async () => {
    const { operation, context } = aksOperation(
      aksWorld(),
      'aks.cluster.create',
      cluster({ vmSize: 'Standard_D2s_v3' }),
    );
    const [finding] = await operation.preflight(context);
    expect(finding?.evidence.instead).toEqual(['Standard_D2s_v5', 'Standard_D2s_v4']);
  });
});
