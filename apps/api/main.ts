import 'reflect-metadata';
import { Authenticator } from '#libs/access/authenticator.js';
import { readConfiguration } from '#libs/config/configuration.js';
import { shutDownGracefully } from '../house/graceful-shutdown.js';
import { createLogger } from '../house/logger.js';
import { closeHouse, openHouse } from '../house/open-house.js';
import { createApiApplication } from './api.application.js';
import { ApiModule } from './api.module.js';
import { DEFAULT_API_SETTINGS } from './api.settings.js';

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = createLogger(configuration.logLevel, 'api');
  const settings = {
    ...DEFAULT_API_SETTINGS,
    bodyLimitBytes: configuration.bodyLimitBytes,
    graphqlMaxDepth: configuration.graphqlMaxDepth,
    graphqlMaxCost: configuration.graphqlMaxCost,
  };
  const application = await createApiApplication(ApiModule.register(configuration, settings, logger), settings, logger);
  await openHouse(application);
  // Only here: a worker needs no tokens, and its silence about them must take none away.
  await application
    .get(Authenticator)
    .configure([
      { name: 'administrator', role: 'admin', token: configuration.adminToken },
      { name: 'viewer', role: 'viewer', token: configuration.viewerToken },
      ...configuration.tokens,
    ]);
  await application.listen(configuration.port, configuration.host);
  logger.info({ url: await application.getUrl() }, 'The API listens');
  shutDownGracefully(
    async () => {
      await application.close();
      await closeHouse(application);
    },
    configuration.shutdownGraceMs,
    logger,
  );
}

main().catch((error: unknown) => {
  console.error(Error.isError(error) ? (error.stack ?? error.message) : error);
  process.exit(1);
});
