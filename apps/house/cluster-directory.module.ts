import { Global, Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ResourceRepository } from '#libs/inventory/resource.repository.js';
import { CLUSTER_DIRECTORY, type ClusterDirectory } from '#libs/systems/contract/cluster-directory.js';
import { directoryOf } from './directory.js';

/** What the cache knows of clusters, for the systems; looked up when it is asked, since the cache knows the systems. */
@Global()
@Module({
  providers: [
    {
      provide: CLUSTER_DIRECTORY,
      inject: [ModuleRef],
      useFactory: (modules: ModuleRef): ClusterDirectory =>
        directoryOf((uid) => modules.get(ResourceRepository, { strict: false }).find(uid)),
    },
  ],
  exports: [CLUSTER_DIRECTORY],
})
export class ClusterDirectoryModule {}
