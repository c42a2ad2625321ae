import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFaultParameters } from '../faults/fault-parameters.js';
import { FAULT_PROOFS } from '../faults/fault-proofs.js';
import { runOperationFaults, tellFaultRun, type FaultRun } from '../faults/operation-faults.js';

/** Short as a part of everything; `npm run test:faults` makes it long. */
const parameters = readFaultParameters(process.env);

describe('operations, whatever dies', () => {
  let run: FaultRun;

  beforeAll(
    async () => {
      console.log(`FAULT_SEED=${parameters.seed} makes the same operations and faults again`);
      run = await runOperationFaults(parameters);
      console.log(tellFaultRun(run));
    },
    (parameters.seconds + 420) * 1000,
  );

  it('are asked for in earnest: every disaster happened, and some operations came through', () => {
    expect(Object.values(run.disasters).every((times) => times > 0)).toBe(true);
    expect(run.faultsPlayed).toBeGreaterThan(0);
    const succeeded = run.evidence.operations.filter(({ status }) => status === 'Succeeded');
    expect(succeeded.length).toBeGreaterThan(run.evidence.operations.length / 3);
  });

  it.each(Object.keys(FAULT_PROOFS))('prove: %s', (name) => {
    expect(FAULT_PROOFS[name]!(run.evidence)).toEqual([]);
  });
});
