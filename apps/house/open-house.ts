import type { INestApplicationContext } from '@nestjs/common';
import { CLUSTER_ACCESS_CHANNEL } from '#libs/access/cluster-access.repository.js';
import { Database } from '#libs/database/database.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import type { Kube } from '#libs/kube/kube.js';
import { KUBE } from '#libs/kube/kube.module.js';
import { prepareSchema } from '#migrations/schema.js';

/** What any process of the house does before it serves: the schema and the notifications. */
export async function openHouse(context: INestApplicationContext): Promise<void> {
  await prepareSchema(context.get(Database).dataSource);
  const listener = context.get(NotificationListener);
  const kube = context.get<Kube>(KUBE);
  listener.on(CLUSTER_ACCESS_CHANNEL, (clusterUid) => kube.forget(clusterUid));
  await listener.start();
}

/** Closes what `openHouse` opened. */
export async function closeHouse(context: INestApplicationContext): Promise<void> {
  await context.get(NotificationListener).stop();
  await context.get<Kube>(KUBE).close();
  await context.get(Database).close();
}
