import type { JsonObject } from '#libs/kernel/json.js';

const GROUP =
  '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/MC_demo/providers/Microsoft.ContainerInstance/containerGroups/web-web-1';

/** As the connectors of the first years write it. */
export function earlyRefusal(status: number, code: string, message: string): string {
  return `api call to https://management.azure.com${GROUP}?api-version=2018-10-01: got HTTP response status code ${status} error code "${code}": ${message}`;
}

/** As those after them do. */
export function middleRefusal(status: number, code: string, message: string): string {
  return `containerinstance.ContainerGroupsClient#CreateOrUpdate: Failure sending request: StatusCode=${status} -- Original Error: Code="${code}" Message="${message}"`;
}

/** As those of today do, on lines of their own. */
export function presentRefusal(status: number, code: string, message: string): string {
  const line = '-'.repeat(80);
  const body = JSON.stringify({ error: { code, message } }, null, 2);
  return `PUT https://management.azure.com${GROUP}\n${line}\nRESPONSE ${status}: ${status} Bad Request\nERROR CODE: ${code}\n${line}\n${body}\n${line}\n`;
}

/** What Azure says. */
export const AZURE_SENTENCES = {
  image:
    "The image 'shop.azurecr.io/web:1' in container group 'web-web-1' is not accessible. Please check the image and registry credential.",
  limits:
    "The 'Cpu' limit '2' in container 'web' is greater than the total request '0.5' of container group 'web-web-1'.",
  quota:
    "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded in region 'eastus'. Limit: '10', Usage: '10' Requested: '1'.",
  capacity:
    "The requested resource is not available in the location 'westus' at this moment. Please retry with a different resource request or in another location. Resource requested: '4' CPU '16' GB memory 'Linux' OS virtual network",
  subnet: 'Subnet aci with address prefix 10.0.2.0/24 does not have enough capacity for 1 IP addresses.',
  rights:
    "The client '45ddc48f-bbc5-4b29-9dca-5d0ce944f836' with object id '45ddc48f-bbc5-4b29-9dca-5d0ce944f836' does not have authorization to perform action 'Microsoft.ContainerInstance/containerGroups/write' over scope '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/MC_demo/providers/Microsoft.ContainerInstance/containerGroups/web-web-1' or the scope is invalid. If access was recently granted, please refresh your credentials.",
  linkedRights:
    "The client '45ddc48f-bbc5-4b29-9dca-5d0ce944f836' with object id '45ddc48f-bbc5-4b29-9dca-5d0ce944f836' has permission to perform action 'Microsoft.ContainerInstance/containerGroups/write' on scope '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/MC_demo/providers/Microsoft.ContainerInstance/containerGroups/web-web-1'; however, it does not have permission to perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/demo/providers/Microsoft.Network/virtualNetworks/vnet/subnets/aci' (respectively) or the linked scope(s) are invalid.",
  timeout:
    "The request timed out. Diagnostic information: timestamp '20210209T210703Z', subscription id '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3', tracking id 'a', request correlation id 'b'.",
} as const;

export function refusedPod(message: string, spec: JsonObject = {}): JsonObject {
  return {
    metadata: { name: 'web-1', namespace: 'web' },
    spec: {
      nodeName: 'virtual-node-aci-linux',
      containers: [{ name: 'web', image: 'shop.azurecr.io/web:1' }],
      ...spec,
    },
    status: { phase: 'Pending', reason: 'ProviderFailed', message },
  };
}
