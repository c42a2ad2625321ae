import { describe, expect, it } from '@jest/globals';
import { auditHash, CHAIN_START, type AuditEvent } from '#libs/audit/audit.event.js';
import type { FaultEvidence } from './fault-evidence.js';
import { FAULT_PROOFS, proveAll } from './fault-proofs.js';

const POOL = '/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/c/agentpools/p';
const OTHER = POOL.replace(/p$/, 'q');
const END = 5_000;

function auditEvents(
  entries: { action: string; outcome: AuditEvent['outcome']; operationId: string | null }[],
): AuditEvent[] {
  const events: AuditEvent[] = [];
  for (const [index, entry] of entries.entries()) {
    const unhashed = {
      ...entry,
      sequence: index + 1,
      at: new Date(1_000 + index).toISOString(),
      principalId: 'somebody',
      principalName: 'somebody',
      operationType: 'aks.nodePool.scale',
      target: null,
      correlationId: 'c',
      details: {},
      previousHash: events.at(-1)?.hash ?? CHAIN_START,
    };
    events.push({ ...unhashed, hash: auditHash(unhashed) });
  }
  return events;
}

/** A scaling that succeeded and one that was canceled before it did anything: nothing speaks against them. */
function soundEvidence(): FaultEvidence {
  const state = () => ({ pools: { [POOL]: 3, [OTHER]: 1 }, members: [], fleets: [], replicas: {}, cordoned: {} });
  const asked = { type: 'aks.nodePool.scale', refused: false, cancelAsked: false };
  const stored = { type: 'aks.nodePool.scale', lockKey: '/c', errorCode: null, startedAt: 1_000, endedAt: END };
  return {
    asked: [
      { ...asked, key: 'one', input: { count: 3 }, ids: ['op-1', 'op-1'] },
      { ...asked, key: 'two', input: { count: 9 }, ids: ['op-2'] },
    ],
    operations: [
      {
        ...stored,
        id: 'op-1',
        key: 'one',
        status: 'Succeeded',
        correlationId: 'c-1',
        targetId: POOL,
        input: { count: 3 },
        message: 'The target is in the wanted state.',
        steps: [{ name: 'scale', status: 'Succeeded' }],
        events: [
          { sequence: 1, status: 'Pending', steps: { scale: 'Pending' } },
          { sequence: 2, status: 'Running', steps: { scale: 'Running' } },
          { sequence: 3, status: 'Waiting', steps: { scale: 'Waiting' } },
          { sequence: 4, status: 'Running', steps: { scale: 'Succeeded' } },
          { sequence: 5, status: 'Succeeded', steps: { scale: 'Succeeded' } },
        ],
      },
      {
        ...stored,
        id: 'op-2',
        key: 'two',
        status: 'Canceled',
        correlationId: 'c-2',
        targetId: OTHER,
        input: { count: 9 },
        message: 'Canceled. Nothing was changed.',
        steps: [{ name: 'scale', status: 'Skipped' }],
        events: [
          { sequence: 1, status: 'Pending', steps: { scale: 'Pending' } },
          { sequence: 2, status: 'Canceled', steps: { scale: 'Skipped' } },
        ],
      },
    ],
    writes: [
      { at: 2_000, method: 'PUT', path: POOL, outcome: 200, correlationId: 'c-1', body: { properties: { count: 3 } } },
      // Sent again after the answer was lost, and refused: visible, and no effect.
      { at: 2_500, method: 'PUT', path: POOL, outcome: 412, correlationId: 'c-1', body: { properties: { count: 3 } } },
      { at: 2_600, method: 'PUT', path: POOL, outcome: null, correlationId: 'c-1', body: null },
    ],
    missedRequests: 0,
    longRuns: [{ target: POOL, action: 'update', startedAt: 2_000, status: 'Succeeded' }],
    before: { ...state(), pools: { [POOL]: 1, [OTHER]: 1 } },
    after: state(),
    cache: state(),
    applied: [{ name: 'fault-1', generation: 1 }],
    audit: auditEvents([
      { action: 'operation.accepted', outcome: 'accepted', operationId: 'op-1' },
      { action: 'operation.accepted', outcome: 'accepted', operationId: 'op-2' },
      { action: 'operation.ended', outcome: 'canceled', operationId: 'op-2' },
      { action: 'operation.ended', outcome: 'succeeded', operationId: 'op-1' },
    ]),
    left: { jobs: 0, locks: 0, openOperations: 0, sealedSecrets: 0 },
  };
}

const EFFECT_TWICE = { at: 2_700, method: 'PUT', path: POOL, outcome: 200, correlationId: 'c-1', body: null };

