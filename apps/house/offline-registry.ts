import { createAzure } from '#libs/azure/azure.js';
import { DEFAULT_AZURE_OPTIONS } from '#libs/azure/azure.options.js';
import { createKube } from '#libs/kube/kube.factory.js';
import { DEFAULT_KUBE_OPTIONS } from '#libs/kube/kube.options.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import { createAksHciSystem } from '#libs/systems/aks-hci/aks-hci.module.js';
import { createAppServiceSystem } from '#libs/systems/app-service/app-service.module.js';
import { createArcSystem } from '#libs/systems/arc/arc.module.js';
import { createAzureSystem } from '#libs/systems/azure/azure.module.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';
import { createKubernetesSystem } from '#libs/systems/kubernetes/kubernetes.module.js';
import { STREAM_NAMES } from '#libs/systems/kubernetes/kubernetes.options.js';
import { createVirtualNodesSystem } from '#libs/systems/virtual-nodes/virtual-nodes.module.js';

/** All systems as they are defined, connected to nothing: what documents and schemas are generated from. */
export function offlineRegistry(): SystemRegistry {
  const azure = createAzure(DEFAULT_AZURE_OPTIONS);
  const nothing = { find: () => Promise.resolve(undefined) };
  const kube = createKube(DEFAULT_KUBE_OPTIONS, {
    providers: [],
    tokens: () => Promise.reject(new TypeError('An offline registry signs in nowhere')),
    findCluster: nothing.find,
  });
  return new SystemRegistry([
    createAksSystem(azure),
    createFleetSystem(azure, kube, nothing),
    createKubernetesSystem(kube, { clusters: nothing, streams: STREAM_NAMES, namespaces: [], excludedNamespaces: [] }),
    createAzureSystem(azure),
    createArcSystem(azure, kube),
    createAksHciSystem(azure),
    createAppServiceSystem(azure, kube),
    createVirtualNodesSystem(azure, kube, nothing),
  ]);
}
