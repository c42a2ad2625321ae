import { type DynamicModule, Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { createDataSource } from '#libs/database/data-source.js';
import { Database } from '#libs/database/database.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import { AttachedKubeconfigs } from '#libs/access/attached-kubeconfigs.js';
import { AccessRepository } from '#libs/access/access.repository.js';
import { ClusterAccessRepository } from '#libs/access/cluster-access.repository.js';
import { Authenticator } from '#libs/access/authenticator.js';
import { AuditRepository } from '#libs/audit/audit.repository.js';
import type { Azure } from '#libs/azure/azure.js';
import { AZURE, AzureModule } from '#libs/azure/azure.module.js';
import { type AzureOptions, DEFAULT_AZURE_OPTIONS } from '#libs/azure/azure.options.js';
import type { Configuration } from '#libs/config/configuration.js';
import { AccessControl } from '#libs/control/access.control.js';
import { AuditControl } from '#libs/control/audit.control.js';
import { ClusterControl } from '#libs/control/cluster.control.js';
import { BudgetControl } from '#libs/control/budget.control.js';
import { ChangeControl } from '#libs/control/change.control.js';
import { OperationApprovals } from '#libs/control/operation.approvals.js';
import { OperationControl } from '#libs/control/operation.control.js';
import { OperationSetControl } from '#libs/control/operation-set.control.js';
import { OperationWatcher } from '#libs/control/operation.watcher.js';
import { ReadinessControl } from '#libs/control/readiness.control.js';
import { ReferenceResolver } from '#libs/control/reference.resolver.js';
import { ResourceControl } from '#libs/control/resource.control.js';
import { ChangeRepository } from '#libs/inventory/change.repository.js';
import { ObservationWriter } from '#libs/inventory/observation.writer.js';
import { ReadThrough } from '#libs/inventory/read-through.js';
import { ResourceRepository } from '#libs/inventory/resource.repository.js';
import { ScopeRepository } from '#libs/inventory/scope.repository.js';
import { WatchedClusterRepository } from '#libs/inventory/watched-cluster.repository.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { systemClock } from '#libs/kernel/clock.js';
import { WorkerLease } from '#libs/kernel/worker-lease.js';
import { ThrottleBucketRepository } from '#libs/operations/throttle-bucket.repository.js';
import { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import { ApprovalPolicy } from '#libs/operations/approval.policy.js';
import { OperationAcceptor } from '#libs/operations/operation.acceptor.js';
import { OperationFeedRepository } from '#libs/operations/operation-feed.repository.js';
import { OperationRepository } from '#libs/operations/operation.repository.js';
import { OPERATION_SET_CHANNEL, OperationSetRepository } from '#libs/operations/operation-set.repository.js';
import { KubeModule } from '#libs/kube/kube.module.js';
import { AKS_SYSTEM, AksModule } from '#libs/systems/aks/aks.module.js';
import { AKS_HCI_SYSTEM, AksHciModule } from '#libs/systems/aks-hci/aks-hci.module.js';
import { APP_SERVICE_SYSTEM, AppServiceModule } from '#libs/systems/app-service/app-service.module.js';
import { ARC_SYSTEM, ArcModule } from '#libs/systems/arc/arc.module.js';
import { AZURE_SYSTEM, AzureSystemModule } from '#libs/systems/azure/azure.module.js';
import type { System } from '#libs/systems/contract/system.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { FLEET_SYSTEM, FleetModule } from '#libs/systems/fleet/fleet.module.js';
import { STREAM_NAMES, type KubernetesSelection } from '#libs/systems/kubernetes/kubernetes.options.js';
import { KUBERNETES_SYSTEM, KubernetesModule } from '#libs/systems/kubernetes/kubernetes.module.js';
import { VIRTUAL_NODES_SYSTEM, VirtualNodesModule } from '#libs/systems/virtual-nodes/virtual-nodes.module.js';
import { entities, migrations } from '#migrations/schema.js';
import { ClusterDirectoryModule } from './cluster-directory.module.js';
import { createHouseKube, probeWith } from './house-kube.js';
import type { Logger } from './logger.js';
import { CLOCK, CONFIGURATION, LOGGER } from './tokens.js';

/** The rooms that the API and the worker share. Contacts nothing when it is made, apart from the pool of connections. */
@Module({})
export class HouseModule {
  static register(configuration: Configuration, logger: Logger, applicationName: string): DynamicModule {
    const lease = new WorkerLease();
    const connected = Promise.withResolvers<Database>();
    const buckets = new ThrottleBucketRepository(connected.promise);
    return {
      module: HouseModule,
      global: true,
      imports: [
        AzureModule.register({ useFactory: () => azureOptions(configuration) }, { guard: lease, budgetStore: buckets }),
        KubeModule.register({
          inject: [AZURE, ModuleRef],
          useFactory: (azure: Azure, modules: ModuleRef) =>
            createHouseKube(
              configuration,
              azure,
              {
                kubeconfigOf: (uid) => modules.get(AttachedKubeconfigs, { strict: false }).open(uid),
                findCluster: async (uid) => {
                  const record = await modules.get(ResourceRepository, { strict: false }).find(uid);
                  return record === null ? undefined : { uid: record.uid, id: record.id, kind: record.kind };
                },
              },
              lease,
            ),
        }),
        AksModule,
        AksHciModule,
        ArcModule,
        AppServiceModule,
        AzureSystemModule,
        FleetModule,
        ClusterDirectoryModule,
        VirtualNodesModule,
        KubernetesModule.register({ useFactory: () => selectionOf(configuration) }),
      ],
      providers: [
        { provide: CONFIGURATION, useValue: configuration },
        { provide: LOGGER, useValue: logger },
        { provide: CLOCK, useValue: systemClock },
        { provide: WorkerLease, useValue: lease },
        { provide: ThrottleBucketRepository, useValue: buckets },
        {
          provide: Database,
          useFactory: async () => {
            const dataSource = createDataSource({
              url: configuration.databaseUrl,
              poolSize: configuration.databasePoolSize,
              statementTimeoutMs: configuration.statementTimeoutMs,
              applicationName,
              entities,
              migrations,
            });
            const database = new Database(await dataSource.initialize());
            connected.resolve(database);
            return database;
          },
        },
        {
          provide: NotificationListener,
          useFactory: () =>
            new NotificationListener(configuration.databaseUrl, (error) => {
              logger.warn({ err: error }, 'The connection for notifications failed; it will be made again');
            }),
        },
        {
          provide: SystemRegistry,
          inject: [
            AKS_SYSTEM,
            FLEET_SYSTEM,
            KUBERNETES_SYSTEM,
            AZURE_SYSTEM,
            ARC_SYSTEM,
            AKS_HCI_SYSTEM,
            APP_SERVICE_SYSTEM,
            VIRTUAL_NODES_SYSTEM,
          ],
          useFactory: (...systems: System[]) => new SystemRegistry(systems),
        },
        { provide: SecretVault, useFactory: () => new SecretVault(configuration.encryptionKeys) },
        ...inventory(configuration),
        {
          provide: OperationRepository,
          inject: [Database],
          useFactory: (database: Database) => new OperationRepository(database),
        },
        {
          provide: OperationFeedRepository,
          inject: [Database],
          useFactory: (database: Database) => new OperationFeedRepository(database, configuration),
        },
        {
          provide: OperationSetRepository,
          inject: [Database],
          useFactory: (database: Database) => new OperationSetRepository(database),
        },
        { provide: JobQueueRepository, useFactory: () => new JobQueueRepository() },
        {
          provide: AuditRepository,
          inject: [Database],
          useFactory: (database: Database) => new AuditRepository(database),
        },
        {
          provide: AccessRepository,
          inject: [Database],
          useFactory: (database: Database) => new AccessRepository(database),
        },
        {
          provide: ClusterAccessRepository,
          inject: [Database],
          useFactory: (database: Database) => new ClusterAccessRepository(database),
        },
        {
          provide: AttachedKubeconfigs,
          inject: [ClusterAccessRepository, SecretVault],
          useFactory: (accesses: ClusterAccessRepository, vault: SecretVault) =>
            new AttachedKubeconfigs(accesses, vault),
        },
        {
          provide: Authenticator,
          inject: [Database, AccessRepository],
          useFactory: (database: Database, access: AccessRepository) => new Authenticator(database, access),
        },
        ...controls(configuration),
      ],
      exports: [
        CONFIGURATION,
        LOGGER,
        CLOCK,
        WorkerLease,
        ThrottleBucketRepository,
        Database,
        NotificationListener,
        SystemRegistry,
        ResourceRepository,
        ScopeRepository,
        WatchedClusterRepository,
        ChangeRepository,
        ObservationWriter,
        ReadThrough,
        OperationRepository,
        OperationSetRepository,
        OperationAcceptor,
        JobQueueRepository,
        AuditRepository,
        Authenticator,
        SecretVault,
        AttachedKubeconfigs,
        AccessControl,
        AuditControl,
        BudgetControl,
        ChangeControl,
        ClusterControl,
        OperationControl,
        OperationSetControl,
        ReadinessControl,
        ResourceControl,
      ],
    };
  }
}

function inventory(configuration: Configuration): NonNullable<DynamicModule['providers']> {
  const settings = { resourceGraphLagSeconds: configuration.resourceGraphLagSeconds };
  return [
    {
      provide: ResourceRepository,
      inject: [Database],
      useFactory: (database: Database) => new ResourceRepository(database, settings),
    },
    { provide: ScopeRepository, inject: [Database], useFactory: (database: Database) => new ScopeRepository(database) },
    {
      provide: WatchedClusterRepository,
      inject: [Database],
      useFactory: (database: Database) => new WatchedClusterRepository(database),
    },
    {
      provide: ChangeRepository,
      inject: [Database],
      useFactory: (database: Database) => new ChangeRepository(database),
    },
    { provide: ObservationWriter, useFactory: () => new ObservationWriter(settings) },
    {
      provide: ReadThrough,
      inject: [Database, SystemRegistry, ResourceRepository, ScopeRepository, ObservationWriter, NotificationListener],
      useFactory: (
        database: Database,
        registry: SystemRegistry,
        resources: ResourceRepository,
        scopes: ScopeRepository,
        writer: ObservationWriter,
        listener: NotificationListener,
      ) => new ReadThrough(database, registry, resources, scopes, writer, listener, systemClock),
    },
  ];
}

function controls(configuration: Configuration): NonNullable<DynamicModule['providers']> {
  return [
    {
      provide: ReferenceResolver,
      inject: [SystemRegistry, ResourceRepository],
      useFactory: (registry: SystemRegistry, resources: ResourceRepository) =>
        new ReferenceResolver(registry, {
          find: async (uid) => {
            const record = await resources.find(uid);
            return record === null ? undefined : { uid: record.uid, id: record.id, kind: record.kind };
          },
        }),
    },
    {
      provide: OperationAcceptor,
      inject: [OperationRepository, JobQueueRepository, ReferenceResolver, SecretVault, ResourceRepository],
      useFactory: (
        operations: OperationRepository,
        jobs: JobQueueRepository,
        references: ReferenceResolver,
        vault: SecretVault,
        resources: ResourceRepository,
      ) =>
        new OperationAcceptor(
          operations,
          jobs,
          (text, kinds) => references.resolve(text, kinds),
          vault,
          configuration,
          new ApprovalPolicy(configuration, (uid, sql) => resources.findId(uid, sql)),
        ),
    },
    {
      provide: OperationWatcher,
      inject: [NotificationListener],
      useFactory: (listener: NotificationListener) => new OperationWatcher(listener),
    },
    {
      provide: AccessControl,
      inject: [Authenticator],
      useFactory: (authenticator: Authenticator) => new AccessControl(authenticator),
    },
    {
      provide: AuditControl,
      inject: [AuditRepository],
      useFactory: (audit: AuditRepository) => new AuditControl(audit),
    },
    {
      provide: BudgetControl,
      inject: [ThrottleBucketRepository],
      useFactory: (buckets: ThrottleBucketRepository) => new BudgetControl(buckets),
    },
    {
      provide: ChangeControl,
      inject: [SystemRegistry, ChangeRepository, ReferenceResolver, NotificationListener],
      useFactory: (
        registry: SystemRegistry,
        changes: ChangeRepository,
        references: ReferenceResolver,
        listener: NotificationListener,
      ) => new ChangeControl(registry, changes, references, listener),
    },
    {
      provide: ClusterControl,
      inject: [
        Database,
        SystemRegistry,
        ResourceRepository,
        ObservationWriter,
        AttachedKubeconfigs,
        ClusterAccessRepository,
        AuditRepository,
        AZURE,
      ],
      useFactory: (
        database: Database,
        registry: SystemRegistry,
        resources: ResourceRepository,
        writer: ObservationWriter,
        kubeconfigs: AttachedKubeconfigs,
        accesses: ClusterAccessRepository,
        audit: AuditRepository,
        azure: Azure,
      ) =>
        new ClusterControl({
          database,
          registry,
          resources,
          writer,
          kubeconfigs,
          accesses,
          audit,
          probe: probeWith(configuration, azure),
          clock: systemClock,
        }),
    },
    {
      provide: OperationApprovals,
      inject: [OperationRepository, JobQueueRepository, AuditRepository],
      useFactory: (operations: OperationRepository, jobs: JobQueueRepository, audit: AuditRepository) =>
        new OperationApprovals(operations, jobs, audit),
    },
    {
      provide: OperationControl,
      inject: [
        Database,
        SystemRegistry,
        OperationAcceptor,
        OperationRepository,
        JobQueueRepository,
        AuditRepository,
        ReferenceResolver,
        OperationWatcher,
        OperationApprovals,
        OperationFeedRepository,
      ],
      useFactory: (
        database: Database,
        registry: SystemRegistry,
        acceptor: OperationAcceptor,
        operations: OperationRepository,
        jobs: JobQueueRepository,
        audit: AuditRepository,
        references: ReferenceResolver,
        watcher: OperationWatcher,
        approvals: OperationApprovals,
        feed: OperationFeedRepository,
      ) =>
        new OperationControl(
          database,
          registry,
          acceptor,
          operations,
          jobs,
          audit,
          references,
          watcher,
          approvals,
          feed,
        ),
    },
    {
      provide: OperationSetControl,
      inject: [
        Database,
        SystemRegistry,
        OperationAcceptor,
        OperationSetRepository,
        JobQueueRepository,
        AuditRepository,
        ReferenceResolver,
        ResourceControl,
        OperationControl,
        NotificationListener,
        OperationApprovals,
      ],
      useFactory: (
        database: Database,
        registry: SystemRegistry,
        acceptor: OperationAcceptor,
        sets: OperationSetRepository,
        jobs: JobQueueRepository,
        audit: AuditRepository,
        references: ReferenceResolver,
        resources: ResourceControl,
        operations: OperationControl,
        listener: NotificationListener,
        approvals: OperationApprovals,
      ) =>
        new OperationSetControl(
          database,
          registry,
          acceptor,
          sets,
          jobs,
          audit,
          references,
          resources,
          operations,
          new OperationWatcher(listener, OPERATION_SET_CHANNEL),
          approvals,
        ),
    },
    {
      provide: ReadinessControl,
      inject: [Database, JobQueueRepository],
      useFactory: (database: Database, jobs: JobQueueRepository) => new ReadinessControl(database, jobs),
    },
    {
      provide: ResourceControl,
      inject: [SystemRegistry, ResourceRepository, ScopeRepository, ReadThrough, ReferenceResolver],
      useFactory: (
        registry: SystemRegistry,
        resources: ResourceRepository,
        scopes: ScopeRepository,
        readThrough: ReadThrough,
        references: ReferenceResolver,
      ) => new ResourceControl(registry, resources, scopes, readThrough, references, systemClock),
    },
  ];
}

function azureOptions(configuration: Configuration): AzureOptions {
  return {
    ...DEFAULT_AZURE_OPTIONS,
    armEndpoint: configuration.armEndpoint,
    subscriptionIds: configuration.subscriptionIds,
    ...(configuration.armToken === undefined ? {} : { staticToken: configuration.armToken }),
    requestTimeoutMs: configuration.armTimeoutMs,
    pollIntervalSeconds: configuration.armPollSeconds,
  };
}

/** @throws TypeError naming the streams that there are not. */
function selectionOf(configuration: Configuration): KubernetesSelection {
  const wanted = configuration.watchStreams;
  const unknown = wanted.filter((name) => !STREAM_NAMES.some((stream) => stream === name));
  if (unknown.length > 0) {
    throw new TypeError(`WATCH_STREAMS: unknown: ${unknown.join(', ')}; there are: ${STREAM_NAMES.join(', ')}`);
  }
  return {
    streams: wanted.length === 0 ? STREAM_NAMES : STREAM_NAMES.filter((stream) => wanted.includes(stream)),
    namespaces: configuration.watchNamespaces,
    excludedNamespaces: configuration.watchExcludedNamespaces,
  };
}
