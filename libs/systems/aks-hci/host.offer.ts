import type { JsonObject } from '#libs/kernel/json.js';
import { rawFlag, rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';

/** The operating systems that nodes can have. */
export const OS_TYPES = ['Linux', 'Windows'] as const;
export type OsType = (typeof OS_TYPES)[number];
export const OS_SKUS = ['CBLMariner', 'Windows2019', 'Windows2022'] as const;
export type OsSku = (typeof OS_SKUS)[number];

/** A patch version that the host knows, and for which operating systems it has the images. */
export interface OfferedVersion {
  version: string;
  preview: boolean;
  upgrades: string[];
  readiness: { osType: string | null; osSku: string | null; ready: boolean; errorMessage: string | null }[];
}

export interface OfferedVmSize {
  name: string;
  tier: string | null;
  capabilities: Record<string, string>;
}

/** Of `kubernetesVersions/default`, in the order of their numbers. */
export function offeredVersions(body: JsonObject): OfferedVersion[] {
  return rawObjects(body, 'properties', 'values')
    .flatMap((minor) =>
      Object.entries(rawObject(minor, 'patchVersions') ?? {}).map(([version, patch]) => ({
        version,
        preview: rawFlag(minor, 'isPreview') ?? false,
        upgrades: rawTexts(patch, 'upgrades'),
        readiness: rawObjects(patch, 'readiness').map((each) => ({
          osType: rawText(each, 'osType'),
          osSku: rawText(each, 'osSku'),
          ready: rawFlag(each, 'ready') ?? false,
          errorMessage: rawText(each, 'errorMessage'),
        })),
      })),
    )
    .sort((left, right) => compareVersions(left.version, right.version));
}

/** Of `skus/default`: machines alone, since the host offers other things as well. */
export function offeredVmSizes(body: JsonObject): OfferedVmSize[] {
  return rawObjects(body, 'properties', 'values').flatMap((sku) => {
    const name = rawText(sku, 'name');
    if (name === null || (rawText(sku, 'resourceType') ?? 'virtualMachines').toLowerCase() !== 'virtualmachines')
      return [];
    const capabilities = rawObjects(sku, 'capabilities').map((each): [string, string] => [
      rawText(each, 'name') ?? '',
      rawText(each, 'value') ?? '',
    ]);
    return [{ name, tier: rawText(sku, 'tier'), capabilities: Object.fromEntries(capabilities) }];
  });
}

/** Negative where the left one is older. Of `1.29.4` and `1.29` the parts that both have count. */
export function compareVersions(left: string, right: string): number {
  const [mine, theirs] = [left, right].map((version) => version.replace(/^v/, '').split('.').map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (mine?.[index] ?? 0) - (theirs?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Of the same major version. */
export function minorSteps(from: string, to: string): number {
  const minor = (version: string): number => Number(version.replace(/^v/, '').split('.')[1] ?? 0);
  return minor(to) - minor(from);
}

/** What keeps the version from running on such nodes; undefined where nothing does. */
export function unreadiness(
  version: OfferedVersion,
  osType: string,
  osSku: string,
): { osSku: string | null; errorMessage: string | null } | undefined {
  const relevant = version.readiness.filter((each) => each.osType?.toLowerCase() === osType.toLowerCase());
  const exact = relevant.find((each) => each.osSku?.toLowerCase() === osSku.toLowerCase()) ?? relevant[0];
  return exact === undefined || exact.ready ? undefined : { osSku: exact.osSku, errorMessage: exact.errorMessage };
}
