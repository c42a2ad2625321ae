import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmClient, ArmPage, ArmReading, ArmWriteAnswer } from '#libs/azure/arm.client.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { Azure } from '#libs/azure/azure.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { changedBody } from '#libs/azure/raw-change.js';
import {
  CONNECTED_CLUSTER_TYPE,
  CUSTOM_LOCATION_TYPE,
  DEFAULT_NAME,
  PROVISIONED_CLUSTER_TYPE,
  PROVISIONED_POOL_TYPE,
} from './aks-hci.kinds.js';

const VERSIONS_TYPE = 'Microsoft.HybridContainerService/kubernetesVersions';
const SKUS_TYPE = 'Microsoft.HybridContainerService/skus';
export const LOGICAL_NETWORK_TYPE = 'Microsoft.AzureStackHCI/logicalNetworks';

/** What the host offers, which Azure keeps below the custom location once it was asked to fetch it. */
export type HostOffer = 'kubernetesVersions' | 'vmSizes';

/** The calls to AKS on Azure Stack HCI, without decisions. There is no generated client that could be had. */
export class AksHciClient {
  readonly arm: ArmClient;

  constructor(azure: Pick<Azure, 'arm'>) {
    this.arm = azure.arm;
  }

  /** Of the whole subscription: instances themselves can be listed nowhere but below their connected clusters. */
  listConnectedClusters(subscriptionId: string, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${CONNECTED_CLUSTER_TYPE}`;
    return this.arm.list(path, armApiVersion(CONNECTED_CLUSTER_TYPE), context);
  }

  getConnectedCluster(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(CONNECTED_CLUSTER_TYPE), context);
  }

  putConnectedCluster(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(CONNECTED_CLUSTER_TYPE), body, context);
  }

  deleteConnectedCluster(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(CONNECTED_CLUSTER_TYPE), context);
  }

  getInstance(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(PROVISIONED_CLUSTER_TYPE), context);
  }

  putInstance(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(PROVISIONED_CLUSTER_TYPE), body, context);
  }

  /** Writes the instance back as it was read, but for the change. */
  changeInstance(
    id: ArmId,
    observed: JsonObject,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.putInstance(id, changedBody(id, observed, change), context);
  }

  deleteInstance(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(PROVISIONED_CLUSTER_TYPE), context);
  }

  listPools(instance: ArmId, context: AzureCallContext): AsyncGenerator<ArmPage, undefined, void> {
    return this.arm.list(`${instance.toString()}/agentPools`, armApiVersion(PROVISIONED_POOL_TYPE), context);
  }

  getPool(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(PROVISIONED_POOL_TYPE), context);
  }

  putPool(id: ArmId, body: JsonObject, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.put(id, armApiVersion(PROVISIONED_POOL_TYPE), body, context);
  }

  changePool(
    id: ArmId,
    observed: JsonObject,
    change: (body: JsonObject) => void,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.putPool(id, changedBody(id, observed, change), context);
  }

  deletePool(id: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    return this.arm.delete(id, armApiVersion(PROVISIONED_POOL_TYPE), context);
  }

  getOffer(customLocation: ArmId, offer: HostOffer, context: AzureCallContext): Promise<ArmReading> {
    const type = typeOf(offer);
    return this.arm.get(customLocation.resource(type, DEFAULT_NAME), armApiVersion(type), context);
  }

  /** Lets Azure ask the host what it has. */
  putOffer(customLocation: ArmId, offer: HostOffer, context: AzureCallContext): Promise<ArmWriteAnswer> {
    const type = typeOf(offer);
    const body = { extendedLocation: { type: 'CustomLocation', name: customLocation.toString() } };
    return this.arm.put(customLocation.resource(type, DEFAULT_NAME), armApiVersion(type), body, context);
  }

  getCustomLocation(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(CUSTOM_LOCATION_TYPE), context);
  }

  getLogicalNetwork(id: ArmId, context: AzureCallContext): Promise<ArmReading> {
    return this.arm.get(id, armApiVersion(LOGICAL_NETWORK_TYPE), context);
  }

  getResourceGroup(subscriptionId: string, resourceGroup: string, context: AzureCallContext): Promise<ArmReading> {
    const id = ArmId.resourceGroup(subscriptionId, resourceGroup);
    return this.arm.get(id, armApiVersion('Microsoft.Resources/resourceGroups'), context);
  }

  getProvider(subscriptionId: string, namespace: string, context: AzureCallContext): Promise<ArmReading> {
    const path = `${ArmId.subscription(subscriptionId).toString()}/providers/${namespace}`;
    return this.arm.get(path, armApiVersion('Microsoft.Resources/providers'), context);
  }

  /** Starts fetching the kubeconfig of a user: it comes with the end of the operation, in its status. */
  listUserKubeconfig(instance: ArmId, context: AzureCallContext): Promise<ArmWriteAnswer> {
    const path = `${instance.toString()}/listUserKubeconfig`;
    return this.arm.post(path, armApiVersion(PROVISIONED_CLUSTER_TYPE), undefined, context);
  }
}

function typeOf(offer: HostOffer): string {
  return offer === 'kubernetesVersions' ? VERSIONS_TYPE : SKUS_TYPE;
}
