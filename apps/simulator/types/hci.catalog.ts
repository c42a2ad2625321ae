import type { JsonObject } from '#libs/kernel/json.js';
import { badRequest } from './arc.family.js';

/** What a host of the simulator has: versions with their images, and machines. */

interface CatalogVersion {
  version: string;
  upgrades: string[];
  /** Operating systems whose image is still on its way. */
  pending?: string[];
}

const VERSIONS: readonly CatalogVersion[] = [
  { version: '1.28.12', upgrades: ['1.28.14', '1.29.7', '1.29.9'] },
  { version: '1.28.14', upgrades: ['1.29.7', '1.29.9'] },
  { version: '1.29.7', upgrades: ['1.29.9', '1.30.3', '1.30.4'] },
  { version: '1.29.9', upgrades: ['1.30.3', '1.30.4'] },
  { version: '1.30.3', upgrades: ['1.30.4'] },
  { version: '1.30.4', upgrades: [], pending: ['Windows2019', 'Windows2022'] },
];

const SYSTEMS = [
  { osType: 'Linux', osSku: 'CBLMariner' },
  { osType: 'Windows', osSku: 'Windows2019' },
  { osType: 'Windows', osSku: 'Windows2022' },
];

const SIZES: readonly [name: string, cores: number, memory: number][] = [
  ['Standard_A2_v2', 2, 4],
  ['Standard_A4_v2', 4, 8],
  ['Standard_D4s_v3', 4, 16],
  ['Standard_D8s_v3', 8, 32],
  ['Standard_D16s_v3', 16, 64],
  ['Standard_K8S3_v1', 4, 6],
];

/** As `kubernetesVersions/default` tells it. */
export function versionValues(): JsonObject[] {
  const minors = [...new Set(VERSIONS.map(({ version }) => minorOf(version)))];
  return minors.map((minor) => ({
    version: minor,
    isPreview: false,
    patchVersions: Object.fromEntries(
      VERSIONS.filter(({ version }) => minorOf(version) === minor).map(({ version, upgrades, pending = [] }) => [
        version,
        {
          upgrades: [...upgrades],
          readiness: SYSTEMS.map((system) => ({
            ...system,
            ready: !pending.includes(system.osSku),
            ...(pending.includes(system.osSku) ? { errorMessage: messageOf(system.osSku, version) } : {}),
          })),
        },
      ]),
    ),
  }));
}

/** As `skus/default` tells it. */
export function sizeValues(): JsonObject[] {
  return SIZES.map(([name, cores, memory]) => ({
    resourceType: 'virtualMachines',
    name,
    tier: 'Standard',
    size: name.replace('Standard_', ''),
    capabilities: [
      { name: 'vCPUs', value: String(cores) },
      { name: 'MemoryGB', value: String(memory) },
      { name: 'GPU', value: '0' },
    ],
  }));
}

/** @throws ArmError for a version that the host does not have, or not for these systems. */
export function requireVersion(version: string, osSkus: readonly string[]): void {
  const known = VERSIONS.find((each) => each.version === version);
  if (known === undefined) {
    throw badRequest(
      'InvalidKubernetesVersion',
      `The Kubernetes version '${version}' is not supported. Supported versions are: ${VERSIONS.map((each) => each.version).join(', ')}.`,
      'properties.kubernetesVersion',
    );
  }
  const pending = osSkus.find((sku) => known.pending?.includes(sku));
  if (pending !== undefined) {
    throw badRequest('KubernetesVersionNotReady', messageOf(pending, version), 'properties.kubernetesVersion');
  }
}

/** @throws ArmError for a step that the host does not offer. */
export function requireUpgrade(from: string, to: string): void {
  const known = VERSIONS.find((each) => each.version === from);
  if (from === to || known === undefined || known.upgrades.includes(to)) return;
  throw badRequest(
    'InvalidKubernetesVersion',
    `The cluster cannot be upgraded from '${from}' to '${to}'. Available upgrades are: ${known.upgrades.join(', ')}.`,
    'properties.kubernetesVersion',
  );
}

/** @throws ArmError for a machine that the host does not offer. */
export function requireVmSize(vmSize: string): void {
  if (SIZES.some(([name]) => name.toLowerCase() === vmSize.toLowerCase())) return;
  throw badRequest('InvalidVmSize', `The VM size '${vmSize}' is not supported on this host.`, 'vmSize');
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function messageOf(osSku: string, version: string): string {
  return `The image of ${osSku} for the Kubernetes version ${version} has not been downloaded yet.`;
}
