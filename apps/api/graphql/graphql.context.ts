import type { Logger } from 'pino';
import type { Caller } from '#libs/access/caller.js';
import type { AuditControl } from '#libs/control/audit.control.js';
import type { BudgetControl } from '#libs/control/budget.control.js';
import type { ChangeControl } from '#libs/control/change.control.js';
import type { OperationControl } from '#libs/control/operation.control.js';
import type { OperationSetControl } from '#libs/control/operation-set.control.js';
import type { ResourceControl } from '#libs/control/resource.control.js';
import type { OpenStreams } from '../http/open-streams.js';
import type { ResourceLoaders } from './resource.loaders.js';

/** What resolvers call. */
export interface GraphqlControls {
  resources: ResourceControl;
  operations: OperationControl;
  operationSets: OperationSetControl;
  changes: ChangeControl;
  audit: AuditControl;
  budgets: BudgetControl;
  streams: OpenStreams;
}

/** One GraphQL operation: who asks, and what it has loaded. */
export interface GraphqlContext {
  controls: GraphqlControls;
  caller: Caller;
  correlationId: string;
  /** Aborts when the client goes away. Made when it is asked for: most operations have nothing to stop. */
  signal: () => AbortSignal | undefined;
  loaders: ResourceLoaders;
  logger: Logger;
}
