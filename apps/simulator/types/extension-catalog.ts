import type { Json } from '#libs/kernel/json.js';

/** A resource type that a custom location offers once the extension stands behind it. */
export interface OfferedType {
  resourceProviderNamespace: string;
  resourceType: string;
  apiVersion: string;
}

/** An extension type as the configuration agents know it. */
export interface KnownExtension {
  /** In lower case, as it is stored and shown. */
  type: string;
  /** The newest of the stable train. */
  version: string;
  /** All of that train, with the minor versions of Kubernetes that each does not run on. */
  versions: readonly { version: string; unsupportedKubernetesVersions: readonly string[] }[];
  /** Where its release goes when the caller does not say. */
  releaseNamespace: string;
  isSystem: boolean;
  offers: readonly OfferedType[];
}

const web = (resourceType: string): OfferedType => ({
  resourceProviderNamespace: 'Microsoft.Web',
  resourceType,
  apiVersion: '2022-03-01',
});
const app = (resourceType: string): OfferedType => ({
  resourceProviderNamespace: 'Microsoft.App',
  resourceType,
  apiVersion: '2025-01-01',
});

const KNOWN: readonly Omit<KnownExtension, 'versions'>[] = [
  {
    type: 'microsoft.web.appservice',
    version: '0.12.2',
    releaseNamespace: 'appservice-ns',
    isSystem: false,
    offers: [web('kubeEnvironments'), web('serverFarms'), web('sites'), web('certificates')],
  },
  {
    type: 'microsoft.app.environment',
    version: '1.37.2',
    releaseNamespace: 'appplat-ns',
    isSystem: false,
    offers: [app('connectedEnvironments'), app('containerApps'), app('jobs')],
  },
  { type: 'microsoft.flux', version: '1.17.3', releaseNamespace: 'flux-system', isSystem: false, offers: [] },
  {
    type: 'microsoft.azuremonitor.containers',
    version: '3.1.30',
    releaseNamespace: 'kube-system',
    isSystem: false,
    offers: [],
  },
  {
    type: 'microsoft.azurekeyvaultsecretsprovider',
    version: '1.7.4',
    releaseNamespace: 'kube-system',
    isSystem: false,
    offers: [],
  },
  { type: 'microsoft.policyinsights', version: '1.10.1', releaseNamespace: 'kube-system', isSystem: false, offers: [] },
  { type: 'microsoft.dapr', version: '1.14.4', releaseNamespace: 'dapr-system', isSystem: false, offers: [] },
];

/** Minor versions that came to their end: the newest of each type needs later ones, the one before it does not. */
const ENDED = ['1.24', '1.25', '1.26'];

const byType = new Map(
  KNOWN.map((extension): [string, KnownExtension] => {
    const versions = [
      { version: extension.version, unsupportedKubernetesVersions: ENDED },
      { version: versionBefore(extension.version), unsupportedKubernetesVersions: [] },
    ];
    return [extension.type, { ...extension, versions }];
  }),
);

function versionBefore(version: string): string {
  const [major = '0', minor = '0'] = version.split('.');
  return `${major}.${Number(minor) - 1}.0`;
}

export function knownExtension(type: string): KnownExtension | undefined {
  return byType.get(type.toLowerCase());
}

/** `typesMetadata` as `enabledResourceTypes` shows it. */
export function typesMetadata(extension: KnownExtension): Json[] {
  return extension.offers.map((offer) => ({ ...offer }));
}
