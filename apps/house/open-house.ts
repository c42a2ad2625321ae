import type { INestApplicationContext } from '@nestjs/common';
import { Database } from '#libs/database/database.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import { Authenticator } from '#libs/access/authenticator.js';
import type { Configuration } from '#libs/config/configuration.js';
import { prepareSchema } from '#migrations/schema.js';
import { CONFIGURATION } from './tokens.js';

/** What any process of the house does before it serves: the schema, the notifications, the tokens of the configuration. */
export async function openHouse(context: INestApplicationContext): Promise<void> {
  const configuration = context.get<Configuration>(CONFIGURATION);
  await prepareSchema(context.get(Database).dataSource);
  await context.get(NotificationListener).start();
  await context.get(Authenticator).configure([
    { name: 'administrator', role: 'admin', token: configuration.adminToken },
    { name: 'viewer', role: 'viewer', token: configuration.viewerToken },
  ]);
}

/** Closes what `openHouse` opened. */
export async function closeHouse(context: INestApplicationContext): Promise<void> {
  await context.get(NotificationListener).stop();
  await context.get(Database).close();
}
