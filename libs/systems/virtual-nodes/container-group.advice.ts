import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { Advice, AdviceRemedy, KnownObject } from '../contract/advice.js';
import { containerGroupKind } from './container-group.kind.js';
import { virtualNodeKind } from './virtual-node.kind.js';

export const CONTAINER_GROUP_CODES = {
  CONTAINER_GROUP_ORPHANED: 'The pod that the group was made for is gone: nobody uses the group, and it is paid for.',
  CONTAINER_GROUP_PUBLIC: 'The address of the group is public: the internet reaches what runs in it.',
} as const satisfies Record<string, string>;

/** What is known around a container group. */
export interface GroupSituation {
  group: KnownObject;
  /** The canonical id of the workload that its pod is of; undefined where it is of none, or gone. */
  workload: string | undefined;
  /** Those of its cluster. */
  virtualNodes: readonly KnownObject[];
  /** What gives its cluster a virtual node in its network; undefined where that network cannot carry one. */
  enabling: RemedyOperation | undefined;
}

export function containerGroupAdvice(situation: GroupSituation): Advice[] {
  return [...orphanAdvice(situation.group), ...publicAdvice(situation)];
}

export function isPublic({ properties }: KnownObject): boolean {
  return containerGroupKind.describe(properties).exposure === 'Public';
}

function orphanAdvice({ id, properties }: KnownObject): Advice[] {
  const { orphan, podName, podNamespace, nodeName, cpuCores, memoryGb } = containerGroupKind.describe(properties);
  if (!orphan) return [];
  const code = 'CONTAINER_GROUP_ORPHANED';
  return [
    {
      code,
      severity: 'warning',
      cause: CONTAINER_GROUP_CODES[code],
      evidence: { pod: `${podNamespace ?? ''}/${podName ?? ''}`, virtualNode: nodeName, cpuCores, memoryGb },
      remedies: [
        {
          description: 'Delete the container group.',
          operations: [{ type: 'azure.containerGroup.delete', input: { containerGroup: id } }],
        },
      ],
    },
  ];
}

function publicAdvice(situation: GroupSituation): Advice[] {
  const { ipAddress, ports, nodeName, orphan } = containerGroupKind.describe(situation.group.properties);
  // One that nobody uses is to be deleted, not moved.
  if (!isPublic(situation.group) || orphan) return [];
  const code = 'CONTAINER_GROUP_PUBLIC';
  return [
    {
      code,
      severity: 'warning',
      cause: CONTAINER_GROUP_CODES[code],
      evidence: { ipAddress, ports, virtualNode: nodeName },
      remedies: [remedyOf(situation)],
    },
  ];
}

function remedyOf({ workload, virtualNodes, enabling }: GroupSituation): AdviceRemedy {
  const inNetwork = virtualNodes.find(isInNetwork);
  if (inNetwork !== undefined && workload !== undefined) {
    return {
      description: `Let the workload run on the virtual node ${inNetwork.name}, whose pods have addresses of the network.`,
      operations: [{ type: 'virtualNodes.workload.burst', input: { workload, virtualNode: inNetwork.name } }],
    };
  }
  if (inNetwork !== undefined) {
    return {
      description: `Make the pod anew on the virtual node ${inNetwork.name}, whose pods have addresses of the network.`,
      operations: [],
    };
  }
  if (enabling !== undefined) {
    return {
      description:
        'Give the cluster a virtual node in its network; then let the workload run there (virtualNodes.workload.burst).',
      operations: [enabling],
    };
  }
  return {
    description:
      'Let it run in a cluster with a virtual node in its network: that takes Azure CNI without an overlay, and room for a subnet.',
    operations: [],
  };
}

function isInNetwork({ properties }: KnownObject): boolean {
  const { ready, exposesPods, unschedulable } = virtualNodeKind.describe(properties);
  return ready && !exposesPods && !unschedulable;
}
