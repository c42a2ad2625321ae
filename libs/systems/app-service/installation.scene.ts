import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { findReleaseRecords } from '#libs/kube/release-records.js';
import { armIdOf } from '../contract/arm-observation.js';
import type { LeftRelease } from '../contract/left-release.js';
import type { OperationContext } from '../contract/operation-definition.js';
import type { AppServiceParts } from './app-service.parts.js';
import { CONNECTED_CLUSTER_KIND } from './placement.js';
import { APP_SERVICE_EXTENSION, EXTENSION_TYPE, isOfType } from './serving-extension.js';

/** What is around an extension that could not be installed. */
export interface InstallationScene {
  /** What Helm has of the name of the extension; undefined where the cluster cannot be looked into. */
  release: LeftRelease | undefined;
  /** The other extensions of the cluster; undefined where Azure does not tell. */
  others: { releases: readonly string[]; hasAppService: boolean } | undefined;
}

type Call = Pick<OperationContext<unknown>, 'correlationId' | 'signal'>;

export async function readInstallation(
  parts: AppServiceParts,
  extension: ArmId,
  namespace: string,
  call: Call,
): Promise<InstallationScene> {
  const cluster = extension.parent ?? extension;
  const client = parts.kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: CONNECTED_CLUSTER_KIND });
  const [records, others] = await Promise.all([
    seenIfAny(() => findReleaseRecords(client, extension.name, namespace, call)),
    seenIfAny(() => readOthers(parts, cluster, extension, call)),
  ]);
  return { release: records === undefined ? undefined : { name: extension.name, namespace, records }, others };
}

async function readOthers({ client }: AppServiceParts, cluster: ArmId, extension: ArmId, call: Call) {
  const releases: string[] = [];
  let hasAppService = false;
  for await (const page of client.listIn(cluster, EXTENSION_TYPE, call)) {
    for (const body of page.items) {
      const id = armIdOf(body);
      if (id.equals(extension)) continue;
      releases.push(id.name);
      hasAppService ||= isOfType(body, APP_SERVICE_EXTENSION);
    }
  }
  return { releases, hasAppService };
}

/** Where what is around a failure cannot be read, the failure itself is what there is to tell. */
export async function seenIfAny<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}
