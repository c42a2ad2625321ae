import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestApplicationContextOptions } from '@nestjs/common/interfaces/nest-application-context-options.interface.js';
import { NestFactory } from '@nestjs/core';
import { expect, it } from '@jest/globals';
import { AzureModule } from '#libs/azure/azure.module.js';
import { DEFAULT_AZURE_OPTIONS } from '#libs/azure/azure.options.js';
import { AKS_SYSTEM, AksModule } from '../aks/aks.module.js';
import type { System } from '../contract/system.js';
import { SystemRegistry } from '../contract/system-registry.js';
import { FLEET_SYSTEM, FleetModule } from './fleet.module.js';

it('the modules give both systems over one Azure, without contacting it', async () => {
  @Module({ imports: [AzureModule.register({ useFactory: () => DEFAULT_AZURE_OPTIONS }), AksModule, FleetModule] })
  class House {}
  const options = Object.assign(new NestApplicationContextOptions(), { logger: false });
  const house = await NestFactory.createApplicationContext(House, options);
  const registry = new SystemRegistry([house.get<System>(AKS_SYSTEM), house.get<System>(FLEET_SYSTEM)]);
  expect(registry.kinds.map((kind) => kind.name)).toEqual(['ManagedCluster', 'AgentPool', 'Fleet', 'FleetMember']);
  expect(registry.operations.map((operation) => operation.type)).toEqual([
    'aks.nodePool.scale',
    'fleet.create',
    'fleet.delete',
    'fleet.member.join',
    'fleet.member.leave',
  ]);
  await house.close();
});
