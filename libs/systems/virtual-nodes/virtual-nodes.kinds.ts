import type { KindDefinition } from '../contract/kind-definition.js';
import { containerGroupKind } from './container-group.kind.js';
import { subnetKind, virtualNetworkKind } from './network.kinds.js';
import { roleAssignmentKind } from './role-assignment.kind.js';
import { virtualNodeKind } from './virtual-node.kind.js';

/** What Azure itself has. */
export const azureKinds: readonly KindDefinition[] = [
  containerGroupKind,
  virtualNetworkKind,
  subnetKind,
  roleAssignmentKind,
];

export const virtualNodesKinds: readonly KindDefinition[] = [virtualNodeKind, ...azureKinds];
