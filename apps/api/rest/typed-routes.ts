import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { OperationControl } from '#libs/control/operation.control.js';
import { ResourceControl } from '#libs/control/resource.control.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { kindRoutes } from './kind.routes.js';
import { operationTypeRoute } from './operation-type.routes.js';

/**
 * The routes that the registry makes: each kind's and each operation type's. They are no controllers, since those are
 * known before there is a registry.
 */
@Injectable()
export class TypedRoutes implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly registry: SystemRegistry,
    private readonly resources: ResourceControl,
    private readonly operations: OperationControl,
  ) {}

  onModuleInit(): void {
    const instance = this.host.httpAdapter.getInstance<FastifyInstance>();
    for (const kind of this.registry.kinds) {
      const isAdvised = this.registry.advisorsOf(kind.name).length > 0;
      for (const route of kindRoutes(kind, this.resources, isAdvised)) instance.route(route);
    }
    for (const definition of this.registry.operations) instance.route(operationTypeRoute(definition, this.operations));
  }
}
