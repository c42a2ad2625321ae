import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { createAzure, type Azure, type AzureParts } from './azure.js';
import type { AzureOptions } from './azure.options.js';

/** Injects the one `Azure` of the process. */
export const AZURE = Symbol('AZURE');

@Module({})
export class AzureModule {
  /** @param options where the options come from: `{ inject: [CONFIG], useFactory: (config) => config.azure }`. */
  static register(
    options: Pick<FactoryProvider<AzureOptions>, 'inject' | 'useFactory'>,
    parts: AzureParts = {},
  ): DynamicModule {
    return {
      module: AzureModule,
      global: true,
      providers: [
        {
          provide: AZURE,
          inject: options.inject ?? [],
          useFactory: async (...args: unknown[]): Promise<Azure> =>
            createAzure(await options.useFactory(...args), parts),
        },
      ],
      exports: [AZURE],
    };
  }
}
