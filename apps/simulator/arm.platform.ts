import { AKS_API_VERSIONS } from './types/aks.api-versions.js';

/** API versions of what is no resource, oldest first. */
const SUBSCRIPTION_VERSIONS = [
  '2016-06-01',
  '2018-06-01',
  '2019-06-01',
  '2019-11-01',
  '2020-01-01',
  '2021-01-01',
  '2022-12-01',
];
const RESOURCE_VERSIONS = [
  '2019-10-01',
  '2020-06-01',
  '2020-10-01',
  '2021-01-01',
  '2021-04-01',
  '2022-09-01',
  '2023-07-01',
  '2024-03-01',
  '2024-07-01',
  '2024-11-01',
  '2025-03-01',
  '2025-04-01',
];
const FEATURE_VERSIONS = ['2015-12-01', '2021-07-01'];
const COMPUTE_VERSIONS = [
  '2022-11-01',
  '2023-03-01',
  '2023-09-01',
  '2024-03-01',
  '2024-07-01',
  '2024-11-01',
  '2025-04-01',
];
const CONTAINER_INSTANCE_VERSIONS = ['2021-09-01', '2022-09-01', '2023-05-01'];
/** Of the list of machine sizes, which has versions of its own. */
const SKU_VERSIONS = ['2017-03-30', '2017-09-01', '2019-04-01', '2021-07-01'];
/** Of Microsoft.Compute and of Microsoft.ContainerInstance. */
const USAGE_VERSIONS = [...COMPUTE_VERSIONS, ...CONTAINER_INSTANCE_VERSIONS];
/** Of the links of Container Instances on subnets. */
const LINK_VERSIONS = [...CONTAINER_INSTANCE_VERSIONS, '2021-10-01'];
const PERMISSION_VERSIONS = ['2015-07-01', '2018-01-01-preview', '2018-07-01', '2022-04-01'];
/** There is no other than previews of it. */
const EXTENSION_CATALOG_VERSIONS = ['2023-05-01-preview', '2024-11-01-preview'];
const GRAPH_VERSIONS = ['2021-03-01', '2022-10-01', '2024-04-01'];

export const PLATFORM_VERSIONS = {
  tenants: SUBSCRIPTION_VERSIONS,
  subscriptions: SUBSCRIPTION_VERSIONS,
  subscription: SUBSCRIPTION_VERSIONS,
  locations: SUBSCRIPTION_VERSIONS,
  resources: RESOURCE_VERSIONS,
  groups: RESOURCE_VERSIONS,
  group: RESOURCE_VERSIONS,
  providers: RESOURCE_VERSIONS,
  provider: RESOURCE_VERSIONS,
  features: FEATURE_VERSIONS,
  feature: FEATURE_VERSIONS,
  usages: USAGE_VERSIONS,
  capabilities: CONTAINER_INSTANCE_VERSIONS,
  'machine-sizes': SKU_VERSIONS,
  'kubernetes-versions': AKS_API_VERSIONS,
  'extension-versions': EXTENSION_CATALOG_VERSIONS,
  permissions: PERMISSION_VERSIONS,
  'service-association-link': LINK_VERSIONS,
  graph: GRAPH_VERSIONS,
} as const;

/** Features that can be registered, by namespace in lower case. */
export const FEATURES: ReadonlyMap<string, readonly string[]> = new Map([
  ['microsoft.containerservice', ['FleetResourcePreview', 'NodeAutoProvisioningPreview', 'AKS-KedaPreview']],
]);
