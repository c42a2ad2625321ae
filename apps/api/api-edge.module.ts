import { Module, type DynamicModule } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import type { Logger } from 'pino';
import { API_LOGGER, API_SETTINGS, type ApiSettings } from './api.settings.js';
import { GraphqlDriver } from './graphql/graphql.driver.js';
import { GraphqlEndpoint } from './graphql/graphql.endpoint.js';
import { GraphqlSocketServer } from './graphql/graphql-socket.server.js';
import { graphqlOptions } from './graphql/graphql.options.js';
import { HealthController } from './health.controller.js';
import { ApiMetrics } from './http/api.metrics.js';
import { OpenStreams } from './http/open-streams.js';
import { MetricsController } from './metrics.controller.js';
import { DocumentationController } from './openapi/documentation.controller.js';
import { OpenapiDocument } from './openapi/openapi.document.js';
import { AuditController } from './rest/audit.controller.js';
import { ChangeController } from './rest/change.controller.js';
import { ClusterController } from './rest/cluster.controller.js';
import { OperationController } from './rest/operation.controller.js';
import { BudgetController } from './rest/budget.controller.js';
import { OperationEventController } from './rest/operation-event.controller.js';
import { OperationSetController } from './rest/operation-set.controller.js';
import { OperationTypeController } from './rest/operation-type.controller.js';
import { ResourceController } from './rest/resource.controller.js';
import { TypedRoutes } from './rest/typed-routes.js';

/**
 * The HTTP edges. They need SystemRegistry and the controls (Resource, Cluster, Operation, Change, Budget, Audit, Access, Readiness) from
 * a global module, or from one of `imports`, which must export them.
 */
@Module({})
export class ApiEdgeModule {
  static register(
    settings: ApiSettings,
    logger: Logger,
    imports: NonNullable<DynamicModule['imports']> = [],
  ): DynamicModule {
    const foundation: DynamicModule = {
      module: ApiFoundationModule,
      imports,
      providers: [
        { provide: API_SETTINGS, useValue: settings },
        { provide: API_LOGGER, useValue: logger },
        { provide: OpenStreams, useFactory: () => new OpenStreams(settings.maxOpenStreams) },
        { provide: ApiMetrics, inject: [OpenStreams], useFactory: (streams: OpenStreams) => new ApiMetrics(streams) },
        GraphqlEndpoint,
      ],
      exports: [API_SETTINGS, API_LOGGER, OpenStreams, ApiMetrics, GraphqlEndpoint],
    };
    return {
      module: ApiEdgeModule,
      imports: [
        ...imports,
        foundation,
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: GraphqlDriver,
          imports: [foundation],
          inject: [GraphqlEndpoint],
          useFactory: graphqlOptions,
        }),
      ],
      controllers: [
        ResourceController,
        ClusterController,
        OperationController,
        OperationEventController,
        OperationSetController,
        OperationTypeController,
        BudgetController,
        ChangeController,
        AuditController,
        HealthController,
        MetricsController,
        DocumentationController,
      ],
      providers: [TypedRoutes, GraphqlSocketServer, OpenapiDocument],
      exports: [foundation],
    };
  }
}

/** What the edges share among each other. */
@Module({})
class ApiFoundationModule {}
