import { aksError } from './aks.errors.js';

/** The patch that AKS installs for a minor version, newest last. */
const PATCHES = new Map([
  ['1.30', '1.30.14'],
  ['1.31', '1.31.13'],
  ['1.32', '1.32.9'],
  ['1.33', '1.33.5'],
  ['1.34', '1.34.2'],
  ['1.35', '1.35.0'],
]);

export const DEFAULT_KUBERNETES_VERSION = '1.33.5';

/**
 * The full version that a cluster asked for as `1.33` or `1.33.5` runs.
 * @throws ArmError K8sVersionNotSupported.
 */
export function runningKubernetesVersion(wanted: string, clusterName: string): string {
  const match = /^(\d+\.\d+)(\.\d+)?$/.exec(wanted);
  const patch = PATCHES.get(match?.[1] ?? '');
  if (patch === undefined) {
    throw aksError(
      400,
      'K8sVersionNotSupported',
      `Managed cluster ${clusterName} is on version ${wanted}, which is not supported in this region. Please use ` +
        '[az aks get-versions] command to get the supported version list in this region. For more information, ' +
        'please check https://aka.ms/supported-version-list',
    );
  }
  return match?.[2] === undefined ? patch : wanted;
}

/** The newest patch of a minor version (`1.34`), if AKS offers that minor version. */
export function newestPatchOf(minor: string): string | undefined {
  return PATCHES.get(minor);
}

/** The newest patches of every minor version on offer, newest last. */
export function offeredVersions(): string[] {
  return [...PATCHES.values()];
}

/** What a cluster can be upgraded to: newer patches of its minor version, and the next minor version. */
export function upgradesFrom(version: string): string[] {
  return offeredVersions().filter((offered) => {
    const minors = minorOf(offered) - minorOf(version);
    return compareVersions(offered, version) > 0 && minors <= 1;
  });
}

/** Below zero when the left one is older. */
export function compareVersions(left: string, right: string): number {
  const [leftParts, rightParts] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (const [index, part] of leftParts.entries()) {
    const difference = part - (rightParts[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function minorOf(version: string): number {
  return Number(version.split('.')[1] ?? 0);
}
