import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { CONNECTED_CLUSTER_ID } from '#libs/testing/app-service-samples.js';
import { FAILURES, recognising } from './app-service.failures.js';

const scene = async () => ({ cluster: ArmId.parse(CONNECTED_CLUSTER_ID) });
const silent = new ControlError('AZURE_OPERATION_FAILED', 'status not populated');

/** What the work ends with. */
function endOf(error: unknown, sceneOf: Parameters<typeof recognising>[0] = scene): Promise<unknown> {
  return recognising(sceneOf, () => Promise.reject(error as Error)).catch((thrown: unknown) => thrown);
}

describe('recognising', () => {
  it('names what is behind a failure that is known', async () => {
    expect(await endOf(silent)).toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      diagnosis: { code: 'AGENTS_SILENT', evidence: { cluster: CONNECTED_CLUSTER_ID, said: silent.message } },
    });
  });

  it.each([
    { error: new TypeError('status not populated'), reason: 'a fault of ours' },
    { error: new ControlError('AZURE_OPERATION_FAILED', 'Never seen.'), reason: 'what nobody knows' },
    {
      error: new ControlError('AZURE_OPERATION_FAILED', 'status not populated', {
        diagnosis: { code: 'KNOWN', cause: 'It is known.', evidence: {}, operations: [] },
      }),
      reason: 'what is recognised already',
    },
  ])('leaves alone $reason', async ({ error }) => {
    expect(await endOf(error)).toBe(error);
  });

  it('leaves a failure in the words of Azure where what is around it is gone or cannot be read', async () => {
    expect(await endOf(silent, async () => undefined)).toBe(silent);
    expect(await endOf(silent, () => Promise.reject(new ControlError('AZURE_FORBIDDEN', 'No.')))).toBe(silent);
  });

  it('does not take a fault of ours while it looks around for a failure of Azure', async () => {
    const fault = new TypeError('a fault');
    expect(await endOf(silent, () => Promise.reject(fault))).toBe(fault);
  });

  it('lets through what succeeds', async () => {
    expect(await recognising(scene, () => Promise.resolve(1))).toBe(1);
  });
});

it('documents every failure that is recognised', () => {
  const page = readFileSync(path.resolve(import.meta.dirname, '../../../docs/azure-arc.md'), 'utf8');
  for (const code of Object.keys(FAILURES)) expect(page).toContain(`\`${code}\``);
});
