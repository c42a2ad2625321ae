/** The ARM types of Azure Arc for Kubernetes, as Azure writes them. */
export const CONNECTED_CLUSTER_TYPE = 'Microsoft.Kubernetes/connectedClusters';
export const EXTENSION_TYPE = 'Microsoft.KubernetesConfiguration/extensions';
/** What can be installed as an extension; its versions are told for each region. */
export const EXTENSION_CATALOG_TYPE = 'Microsoft.KubernetesConfiguration/extensionTypes';
export const FLUX_CONFIGURATION_TYPE = 'Microsoft.KubernetesConfiguration/fluxConfigurations';
export const CUSTOM_LOCATION_TYPE = 'Microsoft.ExtendedLocation/customLocations';
/** The machines that Azure has made below a connected cluster. */
export const PROVISIONED_CLUSTER_TYPE = 'Microsoft.HybridContainerService/provisionedClusterInstances';
/** A kind of Kubernetes, by its name: clusters that are known by their kubeconfig alone. */
export const ATTACHED_CLUSTER = 'AttachedCluster';
