import { type DynamicModule, Module } from '@nestjs/common';
import type { Configuration } from '#libs/config/configuration.js';
import { HouseModule } from '../house/house.module.js';
import type { Logger } from '../house/logger.js';
import { ApiEdgeModule } from './api-edge.module.js';
import type { ApiSettings } from './api.settings.js';

/** The API process: the house's rooms and, in front of them, the edges. */
@Module({})
export class ApiModule {
  static register(configuration: Configuration, settings: ApiSettings, logger: Logger): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        HouseModule.register(configuration, logger, 'pilothouse-api'),
        ApiEdgeModule.register(settings, logger),
      ],
    };
  }
}
