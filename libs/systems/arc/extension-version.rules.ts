import type { JsonObject } from '#libs/kernel/json.js';
import { rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';

/** A version of an extension type as its region offers it, with what it does not run on. */
export interface OfferedExtensionVersion {
  version: string;
  /** Versions of Kubernetes, and the distributions for which they are meant: all of them where none is named. */
  unsupported: { distributions: string[]; versions: string[] }[];
}

/** Of the entries of `extensionTypes/{type}/versions`, the newest first. */
export function offeredExtensionVersions(items: readonly JsonObject[]): OfferedExtensionVersion[] {
  return items
    .flatMap((item) => {
      const version = rawText(item, 'properties', 'version');
      if (version === null) return [];
      const unsupported = rawObjects(item, 'properties', 'unsupportedKubernetesVersions', 'connectedCluster').map(
        (each) => ({ distributions: rawTexts(each, 'distributions'), versions: rawTexts(each, 'unsupportedVersions') }),
      );
      return [{ version, unsupported }];
    })
    .sort((left, right) => right.version.localeCompare(left.version, 'en', { numeric: true }));
}

/** Whether an extension of this version runs on such a cluster, as far as Azure says. */
export function runsOn(
  { unsupported }: OfferedExtensionVersion,
  { kubernetesVersion, distribution }: { kubernetesVersion: string; distribution: string | null },
): boolean {
  return !unsupported.some(
    ({ distributions, versions }) =>
      (distributions.length === 0 ||
        distributions.some((each) => each === '*' || each.toLowerCase() === distribution?.toLowerCase())) &&
      versions.some((each) => isOf(kubernetesVersion, each)),
  );
}

/** `1.24` and `1.24.*` mean every patch version of it. */
function isOf(version: string, pattern: string): boolean {
  const given = partsOf(version);
  return partsOf(pattern).every((part, index) => part === '*' || part === 'x' || part === given[index]);
}

/** Without the letter before it, and without what a distribution puts behind it: `v1.29.7+k3s1`. */
function partsOf(version: string): string[] {
  return version
    .replace(/^v/, '')
    .replace(/[+-].*$/, '')
    .split('.');
}
