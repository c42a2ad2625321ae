import type { JsonObject } from '#libs/kernel/json.js';

export const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
export const CONNECTED_CLUSTER_ID = `${GROUP}/providers/Microsoft.Kubernetes/connectedClusters/my-workload-cluster`;
export const EXTENSION_ID = `${CONNECTED_CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensions/appservice-ext`;
export const CUSTOM_LOCATION_ID = `${GROUP}/providers/Microsoft.ExtendedLocation/customLocations/akshci-apps`;
export const ENVIRONMENT_ID = `${GROUP}/providers/Microsoft.Web/kubeEnvironments/akshci-env`;
export const PLAN_ID = `${GROUP}/providers/Microsoft.Web/serverfarms/akshci-plan`;
export const WEB_APP_ID = `${GROUP}/providers/Microsoft.Web/sites/k8swebapp2`;
export const CERTIFICATE_ID = `${GROUP}/providers/Microsoft.Web/certificates/webapps`;
export const CONNECTED_ENVIRONMENT_ID = `${GROUP}/providers/Microsoft.App/connectedEnvironments/apps-env`;
export const CONTAINER_APP_ID = `${GROUP}/providers/Microsoft.App/containerApps/shop`;
export const NAMESPACE = 'akshci-apps';
export const STATIC_IP = '192.168.0.102';
export const HOST_NAME = 'webapps.akshci.aimless.jp';
export const DEFAULT_HOST_NAME = 'k8swebapp2.akshci-env-abc123.eastus.k4apps.io';

const extendedLocation = { name: CUSTOM_LOCATION_ID, type: 'CustomLocation' };

export function connectedClusterBody(change: JsonObject = {}): JsonObject {
  return {
    id: CONNECTED_CLUSTER_ID,
    name: 'my-workload-cluster',
    location: 'eastus',
    properties: { provisioningState: 'Succeeded', connectivityStatus: 'Connected', ...change },
  };
}

export function extensionBody(change: JsonObject = {}, settings: JsonObject = {}): JsonObject {
  return {
    id: EXTENSION_ID,
    name: 'appservice-ext',
    properties: {
      provisioningState: 'Succeeded',
      extensionType: 'microsoft.web.appservice',
      configurationSettings: {
        clusterName: 'akshci-env',
        appsNamespace: NAMESPACE,
        loadBalancerIp: STATIC_IP,
        ...settings,
      },
      statuses: [],
      ...change,
    },
  };
}

export function customLocationBody(change: JsonObject = {}): JsonObject {
  return {
    id: CUSTOM_LOCATION_ID,
    name: 'akshci-apps',
    location: 'eastus',
    properties: {
      provisioningState: 'Succeeded',
      hostResourceId: CONNECTED_CLUSTER_ID,
      namespace: NAMESPACE,
      clusterExtensionIds: [EXTENSION_ID],
      ...change,
    },
  };
}

export function environmentBody(change: JsonObject = {}): JsonObject {
  return {
    id: ENVIRONMENT_ID,
    name: 'akshci-env',
    location: 'eastus',
    extendedLocation,
    properties: {
      provisioningState: 'Succeeded',
      staticIp: STATIC_IP,
      defaultDomain: 'akshci-env-abc123.eastus.k4apps.io',
      ...change,
    },
  };
}

export function planBody(change: JsonObject = {}): JsonObject {
  return {
    id: PLAN_ID,
    name: 'akshci-plan',
    kind: 'linux,kubernetes',
    location: 'East US',
    extendedLocation,
    sku: { name: 'K1', tier: 'Kubernetes', capacity: 1 },
    properties: {
      provisioningState: 'Succeeded',
      status: 'Ready',
      perSiteScaling: true,
      numberOfSites: 1,
      kubeEnvironmentProfile: { id: ENVIRONMENT_ID },
      ...change,
    },
  };
}

/** As App Service shows it: without its configuration, which is read by itself. */
export function webAppBody(change: JsonObject = {}): JsonObject {
  return {
    id: WEB_APP_ID,
    name: 'k8swebapp2',
    kind: 'linux,kubernetes,app',
    location: 'East US',
    extendedLocation,
    properties: {
      state: 'Running',
      enabled: true,
      availabilityState: 'Normal',
      serverFarmId: PLAN_ID,
      defaultHostName: DEFAULT_HOST_NAME,
      hostNameSslStates: [{ name: DEFAULT_HOST_NAME, sslState: 'Disabled' }],
      ...change,
    },
  };
}

export function webAppConfigBody(change: JsonObject = {}): JsonObject {
  return {
    id: `${WEB_APP_ID}/config/web`,
    name: 'web',
    properties: { linuxFxVersion: 'NODE|12-lts', numberOfWorkers: 1, alwaysOn: true, ...change },
  };
}

export function hostNameBindingBody(hostName: string, change: JsonObject = {}): JsonObject {
  return {
    id: `${WEB_APP_ID}/hostNameBindings/${hostName}`,
    name: `k8swebapp2/${hostName}`,
    properties: { siteName: 'k8swebapp2', hostNameType: 'Verified', sslState: 'Disabled', ...change },
  };
}

export function certificateBody(change: JsonObject = {}): JsonObject {
  return {
    id: CERTIFICATE_ID,
    name: 'webapps',
    location: 'East US',
    extendedLocation,
    properties: {
      subjectName: HOST_NAME,
      hostNames: [HOST_NAME],
      issuer: HOST_NAME,
      issueDate: '2026-01-01T00:00:00.000Z',
      expirationDate: '2126-01-01T00:00:00.000Z',
      thumbprint: TEST_PFX_THUMBPRINT,
      serverFarmId: PLAN_ID,
      ...change,
    },
  };
}

