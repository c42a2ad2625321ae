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
import { FLEET_TYPE, fleetKind } from './fleet.kinds.js';

/** The kubeconfig of a fleet's hub, as Fleet Manager gives it: it names who signs in, and holds no secret of its own. */
export function createFleetAccess(azure: Pick<Azure, 'arm'>): ClusterAccessProvider {
  return {
    name: 'Fleet hub',
    kinds: [fleetKind.name],
    async kubeconfig(cluster: ClusterReference, call: KubeCall): Promise<ProvidedKubeconfig | undefined> {
      const id = ArmId.tryParse(cluster.id);
      if (id?.canonicalType !== FLEET_TYPE.toLowerCase()) return undefined;
      try {
        const answer = await azure.arm.post(
          `${id.toString()}/listCredentials`,
          armApiVersion(FLEET_TYPE),
          undefined,
          call,
        );
        return kubeconfigOf(answer.body, `The hub of the fleet ${id.name}`);
      } catch (error) {
        if (!(error instanceof ControlError) || (error.code !== 'AZURE_REJECTED' && error.code !== 'AZURE_CONFLICT'))
          throw error;
        throw new ControlError(
          'CLUSTER_ACCESS_MISSING',
          `Azure gives no credential of the hub of ${id.name}: ${error.message}`,
          {
            remedy: 'Only a fleet with a hub has one, and not before the fleet is Succeeded.',
            ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
            cause: error,
          },
        );
      }
    },
  };
}
