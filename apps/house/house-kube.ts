import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import type { WriteGuard } from '#libs/kernel/worker-lease.js';
import type { Azure } from '#libs/azure/azure.js';
import type { Configuration } from '#libs/config/configuration.js';
import type { ProbeKubeconfig } from '#libs/control/cluster.control.js';
import type { ClusterAccessProvider, ClusterReference } from '#libs/kube/cluster-access.js';
import type { TokenSource } from '#libs/kube/entra-tokens.js';
import { createKube, probeKubeconfig } from '#libs/kube/kube.factory.js';
import type { Kube } from '#libs/kube/kube.js';
import { DEFAULT_KUBE_OPTIONS, type KubeOptions } from '#libs/kube/kube.options.js';
import { createAksAccess } from '#libs/systems/aks/aks.access.js';
import { createAksHciAccess } from '#libs/systems/aks-hci/aks-hci.access.js';
import { createFleetAccess } from '#libs/systems/fleet/fleet.access.js';

/** What the house knows about clusters and Azure does not. */
export interface HouseClusters {
  kubeconfigOf(clusterUid: string): Promise<Secret | undefined>;
  findCluster(clusterUid: string): Promise<ClusterReference | undefined>;
}

/** An attached kubeconfig goes before what Azure would give. */
export function createHouseKube(
  configuration: Configuration,
  azure: Azure,
  clusters: HouseClusters,
  guard: WriteGuard,
): Kube {
  const attached: ClusterAccessProvider = {
    name: 'attached kubeconfig',
    kinds: ['ManagedCluster', 'ConnectedCluster', 'Fleet', 'AttachedCluster'],
    kubeconfig: async ({ uid }) => {
      const kubeconfig = await clusters.kubeconfigOf(uid);
      return kubeconfig === undefined ? undefined : { kubeconfig, origin: 'attached' };
    },
  };
  return createKube(
    kubeOptions(configuration),
    {
      providers: [attached, createAksAccess(azure), createAksHciAccess(azure), createFleetAccess(azure)],
      tokens: tokensOf(azure),
      findCluster: (uid) => clusters.findCluster(uid),
    },
    guard,
  );
}

export function probeWith(configuration: Configuration, azure: Azure): ProbeKubeconfig {
  const options = kubeOptions(configuration);
  return async (kubeconfig, call) => {
    const found = await probeKubeconfig(kubeconfig, options, { tokens: tokensOf(azure) }, call);
    return {
      server: found.serverHost,
      authentication: found.authentication,
      kubernetesVersion: found.gitVersion,
    };
  };
}

function kubeOptions(configuration: Configuration): KubeOptions {
  return {
    ...DEFAULT_KUBE_OPTIONS,
    requestTimeoutMs: configuration.kubernetesTimeoutMs,
    concurrencyPerCluster: configuration.kubernetesConcurrency,
    allowInsecureTls: configuration.kubernetesInsecureTls,
    allowLinkLocal: configuration.kubernetesLinkLocal,
  };
}

/** The identity of Pilothouse, as it signs in to Azure. */
function tokensOf(azure: Azure): TokenSource {
  return async (scope, abortSignal) => {
    const token = await azure.credential.getToken(scope, { abortSignal });
    if (token === null) {
      throw new ControlError('AZURE_UNAUTHENTICATED', 'No token for clusters could be had from Microsoft Entra ID.');
    }
    return { token: new Secret(token.token), expiresAt: new Date(token.expiresOnTimestamp) };
  };
}
