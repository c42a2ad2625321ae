import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import type { Kube } from './kube.js';

/** Injects the one `Kube` of the process. */
export const KUBE = Symbol('KUBE');

@Module({})
export class KubeModule {
  /** @param source how it is made: what gives access to clusters is known to whoever puts the house together. */
  static register(source: Pick<FactoryProvider<Kube>, 'inject' | 'useFactory'>): DynamicModule {
    return {
      module: KubeModule,
      global: true,
      providers: [{ provide: KUBE, inject: source.inject ?? [], useFactory: source.useFactory }],
      exports: [KUBE],
    };
  }
}
