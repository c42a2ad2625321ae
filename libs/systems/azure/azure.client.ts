import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { whereRegistered } from '#libs/azure/discovery.js';

const FEATURE_TYPE = 'Microsoft.Features/providers/features';
const PROVIDER_TYPE = 'Microsoft.Resources/providers';
const CONTAINER_LINK_TYPE = 'Microsoft.ContainerInstance/serviceAssociationLinks';
/** Whatever a subnet calls its link, this is how Container Instances do. */
const CONTAINER_LINK = 'default';
const MANAGED_CLUSTER_TYPE = 'Microsoft.ContainerService/managedClusters';

/** The calls about what belongs to no one system: features and providers of subscriptions, subnets, role assignments. */
export class AzureClient {
  readonly arm: ArmClient;

  constructor(azure: Pick<Azure, 'arm'>) {
    this.arm = azure.arm;
  }

  /** Of any type that has an API version. */
  get(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(id.type), context);
  }

  put(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(id.type), body, context);
  }

  delete(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(id.type), context);
  }

  /** The link that Container Instances leave on a subnet, which can be deleted and not be read. */
  deleteContainerLink(subnet: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.delete(subnet.resource(CONTAINER_LINK_TYPE, CONTAINER_LINK), context);
  }

  listClusters(subscriptionId: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${MANAGED_CLUSTER_TYPE}`;
    return whereRegistered(this.arm.list(path, armApiVersion(MANAGED_CLUSTER_TYPE), context));
  }

  getFeature(feature: string, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(feature, armApiVersion(FEATURE_TYPE), context);
  }

  registerFeature(feature: string, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.post(`${feature}/register`, armApiVersion(FEATURE_TYPE), undefined, context);
  }

  getProvider(subscriptionId: string, namespace: string, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(providerPath(subscriptionId, namespace), armApiVersion(PROVIDER_TYPE), context);
  }

  registerProvider(subscriptionId: string, namespace: string, context: AzureCallContext): Promise<ArmWriteAnswer> {
    const path = `${providerPath(subscriptionId, namespace)}/register`;
    return this.arm.post(path, armApiVersion(PROVIDER_TYPE), undefined, context);
  }
}

/** The path of a preview feature. It is no ARM id: two providers follow each other in it without a type between them. */
export function featurePath(subscriptionId: string, namespace: string, feature: string): string {
  const features = `${providerPath(subscriptionId, 'Microsoft.Features')}/providers`;
  return `${features}/${namespace}/features/${feature}`;
}

export function providerPath(subscriptionId: string, namespace: string): string {
  return `${ArmId.subscription(subscriptionId).toString()}/providers/${namespace}`;
}
