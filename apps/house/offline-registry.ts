import { createAzure } from '#libs/azure/azure.js';
import { DEFAULT_AZURE_OPTIONS } from '#libs/azure/azure.options.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';

/** All systems as they are defined, connected to nothing: what documents and schemas are generated from. */
export function offlineRegistry(): SystemRegistry {
  const azure = createAzure(DEFAULT_AZURE_OPTIONS);
  return new SystemRegistry([createAksSystem(azure), createFleetSystem(azure)]);
}
