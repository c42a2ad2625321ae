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
