import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { AccessControl } from '#libs/control/access.control.js';
import { BudgetControl } from '#libs/control/budget.control.js';
import { AuditControl } from '#libs/control/audit.control.js';
import { ClusterControl } from '#libs/control/cluster.control.js';
import { ChangeControl } from '#libs/control/change.control.js';
import { OperationControl } from '#libs/control/operation.control.js';
import { OperationSetControl } from '#libs/control/operation-set.control.js';
import { ReadinessControl } from '#libs/control/readiness.control.js';
import { ResourceControl } from '#libs/control/resource.control.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { createApiApplication } from '../../apps/api/api.application.js';
import { ApiEdgeModule } from '../../apps/api/api-edge.module.js';
import { DEFAULT_API_SETTINGS, type ApiSettings } from '../../apps/api/api.settings.js';
import {
  ADMIN_TOKEN,
  FakeAccess,
  FakeAudit,
  FakeChanges,
  FakeClusters,
  FakeOperations,
  FakeReadiness,
  FakeResources,
} from './fake-controls.js';
import { fakeRegistry } from './fake-systems.js';
import { FakeOperationSets } from './fake-operation-sets.js';

/** The edges of the API over fakes, in this process. */
export interface FakeApi {
  application: NestFastifyApplication;
  instance: FastifyInstance;
  resources: FakeResources;
  operations: FakeOperations;
  operationSets: FakeOperationSets;
  changes: FakeChanges;
  clusters: FakeClusters;
  audit: FakeAudit;
  readiness: FakeReadiness;
  /** The log, a parsed line each. */
  log: Record<string, unknown>[];
  /** Listens, and answers the address. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** One bucket that is half empty, and closed. */
function fakeBuckets(): ConstructorParameters<typeof BudgetControl>[0] {
  const callers = { sync: { used: 2, at: 0 }, 'principal:ada': { used: 98.4, at: 0 } };
  const bucket = { tokens: 99.7, at: 0, closedUntil: 4_200, callers };
  const kept = {
    key: { scope: 's1', callClass: 'writes' },
    limit: { capacity: 200, refillPerSecond: 10 },
    bucket,
    now: 0,
  };
  return { findAll: () => Promise.resolve([kept]) };
}

export const asAdmin = { authorization: `Bearer ${ADMIN_TOKEN}` };

export async function startFakeApi(settings: Partial<ApiSettings> = {}): Promise<FakeApi> {
  const registry = fakeRegistry();
  const resources = new FakeResources(registry);
  const operations = new FakeOperations(registry);
  const operationSets = new FakeOperationSets();
  const changes = new FakeChanges();
  const clusters = new FakeClusters();
  const audit = new FakeAudit();
  const readiness = new FakeReadiness();
  const controls = [
    { provide: SystemRegistry, useValue: registry },
    { provide: ResourceControl, useValue: resources },
    { provide: ClusterControl, useValue: clusters },
    { provide: OperationControl, useValue: operations },
    { provide: OperationSetControl, useValue: operationSets },
    { provide: ChangeControl, useValue: changes },
    { provide: AuditControl, useValue: audit },
    { provide: BudgetControl, useValue: new BudgetControl(fakeBuckets()) },
    { provide: AccessControl, useValue: new FakeAccess() },
    { provide: ReadinessControl, useValue: readiness },
  ];

  @Module({})
  class FakeHouseModule {}

  const log: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const all = { ...DEFAULT_API_SETTINGS, ...settings };
  const house = {
    module: FakeHouseModule,
    global: true,
    providers: controls,
    exports: controls.map(({ provide }) => provide),
  };

  @Module({ imports: [house, ApiEdgeModule.register(all, logger)] })
  class FakeApiModule {}

  const application = await createApiApplication(FakeApiModule, all, logger);
  return {
    application,
    instance: application.getHttpAdapter().getInstance(),
    resources,
    operations,
    operationSets,
    changes,
    clusters,
    audit,
    readiness,
    log,
    listen: async () => {
      await application.listen(0, '127.0.0.1');
      return application.getUrl();
    },
    close: () => application.close(),
  };
}
