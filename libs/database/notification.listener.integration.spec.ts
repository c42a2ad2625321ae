import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { NotificationListener } from './notification.listener.js';

describe('NotificationListener', () => {
  let test: TestDatabase;
  const listeners: NotificationListener[] = [];

  beforeAll(async () => {
    test = await createTestDatabase();
  });

  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.stop();
  });

  afterAll(() => test.drop());

  function listen(): { listener: NotificationListener; failures: Error[] } {
    const failures: Error[] = [];
    const listener = new NotificationListener(test.url, (error) => failures.push(error));
    listeners.push(listener);
    return { listener, failures };
  }

  /** Collects payloads, and resolves when one is there. */
  function inbox(): { handler: (payload: string) => void; until: (payload: string) => Promise<void>; all: string[] } {
    const all: string[] = [];
    let look = (): void => undefined;
    return {
      all,
      handler: (payload) => {
        all.push(payload);
        look();
      },
      until: (payload) =>
        new Promise((resolve) => {
          look = () => {
            if (all.includes(payload)) resolve();
          };
          look();
        }),
    };
  }

  const notify = (channel: string, payload: string) =>
    test.database.query('SELECT pg_notify($1, $2)', [channel, payload]);

  it('hands a payload to whoever listens to its channel, and to nobody else', async () => {
    const { listener } = listen();
    const [first, second, other] = [inbox(), inbox(), inbox()];
    listener.on('news', first.handler);
    listener.on('news', second.handler);
    listener.on('other "channel"', other.handler);
    await listener.start();
    await notify('news', 'hello');
    await notify('other "channel"', 'there');
    await Promise.all([first.until('hello'), second.until('hello'), other.until('there')]);
    expect(other.all).not.toContain('hello');
  });

  it('stops handing out when asked', async () => {
    const { listener } = listen();
    const [gone, here] = [inbox(), inbox()];
    const stop = listener.on('news', gone.handler);
    listener.on('news', here.handler);
    await listener.start();
    stop();
    await notify('news', 'late');
    await here.until('late');
    expect(gone.all).not.toContain('late');
  });

  it('listens to a channel that was added later', async () => {
    const { listener } = listen();
    await listener.start();
    const late = inbox();
    listener.on('later', late.handler);
    const arrived = late.until('x');
    const timer = setInterval(() => void notify('later', 'x'), 20);
    await arrived;
    clearInterval(timer);
  });

  it('connects again after it was cut off, and tells everybody to look', async () => {
    const { listener } = listen();
    const box = inbox();
    listener.on('news', box.handler);
    await listener.start();
    await box.until('');
    box.all.length = 0;
    await test.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'pilothouse-listen'`,
    );
    await box.until('');
    await notify('news', 'again');
    await box.until('again');
  });
});
