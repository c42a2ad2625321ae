import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { readConfiguration, type Configuration } from '#libs/config/configuration.js';
import { createDataSource } from '#libs/database/data-source.js';
import { Database, isPassingDatabaseFault } from '#libs/database/database.js';
import { shutDownGracefully } from '../house/graceful-shutdown.js';
import { HouseModule } from '../house/house.module.js';
import { createLogger } from '../house/logger.js';
import { closeHouse, openHouse } from '../house/open-house.js';
import { Worker } from './worker.js';

const HEARTBEAT_TIMEOUT_MS = 3_000;

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = createLogger(configuration.logLevel, 'worker');
  const house = await NestFactory.createApplicationContext(
    HouseModule.register(configuration, logger, 'pilothouse-worker'),
    { logger: false, abortOnError: false },
  );
  // The job engine writes the end of a job without waiting for it: a database that is away then must not end the process.
  // Whatever else nobody has caught ends it, as always.
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (error: unknown) => {
      if (isPassingDatabaseFault(error)) {
        logger.error({ err: error }, 'The database went away while nobody waited for it');
        return;
      }
      logger.fatal({ err: error }, 'A fault that nobody has caught ends the worker');
      process.exit(1);
    });
  }
  await openHouse(house);
  const heart = await connect(configuration);
  const worker = new Worker(house, heart);
  await worker.start();
  shutDownGracefully(
    async () => {
      await worker.stop();
      await heart.close();
      await closeHouse(house);
    },
    configuration.shutdownGraceMs,
    logger,
  );
}

/** Few connections, and little patience: a heartbeat that comes late is worth nothing. */
async function connect({ databaseUrl: url }: Configuration): Promise<Database> {
  const applicationName = 'pilothouse-heartbeat';
  const dataSource = createDataSource({ url, poolSize: 2, applicationName, statementTimeoutMs: HEARTBEAT_TIMEOUT_MS });
  return new Database(await dataSource.initialize());
}

main().catch((error: unknown) => {
  console.error(Error.isError(error) ? (error.stack ?? error.message) : error);
  process.exit(1);
});
