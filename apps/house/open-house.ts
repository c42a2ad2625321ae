import type { INestApplicationContext } from '@nestjs/common';
import { Database } from '#libs/database/database.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import { prepareSchema } from '#migrations/schema.js';

/** What any process of the house does before it serves: the schema and the notifications. */
export async function openHouse(context: INestApplicationContext): Promise<void> {
  await prepareSchema(context.get(Database).dataSource);
  await context.get(NotificationListener).start();
}

/** Closes what `openHouse` opened. */
export async function closeHouse(context: INestApplicationContext): Promise<void> {
  await context.get(NotificationListener).stop();
  await context.get(Database).close();
}
