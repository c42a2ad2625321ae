import type { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';

/** What Helm writes down of one revision of a release: a secret, whose label `status` is the state of that revision. */
export interface ReleaseRecord {
  metadata: { name: string; labels?: Readonly<Record<string, string>> };
}

/** A release that is in the way of another one of its name. */
export interface LeftRelease {
  name: string;
  namespace: string;
  records: readonly ReleaseRecord[];
}

/**
 * What frees the name of a release. The objects of one that is deployed, or on its way, would be nobody's without its records
 * and run on: such a release has to be uninstalled, which takes them along, and that is for people to decide.
 */
export function freeingOf(
  cluster: ArmId,
  { name, namespace, records }: LeftRelease,
): { remedy: string; operations: RemedyOperation[] } {
  if (records.some(isAlive)) {
    const remedy = `The release is deployed or being changed: where nothing needs it any more, uninstall it (\`helm uninstall ${name} --namespace ${namespace}\`), then try again.`;
    return { remedy, operations: [] };
  }
  const operations = records.map(({ metadata }) => ({
    type: 'kubernetes.object.delete',
    input: { cluster: cluster.toString(), apiVersion: 'v1', kind: 'Secret', name: metadata.name, namespace },
  }));
  return { remedy: 'Delete the records of the release that are left, then try again.', operations };
}

function isAlive({ metadata }: ReleaseRecord): boolean {
  const status = metadata.labels?.status;
  return status === 'deployed' || status?.startsWith('pending-') === true;
}
