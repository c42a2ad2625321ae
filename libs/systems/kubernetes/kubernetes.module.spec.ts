import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestApplicationContextOptions } from '@nestjs/common/interfaces/nest-application-context-options.interface.js';
import { NestFactory } from '@nestjs/core';
import { expect, it } from '@jest/globals';
import { KubeModule } from '#libs/kube/kube.module.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { CLUSTER_DIRECTORY } from '../contract/cluster-directory.js';
import type { System } from '../contract/system.js';
import { KUBERNETES_SYSTEM, KubernetesModule } from './kubernetes.module.js';
import { STREAM_NAMES } from './kubernetes.options.js';

it('the module gives the system over one Kube, without contacting a cluster', async () => {
  const kube = new FakeKube();
  const selection = { streams: STREAM_NAMES, namespaces: [], excludedNamespaces: [] };
  @Module({
    providers: [{ provide: CLUSTER_DIRECTORY, useValue: { find: () => Promise.resolve(undefined) } }],
    exports: [CLUSTER_DIRECTORY],
  })
  class Directory {}
  @Module({
    imports: [
      { module: Directory, global: true },
      KubeModule.register({ useFactory: () => kube }),
      KubernetesModule.register({ useFactory: () => selection }),
    ],
  })
  class House {}
  const options = Object.assign(new NestApplicationContextOptions(), { logger: false });
  const house = await NestFactory.createApplicationContext(House, options);
  const system = house.get<System>(KUBERNETES_SYSTEM);
  expect(system.kinds.map(({ name }) => name)).toEqual([
    'AttachedCluster',
    'Namespace',
    'Node',
    'Workload',
    'Pod',
    'Service',
    'StorageClass',
    'CsiDriver',
  ]);
  expect(system.collectors).toEqual([]);
  expect(system.watchers.map(({ name }) => name)).toEqual(['kubernetes']);
  expect(system.operations.every(({ type }) => type.startsWith('kubernetes.'))).toBe(true);
  expect(system.operations.length).toBeGreaterThan(0);
  expect(kube.requests).toEqual([]);
  await house.close();
});
