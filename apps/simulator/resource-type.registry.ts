import type { IndexedType } from './resource.store.js';
import type { ResourceTypeDescriptor } from './resource-type.descriptor.js';

/** Types of the platform itself, which have routes of their own. */
export const GROUP_TYPE = 'microsoft.resources/resourcegroups';
export const SUBSCRIPTION_TYPE = 'microsoft.resources/subscriptions';

const PLATFORM_TYPE: IndexedType = { tracked: false };

/** The regions that the simulated types are offered in, and the names that people see. */
export const LOCATIONS: ReadonlyMap<string, string> = new Map([
  ['australiaeast', 'Australia East'],
  ['brazilsouth', 'Brazil South'],
  ['canadacentral', 'Canada Central'],
  ['centralindia', 'Central India'],
  ['centralus', 'Central US'],
  ['eastus', 'East US'],
  ['eastus2', 'East US 2'],
  ['francecentral', 'France Central'],
  ['germanywestcentral', 'Germany West Central'],
  ['japaneast', 'Japan East'],
  ['koreacentral', 'Korea Central'],
  ['northcentralus', 'North Central US'],
  ['northeurope', 'North Europe'],
  ['norwayeast', 'Norway East'],
  ['southafricanorth', 'South Africa North'],
  ['southcentralus', 'South Central US'],
  ['southeastasia', 'Southeast Asia'],
  ['swedencentral', 'Sweden Central'],
  ['switzerlandnorth', 'Switzerland North'],
  ['uksouth', 'UK South'],
  ['westcentralus', 'West Central US'],
  ['westeurope', 'West Europe'],
  ['westus', 'West US'],
  ['westus2', 'West US 2'],
  ['westus3', 'West US 3'],
]);

/**
 * Namespaces that a subscription can be registered for although the simulator has no type of theirs (yet): callers
 * check and register them before they use a system.
 */
const FURTHER_NAMESPACES = [
  'Microsoft.App',
  'Microsoft.Authorization',
  'Microsoft.AzureStackHCI',
  'Microsoft.Compute',
  'Microsoft.ContainerInstance',
  'Microsoft.ContainerService',
  'Microsoft.ExtendedLocation',
  'Microsoft.Features',
  'Microsoft.HybridContainerService',
  'Microsoft.Kubernetes',
  'Microsoft.KubernetesConfiguration',
  'Microsoft.ManagedIdentity',
  'Microsoft.Network',
  'Microsoft.OperationalInsights',
  'Microsoft.ResourceGraph',
  'Microsoft.Resources',
  'Microsoft.Web',
];

/** Which types there are, found by name in any casing. */
export class ResourceTypeRegistry {
  readonly #descriptors = new Map<string, ResourceTypeDescriptor>();
  readonly #namespaces = new Map<string, string>();

  constructor(descriptors: readonly ResourceTypeDescriptor[]) {
    for (const namespace of FURTHER_NAMESPACES) this.#namespaces.set(namespace.toLowerCase(), namespace);
    for (const descriptor of descriptors) {
      this.#descriptors.set(descriptor.type.toLowerCase(), descriptor);
      const namespace = descriptor.type.split('/')[0]!;
      this.#namespaces.set(namespace.toLowerCase(), namespace);
    }
  }

  find(type: string): ResourceTypeDescriptor | undefined {
    return this.#descriptors.get(type.toLowerCase());
  }

  /** @throws TypeError for a type that no descriptor stands for: a fault of the caller, not of a request. */
  get(type: string): ResourceTypeDescriptor {
    const descriptor = this.find(type);
    if (descriptor === undefined) throw new TypeError(`No descriptor for ${type}`);
    return descriptor;
  }

  /** How the store indexes a type. */
  indexed(type: string): IndexedType {
    return this.#descriptors.get(type) ?? PLATFORM_TYPE;
  }

  /** The namespace in Azure's casing; undefined when there is no such provider. */
  namespace(name: string): string | undefined {
    return this.#namespaces.get(name.toLowerCase());
  }

  namespaces(): string[] {
    return [...this.#namespaces.values()].sort();
  }

  ofNamespace(namespace: string): ResourceTypeDescriptor[] {
    const prefix = `${namespace.toLowerCase()}/`;
    return [...this.#descriptors.values()].filter((descriptor) => descriptor.type.toLowerCase().startsWith(prefix));
  }

  all(): IterableIterator<ResourceTypeDescriptor> {
    return this.#descriptors.values();
  }
}
