import { ArmId } from '#libs/kernel/arm-id.js';
import { delay } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ArmPollAnswer, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { saysAbsent } from '#libs/azure/arm-error.classifier.js';
import type { Azure } from '#libs/azure/azure.js';
import { kubeconfigOf } from '#libs/azure/listed-kubeconfig.js';
import type {
  ClusterAccessProvider,
  ClusterReference,
  KubeCall,
  ProvidedKubeconfig,
} from '#libs/kube/cluster-access.js';
import { AksHciClient } from './aks-hci.client.js';
import { CONNECTED_CLUSTER_TYPE, instanceOf } from './aks-hci.kinds.js';

/** A credential is wanted now, by somebody who waits: the host answers within seconds. */
const LONGEST_WAIT_SECONDS = 60;

type Wait = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/**
 * The kubeconfig of a connected cluster that Azure made on Azure Stack HCI. Its API server is reached by its address in the
 * logical network: Pilothouse has to stand where that is in sight.
 */
export function createAksHciAccess(azure: Pick<Azure, 'arm'>, wait: Wait = delay): ClusterAccessProvider {
  const client = new AksHciClient(azure);
  return {
    name: 'AKS on Azure Stack HCI',
    kinds: ['ConnectedCluster'],
    async kubeconfig(cluster: ClusterReference, call: KubeCall): Promise<ProvidedKubeconfig | undefined> {
      const id = ArmId.tryParse(cluster.id);
      if (id?.canonicalType !== CONNECTED_CLUSTER_TYPE.toLowerCase()) return undefined;
      const started = await startedOrAbsent(client, id, call);
      if (started === undefined) return undefined;
      const body = started.poll === undefined ? started.body : await ended(client, started, id, call, wait);
      return kubeconfigOf(body, `The cluster ${id.name}`);
    },
  };
}

/** Undefined for a connected cluster that Azure did not make: nobody has a kubeconfig of it to give. */
async function startedOrAbsent(client: AksHciClient, id: ArmId, call: KubeCall): Promise<ArmWriteAnswer | undefined> {
  try {
    return await client.listUserKubeconfig(instanceOf(id), call);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    if (saysAbsent(error)) return undefined;
    if (error.code === 'AZURE_REJECTED' || error.code === 'AZURE_CONFLICT') throw missing(id, error);
    throw error;
  }
}

async function ended(
  client: AksHciClient,
  { poll, retryAfterSeconds }: ArmWriteAnswer,
  id: ArmId,
  call: KubeCall,
  wait: Wait,
) {
  let pause = retryAfterSeconds;
  let waited = 0;
  for (;;) {
    const answer: ArmPollAnswer = poll === undefined ? { state: 'lost' } : await client.arm.poll(poll, call);
    switch (answer.state) {
      case 'succeeded':
        return answer.body;
      case 'failed':
        throw missing(id, answer.error);
      case 'canceled':
      case 'lost':
        throw missing(id, undefined);
      case 'running':
        if (waited >= LONGEST_WAIT_SECONDS) {
          throw new ControlError('AZURE_TIMEOUT', `Azure takes long to give the credential of ${id.name}.`, {
            retry: { kind: 'after', seconds: LONGEST_WAIT_SECONDS },
          });
        }
        await wait(pause * 1000, call.signal);
        waited += pause;
        pause = answer.retryAfterSeconds;
    }
  }
}

function missing(id: ArmId, cause: ControlError | undefined): ControlError {
  const why = cause === undefined ? 'Azure has not ended the request.' : cause.message;
  return new ControlError('CLUSTER_ACCESS_MISSING', `Azure gives no credential of ${id.name}: ${why}`, {
    remedy: 'The cluster has to be there, and its last operation has to have succeeded.',
    ...(cause?.externalCode === undefined ? {} : { externalCode: cause.externalCode }),
    ...(cause === undefined ? {} : { cause }),
  });
}
