import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import { kubeconfigOf } from '#libs/azure/listed-kubeconfig.js';
import type {
  ClusterAccessProvider,
  ClusterReference,
  KubeCall,
  ProvidedKubeconfig,
} from '#libs/kube/cluster-access.js';
import { MANAGED_CLUSTER_TYPE, managedClusterKind } from './aks.kinds.js';

/** Azure keeps the managed cluster of a fleet's hub in a group of its own, and denies everybody its credential. */
const HUB_GROUP = /^FL_/i;

/** The kubeconfig of an AKS cluster, as AKS gives it to its users. */
export function createAksAccess(azure: Pick<Azure, 'arm'>): ClusterAccessProvider {
  return {
    name: 'AKS',
    kinds: [managedClusterKind.name],
    async kubeconfig(cluster: ClusterReference, call: KubeCall): Promise<ProvidedKubeconfig | undefined> {
      const id = ArmId.tryParse(cluster.id);
      if (id?.canonicalType !== MANAGED_CLUSTER_TYPE.toLowerCase()) return undefined;
      if (id.name.toLowerCase() === 'hub' && HUB_GROUP.test(id.resourceGroup ?? '')) return undefined;
      try {
        const path = `${id.toString()}/listClusterUserCredential`;
        const answer = await azure.arm.post(path, armApiVersion(MANAGED_CLUSTER_TYPE), undefined, call);
        return kubeconfigOf(answer.body, `The cluster ${id.name}`);
      } catch (error) {
        if (!(error instanceof ControlError) || (error.code !== 'AZURE_REJECTED' && error.code !== 'AZURE_CONFLICT'))
          throw error;
        throw new ControlError('CLUSTER_ACCESS_MISSING', `AKS gives no credential of ${id.name}: ${error.message}`, {
          remedy: 'The cluster has to be running; its last operation has to have succeeded.',
          ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
          cause: error,
        });
      }
    },
  };
}
