import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { readConfiguration } from '#libs/config/configuration.js';
import { shutDownGracefully } from '../house/graceful-shutdown.js';
import { HouseModule } from '../house/house.module.js';
import { createLogger } from '../house/logger.js';
import { closeHouse, openHouse } from '../house/open-house.js';
import { Worker } from './worker.js';

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = createLogger(configuration.logLevel, 'worker');
  const house = await NestFactory.createApplicationContext(
    HouseModule.register(configuration, logger, 'pilothouse-worker'),
    { logger: false, abortOnError: false },
  );
  await openHouse(house);
  const worker = new Worker(house);
  await worker.start();
  shutDownGracefully(
    async () => {
      await worker.stop();
      await closeHouse(house);
    },
    configuration.shutdownGraceMs,
    logger,
  );
}

main().catch((error: unknown) => {
  console.error(Error.isError(error) ? (error.stack ?? error.message) : error);
  process.exit(1);
});
