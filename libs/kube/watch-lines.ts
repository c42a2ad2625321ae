import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { WatchEvent } from './list-watch.js';

const NEWLINE = 0x0a;

/**
 * The events of a watch, one JSON text a line, in groups as their bytes came in. Lines are cut as bytes: a character may be
 * spread over two pieces.
 * @throws ControlError KUBERNETES_UNEXPECTED_ANSWER for a line that is no event or too long, KUBERNETES_UNAVAILABLE when the
 *   stream ends within a line.
 */
export async function* watchEvents(
  chunks: AsyncIterable<Buffer>,
  longestLineBytes: number,
  action: string,
): AsyncGenerator<WatchEvent[], void, void> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    const events: WatchEvent[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
      rest = [];
      size = 0;
      start = end + 1;
      if (line.trim() !== '') events.push(eventOf(line, action));
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start));
      size += chunk.length - start;
    }
    if (size > longestLineBytes) {
      throw unreadable(`${action}: an event is larger than ${longestLineBytes} bytes.`);
    }
    if (events.length > 0) yield events;
  }
  if (rest.some((part) => part.toString('utf8').trim() !== '')) {
    throw new ControlError('KUBERNETES_UNAVAILABLE', `${action}: the connection ended in the middle of an event.`, {
      retry: { kind: 'backoff' },
    });
  }
}

function eventOf(line: string, action: string): WatchEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (Error.isError(error) && error.name === 'SyntaxError') throw unreadable(`${action}: a line that is no JSON.`);
    throw error;
  }
  if (!isJsonObject(value) || typeof value.type !== 'string' || !isJsonObject(value.object)) {
    throw unreadable(`${action}: a line that is no event.`);
  }
  return { type: value.type, object: value.object };
}

function unreadable(message: string): ControlError {
  return new ControlError('KUBERNETES_UNEXPECTED_ANSWER', message);
}
