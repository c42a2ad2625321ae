import type { Logger } from './logger.js';

/**
 * Stops the process on SIGTERM, SIGINT, or when the process that started it is gone (it holds the other end of the IPC
 * channel, where there is one). A second signal, or a stop that takes too long, ends it at once.
 */
export function shutDownGracefully(stop: () => Promise<void>, graceMs: number, logger: Logger): void {
  let stopping = false;
  const begin = (why: string): void => {
    if (stopping) {
      logger.warn({ why }, 'Stopping at once');
      process.exit(1);
    }
    stopping = true;
    logger.info({ why }, 'Stopping');
    const deadline = setTimeout(() => {
      logger.error('Stopping took too long');
      process.exit(1);
    }, graceMs + 5_000);
    deadline.unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'Stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => begin('SIGTERM'));
  process.on('SIGINT', () => begin('SIGINT'));
  if (process.channel !== undefined) process.once('disconnect', () => begin('the parent process is gone'));
}
