import type { ResourceRecord } from '#libs/inventory/resource.record.js';
import type { ClusterDirectory } from '#libs/systems/contract/cluster-directory.js';

export function directoryOf(find: (uid: string) => Promise<ResourceRecord | null>): ClusterDirectory {
  return {
    find: async (clusterUid) => {
      const record = await find(clusterUid);
      if (record === null) return undefined;
      const { uid, id, kind, name, subscriptionId, resourceGroup, location } = record;
      return { uid, id, kind, name, subscriptionId, resourceGroup, location };
    },
  };
}
