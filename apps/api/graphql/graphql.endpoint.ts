import { Inject, Injectable } from '@nestjs/common';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { Caller } from '#libs/access/caller.js';
import { AuditControl } from '#libs/control/audit.control.js';
import { BudgetControl } from '#libs/control/budget.control.js';
import { ChangeControl } from '#libs/control/change.control.js';
import { OperationControl } from '#libs/control/operation.control.js';
import { OperationSetControl } from '#libs/control/operation-set.control.js';
import { ResourceControl } from '#libs/control/resource.control.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { API_LOGGER, API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { OpenStreams } from '../http/open-streams.js';
import type { GraphqlContext, GraphqlControls } from './graphql.context.js';
import { buildGraphqlSchema } from './graphql-schema.builder.js';
import { QueryLimits } from './query.limits.js';
import { ResourceLoaders } from './resource.loaders.js';

/** The schema, its limits and the context of an operation: the same for HTTP and for WebSocket. */
@Injectable()
export class GraphqlEndpoint {
  readonly schema: GraphQLSchema;
  readonly limits: QueryLimits;
  readonly #controls: GraphqlControls;

  constructor(
    registry: SystemRegistry,
    resources: ResourceControl,
    operations: OperationControl,
    operationSets: OperationSetControl,
    changes: ChangeControl,
    audit: AuditControl,
    budgets: BudgetControl,
    streams: OpenStreams,
    @Inject(API_SETTINGS) private readonly settings: ApiSettings,
    @Inject(API_LOGGER) private readonly logger: Logger,
  ) {
    this.schema = buildGraphqlSchema(registry);
    this.limits = new QueryLimits(this.schema, settings.graphqlMaxDepth, settings.graphqlMaxCost);
    this.#controls = { resources, operations, operationSets, changes, audit, budgets, streams };
  }

  contextOf(caller: Caller, correlationId: string, signal: GraphqlContext['signal']): GraphqlContext {
    return {
      controls: this.#controls,
      caller,
      correlationId,
      signal,
      loaders: new ResourceLoaders(this.#controls.resources, caller, this.settings.graphqlMaxCost),
      logger: this.logger,
    };
  }
}
