/** What a role allows on the Kubernetes API of a cluster or a fleet's hub. */
export type KubernetesRights = 'cluster-admin' | 'admin' | 'writer' | 'reader';

export interface BuiltInRole {
  /** The last segment of the role definition's id. */
  id: string;
  name: string;
  /** On Azure Resource Manager. */
  actions: readonly string[];
  /** On the Kubernetes API of the resource type named; absent for roles of ARM alone. */
  kubernetes?: { of: 'managedClusters' | 'fleets' | 'connectedClusters'; rights: KubernetesRights };
}

const ALL = ['*'];
const CLUSTERS = 'Microsoft.ContainerService/managedClusters';
const CONNECTED = 'Microsoft.Kubernetes/connectedClusters';
const FLEETS = 'Microsoft.ContainerService/fleets';

/** The built-in roles that the simulated systems know. */
export const BUILT_IN_ROLES: readonly BuiltInRole[] = [
  { id: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635', name: 'Owner', actions: ALL },
  { id: 'b24988ac-6180-42a0-ab88-20f7382dd24c', name: 'Contributor', actions: ALL },
  { id: 'acdd72a7-3385-48ef-bd42-f606fba81ae7', name: 'Reader', actions: ['*/read'] },
  { id: '4d97b98b-1d4f-4787-a291-c67834d212e7', name: 'Network Contributor', actions: ['Microsoft.Network/*'] },
  {
    id: 'f1a07417-d97a-45cb-824c-7a7467783830',
    name: 'Managed Identity Operator',
    actions: [
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
    ],
  },
  {
    id: '5d977122-f97e-4b4d-a52f-6b43003ddb4d',
    name: 'Azure Container Instances Contributor Role',
    actions: ['Microsoft.ContainerInstance/containerGroups/*', 'Microsoft.Resources/subscriptions/resourceGroups/read'],
  },
  {
    id: '7f951dda-4ed3-4680-a7ca-43fe172d538d',
    name: 'AcrPull',
    actions: ['Microsoft.ContainerRegistry/registries/pull/read'],
  },
  {
    id: '63bb64ad-9799-4770-b5c3-24ed299a07bf',
    name: 'Azure Kubernetes Fleet Manager Contributor Role',
    actions: [`${FLEETS}/*`],
  },
  {
    id: 'de2b316d-7a2c-4143-b4cd-c148f6a355a1',
    name: 'Azure Kubernetes Fleet Manager Hub Agent Role',
    actions: [`${FLEETS}/*/read`],
  },
  {
    id: '850c5848-fc51-4a9a-8823-f220370626e3',
    name: 'Azure Kubernetes Fleet Manager Hub Cluster User Role',
    actions: [`${FLEETS}/read`, `${FLEETS}/listCredentials/action`],
  },
  fleetRole('18ab4d3d-a1bf-4477-8ad9-8359bc988f69', 'Cluster Admin', 'cluster-admin'),
  fleetRole('434fb43a-c01c-447e-9f67-c3ad923cfaba', 'Admin', 'admin'),
  fleetRole('5af6afb3-c06c-4fa4-8848-71a8aee05683', 'Writer', 'writer'),
  fleetRole('30b27cfc-9c84-438e-b0ce-70e35255df80', 'Reader', 'reader'),
  memberRole('79a36d98-eb96-4a76-ae1d-481dc98d2c23', 'Cluster Admin'),
  memberRole('d1f699ed-700a-4c77-a22f-29890ac7b115', 'Admin'),
  memberRole('50346970-0998-40f2-b47d-f3b8809840f8', 'Writer'),
  memberRole('463ad26c-fcce-4469-9c7f-5653d8acbab5', 'Reader'),
  {
    id: '0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8',
    name: 'Azure Kubernetes Service Cluster Admin Role',
    actions: [`${CLUSTERS}/listClusterAdminCredential/action`, `${CLUSTERS}/read`],
  },
  {
    id: '4abbcc35-e782-43d8-92c5-2d3f1bd2253f',
    name: 'Azure Kubernetes Service Cluster User Role',
    actions: [`${CLUSTERS}/listClusterUserCredential/action`, `${CLUSTERS}/read`],
  },
  {
    id: '1afdec4b-e479-420e-99e7-f82237c7c5e6',
    name: 'Azure Kubernetes Service Cluster Monitoring User',
    actions: [`${CLUSTERS}/listClusterMonitoringUserCredential/action`, `${CLUSTERS}/read`],
  },
  {
    id: 'ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8',
    name: 'Azure Kubernetes Service Contributor Role',
    actions: [`${CLUSTERS}/*`],
  },
  clusterRole('b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b', 'Cluster Admin', 'cluster-admin'),
  clusterRole('3498e952-d568-435e-9b2c-8d77e338d7f7', 'Admin', 'admin'),
  clusterRole('a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb', 'Writer', 'writer'),
  clusterRole('7f6c6a51-bcf8-42ba-9220-52d62157d7db', 'Reader', 'reader'),
  {
    id: '00493d72-78f6-4148-b6c5-d3ce8e4799dd',
    name: 'Azure Arc Enabled Kubernetes Cluster User Role',
    actions: [`${CONNECTED}/listClusterUserCredential/action`],
  },
  arcRole('8393591c-06b9-48a2-a542-1bd6b377f6a2', 'Cluster Admin', 'cluster-admin'),
  arcRole('dffb1e0c-446f-4dde-a09f-99eb5cc68b96', 'Admin', 'admin'),
  arcRole('5b999177-9696-4545-85c7-50de3797e5a1', 'Writer', 'writer'),
  arcRole('63f0a09d-1495-4db4-a681-037d84835eb4', 'Viewer', 'reader'),
  {
    id: '34e09817-6cbe-4d01-b1a2-e0eac5743d41',
    name: 'Kubernetes Cluster - Azure Arc Onboarding',
    actions: [`${CONNECTED}/*`],
  },
  {
    id: '85cb6faf-e071-4c9b-8136-154b5a04f717',
    name: 'Kubernetes Extension Contributor',
    actions: ['Microsoft.KubernetesConfiguration/extensions/*'],
  },
  {
    id: '5d977122-f97e-4b4d-a52f-6b43003ddb4d',
    name: 'Azure Container Instances Contributor Role',
    actions: ['Microsoft.ContainerInstance/containerGroups/*'],
  },
  { id: 'de139f84-1756-47ae-9be6-808fbbe84772', name: 'Website Contributor', actions: ['Microsoft.Web/sites/*'] },
];

const byId = new Map(BUILT_IN_ROLES.map((role) => [role.id, role]));

/** @param definitionId an id in any of the ways in which people write one: only its last segment counts */
export function builtInRole(definitionId: string): BuiltInRole | undefined {
  return byId.get(definitionId.split('/').at(-1)?.toLowerCase() ?? '');
}

/** What the role allows on the Kubernetes API, as Azure lists it. */
export function dataActions(role: BuiltInRole): string[] {
  if (role.kubernetes === undefined) return [];
  const base = { fleets: FLEETS, managedClusters: CLUSTERS, connectedClusters: CONNECTED }[role.kubernetes.of];
  switch (role.kubernetes.rights) {
    case 'cluster-admin':
    case 'admin':
    case 'writer':
      return [`${base}/*`];
    case 'reader':
      return [`${base}/*/read`];
  }
}

function fleetRole(id: string, name: string, rights: KubernetesRights): BuiltInRole {
  return {
    id,
    name: `Azure Kubernetes Fleet Manager RBAC ${name}`,
    actions: [`${FLEETS}/read`, `${FLEETS}/listCredentials/action`],
    kubernetes: { of: 'fleets', rights },
  };
}

/** They hold in the namespaces that a fleet manages on its members, and nowhere else. */
function memberRole(id: string, name: string): BuiltInRole {
  return {
    id,
    name: `Azure Kubernetes Fleet Manager RBAC ${name} for Member Clusters`,
    actions: [`${FLEETS}/read`],
  };
}

function arcRole(id: string, name: string, rights: KubernetesRights): BuiltInRole {
  return {
    id,
    name: `Azure Arc Kubernetes ${name}`,
    actions: [`${CONNECTED}/read`],
    kubernetes: { of: 'connectedClusters', rights },
  };
}

function clusterRole(id: string, name: string, rights: KubernetesRights): BuiltInRole {
  return {
    id,
    name: `Azure Kubernetes Service RBAC ${name}`,
    actions: [`${CLUSTERS}/listClusterUserCredential/action`],
    kubernetes: { of: 'managedClusters', rights },
  };
}
