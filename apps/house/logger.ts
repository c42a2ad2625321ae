import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Structured logs on standard output. Secrets are redacted by their type; these paths catch what a library might add. */
export function createLogger(level: string, process: string): Logger {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['*.authorization', '*.headers.authorization', 'req.headers.authorization', '*.token', '*.password'],
      censor: '[redacted]',
    },
  });
}
