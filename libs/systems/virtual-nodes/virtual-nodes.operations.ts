import type { OperationDefinition } from '../contract/operation-definition.js';
import { burstWorkload } from './burst.operations.js';
import { deleteContainerGroup } from './container-group.operations.js';
import { disableVirtualNodes } from './disable.operations.js';
import { enableVirtualNodes } from './enable.operations.js';
import type { VirtualNodesParts } from './virtual-nodes.parts.js';

export function createVirtualNodesOperations(parts: VirtualNodesParts): OperationDefinition[] {
  return [enableVirtualNodes(parts), disableVirtualNodes(parts), burstWorkload(parts), deleteContainerGroup(parts)];
}