describe('the proofs of the fault suite', () => {
  it('find nothing in sound evidence', () => {
    expect(Object.values(proveAll(soundEvidence())).flat()).toEqual([]);
  });

  const sabotages: { proof: string; reason: string; spoil: (evidence: FaultEvidence) => void }[] = [
    { proof: 'the evidence is complete', reason: 'the log forgot something', spoil: (e) => (e.missedRequests = 1) },
    { proof: 'the evidence is complete', reason: 'nothing was sent', spoil: (e) => (e.writes = []) },
    {
      proof: 'what was accepted under a key is one operation, and nothing else is there',
      reason: 'a key was answered with two operations',
      spoil: (e) => e.asked[0]!.ids.push('op-2'),
    },
    {
      proof: 'what was accepted under a key is one operation, and nothing else is there',
      reason: 'an accepted operation is lost',
      spoil: (e) => e.operations.shift(),
    },
    {
      proof: 'what was accepted under a key is one operation, and nothing else is there',
      reason: 'the same key was stored twice',
      spoil: (e) => e.operations.push({ ...e.operations[0]!, id: 'op-3' }),
    },
    {
      proof: 'what was accepted under a key is one operation, and nothing else is there',
      reason: 'what was refused is there',
      spoil: (e) => (e.asked[0]!.refused = true),
    },
    {
      proof: 'every accepted operation has ended',
      reason: 'one still waits',
      spoil: (e) => (e.operations[0]!.status = 'Waiting'),
    },
    { proof: 'none had its effect twice', reason: 'Azure took it twice', spoil: (e) => e.writes.push(EFFECT_TWICE) },
    {
      proof: 'what was applied was changed once',
      reason: 'an object was changed again',
      spoil: (e) => (e.applied[0]!.generation = 2),
    },
    {
      proof: 'every long-running operation in Azure belongs to one operation of ours',
      reason: 'a second one was started',
      spoil: (e) => e.longRuns.push({ ...e.longRuns[0]!, startedAt: 2_700 }),
    },
    {
      proof: 'every long-running operation in Azure belongs to one operation of ours',
      reason: 'a change has no operation',
      spoil: (e) => e.writes.push({ ...EFFECT_TWICE, correlationId: 'nobody' }),
    },
    {
      proof: 'nothing was sent for an operation that had ended',
      reason: 'a worker that came back sent it late, and was refused',
      spoil: (e) => e.writes.push({ ...EFFECT_TWICE, at: END + 1, outcome: 412 }),
    },
    {
      proof: 'no status moved backwards',
      reason: 'it went on after its end',
      spoil: (e) => e.operations[0]!.events.push({ sequence: 6, status: 'Running', steps: {} }),
    },
    {
      proof: 'no status moved backwards',
      reason: 'it became pending again',
      spoil: (e) => (e.operations[0]!.events[2]!.status = 'Pending'),
    },
    {
      proof: 'no status moved backwards',
      reason: 'a step that was done was done again',
      spoil: (e) => (e.operations[0]!.events[4]!.steps = { scale: 'Running' }),
    },
    {
      proof: 'no status moved backwards',
      reason: 'an event is missing',
      spoil: (e) => e.operations[0]!.events.splice(2, 1),
    },
    {
      proof: 'every success left the wanted state',
      reason: 'it asked for another number',
      spoil: (e) => (e.writes[0]!.body = { properties: { count: 4 } }),
    },
    {
      proof: 'the estate is as the last success left it',
      reason: 'the number is another one',
      spoil: (e) => (e.after.pools[POOL] = 4),
    },
    {
      proof: 'what changed nothing sent nothing',
      reason: 'a canceled one had an effect',
      spoil: (e) => e.writes.push({ ...EFFECT_TWICE, path: OTHER, correlationId: 'c-2' }),
    },
    {
      proof: 'the audit log opens and closes each once',
      reason: 'an end was recorded twice',
      spoil: (e) =>
        (e.audit = auditEvents([...e.audit, { action: 'operation.ended', outcome: 'succeeded', operationId: 'op-1' }])),
    },
    {
      proof: 'the audit log opens and closes each once',
      reason: 'an end is missing',
      spoil: (e) => (e.audit = auditEvents(e.audit.slice(0, 3))),
    },
    {
      proof: 'the audit log opens and closes each once',
      reason: 'the record says another outcome',
      spoil: (e) => (e.operations[0]!.status = 'Failed'),
    },
    {
      proof: 'the audit log opens and closes each once',
      reason: 'the chain was tampered with',
      spoil: (e) => (e.audit[1]!.principalName = 'nobody'),
    },
    {
      proof: 'the cache agrees with the estate',
      reason: 'the cache is behind',
      spoil: (e) => (e.cache.pools[POOL] = 1),
    },
    {
      proof: 'the cache agrees with the estate',
      reason: 'the cache shows what is gone',
      spoil: (e) => e.cache.fleets.push('/fleets/gone'),
    },
    { proof: 'nothing is left behind', reason: 'a job is left', spoil: (e) => (e.left.jobs = 1) },
    { proof: 'nothing is left behind', reason: 'a lock is left', spoil: (e) => (e.left.locks = 1) },
  ];

  it.each(sabotages)('"$proof" fails when $reason', ({ proof, spoil }) => {
    const evidence = soundEvidence();
    spoil(evidence);
    expect(FAULT_PROOFS[proof]!(evidence)).not.toEqual([]);
  });

  it('are each sabotaged above', () => {
    expect(new Set(sabotages.map(({ proof }) => proof))).toEqual(new Set(Object.keys(FAULT_PROOFS)));
  });
});
