import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { EDGE_CLUSTER, instanceBody } from '#libs/testing/aks-hci-samples.js';
import { failureOf, recognised } from './provisioning.failure.js';

const cluster = ArmId.parse(EDGE_CLUSTER);
const failed = (errorMessage: string) =>
  failureOf('Creating edge01', instanceBody({ status: { errorMessage } }), cluster);

describe('failures of a host', () => {
  it('recognises the namespace that the kubeconfig names and that is not there, and makes it', () => {
    expect(failed('Error: create: failed to create: namespaces "arc" not found')).toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      diagnosis: {
        code: 'DEFAULT_NAMESPACE_MISSING',
        evidence: { cluster: EDGE_CLUSTER, namespace: 'arc' },
        operations: [
          {
            type: 'kubernetes.manifest.apply',
            input: { cluster: EDGE_CLUSTER, manifest: 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: arc\n' },
          },
        ],
      },
    });
  });

  it.each([
    {
      message: 'Creating the machines failed: no available IP address in the logical network',
      code: 'ADDRESSES_EXHAUSTED',
    },
    { message: 'The IP address pool is exhausted', code: 'ADDRESSES_EXHAUSTED' },
    { message: 'the disk is full', code: undefined },
  ])('takes "$message" for $code', ({ message, code }) => {
    expect(failed(message).diagnosis?.code).toBe(code);
  });

  it('says what Azure says where the host says nothing', () => {
    expect(failureOf('Creating edge01', instanceBody({ status: {} }), cluster).code).toBe('AZURE_OPERATION_FAILED');
  });

  it('leaves other errors, and those that are recognised, as they are', () => {
    const other = new ControlError('AZURE_THROTTLED', 'namespaces "arc" not found');
    const known = failed('namespaces "arc" not found');
    expect([recognised(other, cluster), recognised(known, cluster)]).toEqual([other, known]);
  });
});
