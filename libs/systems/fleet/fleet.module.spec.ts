import 'reflect-metadata';
import { Global, Module } from '@nestjs/common';
import { NestApplicationContextOptions } from '@nestjs/common/interfaces/nest-application-context-options.interface.js';
import { NestFactory } from '@nestjs/core';
import { expect, it } from '@jest/globals';
import { AzureModule } from '#libs/azure/azure.module.js';
import { DEFAULT_AZURE_OPTIONS } from '#libs/azure/azure.options.js';
import { KubeModule } from '#libs/kube/kube.module.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { clusterDirectory } from '#libs/testing/fleet-hub-samples.js';
import { AKS_SYSTEM, AksModule } from '../aks/aks.module.js';
import { AZURE_SYSTEM, AzureSystemModule } from '../azure/azure.module.js';
import { CLUSTER_DIRECTORY } from '../contract/cluster-directory.js';
import type { System } from '../contract/system.js';
import { FLEET_SYSTEM, FleetModule } from './fleet.module.js';

it('the modules give the systems over one Azure and one Kube, without contacting either', async () => {
  const kube = new FakeKube();

  @Global()
  @Module({
    providers: [{ provide: CLUSTER_DIRECTORY, useFactory: () => clusterDirectory() }],
    exports: [CLUSTER_DIRECTORY],
  })
  class Clusters {}

  @Module({
    imports: [
      AzureModule.register({ useFactory: () => DEFAULT_AZURE_OPTIONS }),
      KubeModule.register({ useFactory: () => kube }),
      Clusters,
      AksModule,
      AzureSystemModule,
      FleetModule,
    ],
  })
  class House {}
  const options = Object.assign(new NestApplicationContextOptions(), { logger: false });
  const house = await NestFactory.createApplicationContext(House, options);
  const systems = [AKS_SYSTEM, FLEET_SYSTEM, AZURE_SYSTEM].map((token) => house.get<System>(token));
  expect(systems.flatMap((system) => system.kinds.map((kind) => kind.name))).toEqual([
    'ManagedCluster',
    'AgentPool',
    'Fleet',
    'FleetMember',
    'FleetUpdateRun',
    'FleetUpdateStrategy',
    'FleetAutoUpgradeProfile',
    'MemberCluster',
    'ClusterResourcePlacement',
    'ServiceExport',
    'ServiceImport',
    'MultiClusterService',
  ]);
  expect(systems.flatMap((system) => system.operations.map((operation) => operation.type))).toEqual([
    'aks.nodePool.scale',
    'aks.nodePool.create',
    'aks.nodePool.upgrade',
    'aks.nodePool.start',
    'aks.nodePool.stop',
    'aks.nodePool.delete',
    'aks.cluster.create',
    'aks.cluster.start',
    'aks.cluster.stop',
    'aks.cluster.upgrade',
    'aks.cluster.delete',
    'fleet.create',
    'fleet.delete',
    'fleet.member.join',
    'fleet.member.leave',
    'fleet.updateRun.create',
    'fleet.updateRun.start',
    'fleet.updateRun.stop',
    'fleet.updateRun.skip',
    'fleet.updateRun.delete',
    'fleet.updateStrategy.apply',
    'fleet.updateStrategy.delete',
    'fleet.autoUpgradeProfile.apply',
    'fleet.autoUpgradeProfile.delete',
    'fleet.autoUpgradeProfile.generateUpdateRun',
    'fleet.roleAssignment.create',
    'fleet.placement.apply',
    'fleet.placement.delete',
    'fleet.service.export',
    'fleet.multiClusterService.apply',
    'fleet.workload.deploy',
    'azure.provider.register',
    'azure.feature.register',
    'azure.subnet.create',
    'azure.subnet.delete',
    'azure.roleAssignment.create',
    'azure.roleAssignment.delete',
  ]);
  expect(kube.requests).toEqual([]);
  await house.close();
});
