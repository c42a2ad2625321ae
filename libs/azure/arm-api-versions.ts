/** The API version that we speak for each type: the newest generally available one that our mapping was checked with. */
const API_VERSIONS: Readonly<Record<string, string>> = {
  'microsoft.containerservice/managedclusters': '2026-04-01',
  'microsoft.containerservice/managedclusters/agentpools': '2026-04-01',
  'microsoft.containerservice/managedclusters/agentpools/upgradeprofiles': '2026-04-01',
  'microsoft.containerservice/managedclusters/upgradeprofiles': '2026-04-01',
  'microsoft.containerservice/managedclusters/maintenanceconfigurations': '2026-04-01',
  'microsoft.containerservice/locations/kubernetesversions': '2026-04-01',
  'microsoft.containerservice/fleets': '2026-06-01',
  'microsoft.containerservice/fleets/members': '2026-06-01',
  'microsoft.containerservice/fleets/updateruns': '2026-06-01',
  'microsoft.containerservice/fleets/updatestrategies': '2026-06-01',
  'microsoft.containerservice/fleets/autoupgradeprofiles': '2026-06-01',
  'microsoft.kubernetes/connectedclusters': '2026-05-01',
  'microsoft.kubernetesconfiguration/extensions': '2025-03-01',
  'microsoft.kubernetesconfiguration/fluxconfigurations': '2025-04-01',
  // There has been no other than a preview of it.
  'microsoft.kubernetesconfiguration/extensiontypes': '2024-11-01-preview',
  'microsoft.extendedlocation/customlocations': '2021-08-15',
  'microsoft.resources/subscriptions': '2022-12-01',
  'microsoft.resources/resourcegroups': '2021-04-01',
  'microsoft.resources/providers': '2021-04-01',
  'microsoft.compute/skus': '2021-07-01',
  'microsoft.compute/locations/usages': '2024-07-01',
  'microsoft.network/virtualnetworks': '2025-05-01',
  'microsoft.network/virtualnetworks/subnets': '2025-05-01',
  'microsoft.containerinstance/containergroups': '2023-05-01',
  'microsoft.containerinstance/serviceassociationlinks': '2023-05-01',
  'microsoft.containerinstance/locations/usages': '2023-05-01',
  'microsoft.containerinstance/locations/capabilities': '2023-05-01',
  'microsoft.authorization/roleassignments': '2022-04-01',
  'microsoft.authorization/permissions': '2022-04-01',
  'microsoft.features/providers/features': '2021-07-01',
  'microsoft.hybridcontainerservice/provisionedclusterinstances': '2024-01-01',
  'microsoft.hybridcontainerservice/provisionedclusterinstances/agentpools': '2024-01-01',
  'microsoft.hybridcontainerservice/kubernetesversions': '2024-01-01',
  'microsoft.hybridcontainerservice/skus': '2024-01-01',
  'microsoft.azurestackhci/logicalnetworks': '2024-01-01',
  'microsoft.web/kubeenvironments': '2025-03-01',
  'microsoft.web/serverfarms': '2025-03-01',
  'microsoft.web/sites': '2025-03-01',
  'microsoft.web/sites/config': '2025-03-01',
  'microsoft.web/sites/hostnamebindings': '2025-03-01',
  'microsoft.web/certificates': '2025-03-01',
  'microsoft.app/connectedenvironments': '2025-01-01',
  'microsoft.app/containerapps': '2025-01-01',
};

/** @throws TypeError for a type that is not in the table: a fault in our code. */
export function armApiVersion(type: string): string {
  const version = API_VERSIONS[type.toLowerCase()];
  if (version === undefined) throw new TypeError(`There is no API version for ${type}`);
  return version;
}