export function connectedEnvironmentBody(change: JsonObject = {}): JsonObject {
  return {
    id: CONNECTED_ENVIRONMENT_ID,
    name: 'apps-env',
    location: 'eastus',
    extendedLocation,
    properties: { provisioningState: 'Succeeded', defaultDomain: 'apps-env-1.eastus.k4apps.io', ...change },
  };
}

export function containerAppBody(change: JsonObject = {}): JsonObject {
  return {
    id: CONTAINER_APP_ID,
    name: 'shop',
    location: 'East US',
    extendedLocation,
    properties: {
      provisioningState: 'Succeeded',
      runningStatus: 'Running',
      environmentId: CONNECTED_ENVIRONMENT_ID,
      latestRevisionName: 'shop--1',
      configuration: { ingress: { external: true, targetPort: 8080, fqdn: 'shop.apps-env-1.eastus.k4apps.io' } },
      template: {
        containers: [{ name: 'shop', image: 'example.com/shop:1', resources: { cpu: 0.5, memory: '1Gi' } }],
        scale: { minReplicas: 1, maxReplicas: 10 },
      },
      ...change,
    },
  };
}

/** Everything above, and what the web app consists of. */
export function appServiceBodies(): JsonObject[] {
  return [
    connectedClusterBody(),
    extensionBody(),
    customLocationBody(),
    environmentBody(),
    planBody(),
    webAppBody(),
    webAppConfigBody(),
    hostNameBindingBody(DEFAULT_HOST_NAME),
    certificateBody(),
    connectedEnvironmentBody(),
    containerAppBody(),
  ];
}

/** A self-signed certificate for `HOST_NAME` with its key, made for tests, valid for a hundred years. */
export const TEST_PFX_PASSWORD = 'only-for-tests';
export const TEST_PFX_THUMBPRINT = 'B2C10742993301D65091ED3A50DA58554822792E';
export const TEST_PFX =
  'MIIEXAIBAzCCBBIGCSqGSIb3DQEHAaCCBAMEggP/MIID+zCCArIGCSqGSIb3DQEHBqCCAqMwggKfAgEAMIICmAYJKoZIhvcNAQcB' +
  'MFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiHGjof527DSgICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEBya' +
  'nouxG0ovoJDNzyILXk+AggIw0TJ+WIk8z+0vxk0ZvTyi8f2ry2vIY8otNdAVDsaVpk2sZSC5Uz2iMkBhb4ZcIuPknyPLMPsgIGet' +
  'KJT5K6W6w6aduLZr9UuJYmNFldsmJaKaI58oaC0ipXfOAfVD6Wv9KZSESpm5/Q4F9U+/U1D3YidU6zCTZmG07YA3cFacr1Gss9AE' +
  'IH8btYAfLGSTL9J8gaSytsUiP8fxwerlUKYLGNvGK1iYXnqRVG4IByMYqvoQjv/1LYzPI77mMJBcZgjRWlKP+8JCaMFW9AUfS2F9' +
  'Re2ahboEmGzR1bWtRc7Q1Ra12ECezRr7rqyLDgWzTbdZ7VbqDjDGngMuqjW9eicYSSpUM0t2jXvP5Rqnyj6bxNYlsrwAV7XUDAnL' +
  'EV4mhCYE3UJ3y1YobuZLS/WlBlwX3oS2vnGf/ccOYaHvo9JNV7D9xeIhXCFQW9IR73kIoPeIwa4+75+Gd10XXM7HMyfRDSNCxE9I' +
  'ScvzPxymCZaPz/nfYKO3ZE+S+B+QF+3s0XCTT4TGcIcFZ1jeLnwV2FYM7aUyW/naQ10zW5u99dW2kctwO4nSWHG1dvB57eScHN9x' +
  '1KS8eArSmSGFxgIc3P+QZZUNalf8FinYQAFAo1jYM8B7OqpSobFFt850nhNJ5WvKGeG5fVWyhAcbZXwD2O6fm9QkCV6ZPwQEivGF' +
  'QvmEtIhxiEQpHd+k34qbLC9DsFkj9MML8XWNGAMTULtUF54taPugwnt9Z5qgqQTpzqketuYwggFBBgkqhkiG9w0BBwGgggEyBIIB' +
  'LjCCASowggEmBgsqhkiG9w0BDAoBAqCB7zCB7DBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIGIv/kdplT2cCAggAMAwG' +
  'CCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBAYcvI9HjVEADFSFG2xBU0TBIGQug6cT0HzmSqIhWxDh6frkTsrt+l55pt4DQYQEMJg' +
  'Y3BdsU7wOjAMdwlQT/Se+hl14udMsLe9IFRGzuKM+KNGg3HUeOZxvZcjjY7K67cNZd0K7BBRoTz+NhZ74E61Ad2A2Q6LtCWSD/+G' +
  'lIuJEfEPDRD6gZKCKFQF3/4dkya8iVLxvLU51WPnBz9251JoTabEMSUwIwYJKoZIhvcNAQkVMRYEFLLBB0KZMwHWUJHtOlDaWFVI' +
  'InkuMEEwMTANBglghkgBZQMEAgEFAAQgnQ9UrvKeg3zqBk/UgI/YyRpHwYBx3cz/OOXWP5sEw6IECHbi/nTnIjwKAgIIAA==';
