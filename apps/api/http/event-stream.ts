import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ApiSettings } from '../api.settings.js';
import { controlErrorOf } from './control-error.translator.js';
import type { OpenStream, OpenStreams } from './open-streams.js';
import { problemOf } from './problem.js';
import { pathOf } from './problem.reply.js';

/** Milliseconds in which a fault at the beginning can still be answered with a problem instead of a broken stream. */
const START_GRACE_MS = 250;
/** How long a client that was let go may still read what it was sent. */
const LAST_WORDS_MS = 5_000;
/** What the client is told to wait before it connects again. */
const RECONNECT_MS = 3_000;
const LAST_EVENT_ID = /^[\x21-\x7e]{1,4096}$/;

const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // A proxy that collects the answer would make a stream of it that never comes.
  'x-accel-buffering': 'no',
};

export interface ServerSentEvent {
  id: string;
  event: string;
  data: unknown;
}

export interface EventStreamOptions<T> {
  source(signal: AbortSignal): AsyncGenerator<T, void, void>;
  toEvent(item: T): ServerSentEvent;
  streams: OpenStreams;
  settings: Pick<ApiSettings, 'heartbeatMs' | 'streamStallMs'>;
}

/**
 * Answers with server-sent events for as long as the source goes on and the client listens. The client sets the pace: the
 * next event is asked for when the last one has been taken, so that a slow one costs no memory; one that takes nothing for
 * long is told so and let go, and goes on later from the last event that it has seen. A source that ends without any event is
 * answered with 204, which tells an EventSource to stop connecting again.
 */
export async function sendEventStream<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  options: EventStreamOptions<T>,
): Promise<void> {
  if (request.method === 'HEAD') {
    await reply.headers(EVENT_STREAM_HEADERS).send();
    return;
  }
  const stream = options.streams.open();
  const events = options.source(stream.signal);
  const first = events.next();
  const started = await startOf(first).catch((error: unknown) => {
    stream.close();
    throw error;
  });
  if (started === 'ended') {
    stream.close();
    await reply.code(204).send();
    return;
  }
  // The socket's own event: a client that went away is noticed also while nothing is sent.
  reply.raw.once('close', () => stream.close());
  const problemContext = { instance: pathOf(request.url), correlationId: request.id };
  const problemText = (thrown: unknown): string => {
    const error = controlErrorOf(thrown);
    if (error.code === 'INTERNAL') request.log.error({ err: error }, 'event stream failed');
    return `event: problem\ndata: ${JSON.stringify(problemOf(error, problemContext))}\n\n`;
  };
  const stall = new StallTimer(options.settings.streamStallMs, () => {
    request.log.warn('A client takes nothing more of its event stream and is let go');
    letGo(reply, body, problemText(tooSlow()));
    stream.close();
    // It waits to be asked for the next event, which nobody will do.
    events.return().catch((error: unknown) => request.log.error({ err: error }, 'event stream did not end well'));
  });
  const text = eventTexts({ events, first, stream, stall, ...options }, problemText);
  // One text at a time: what is read ahead would only lie about.
  const body = Readable.from(text, { highWaterMark: 1 });
  await reply.headers(EVENT_STREAM_HEADERS).send(body);
}

/** What a client is told last, should it read on after all, before its connection is closed. */
function letGo(reply: FastifyReply, body: Readable, lastWords: string): void {
  body.unpipe(reply.raw);
  reply.raw.end(lastWords);
  setTimeout(() => reply.raw.destroy(), LAST_WORDS_MS).unref();
}

function tooSlow(): ControlError {
  return new ControlError('CONSUMER_TOO_SLOW', 'Nothing of the stream was taken for too long.', {
    retry: { kind: 'backoff' },
    remedy: 'Connect again with the id of the last event that was seen: nothing is lost.',
  });
}

/** Goes off when something that was handed over is not taken in time. */
class StallTimer {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly milliseconds: number,
    private readonly goesOff: () => void,
  ) {}

  start(): void {
    this.#timer = setTimeout(this.goesOff, this.milliseconds);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** `Last-Event-ID`, where the client sent one. @throws ControlError INVALID_CURSOR */
export function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string' && LAST_EVENT_ID.test(header)) return header;
  throw new ControlError('INVALID_CURSOR', 'The last event id was not issued by this stream.');
}

/** Whether the client asks for events. Without a wish it does not. */
export function asksForEvents(request: FastifyRequest): boolean {
  return request.headers.accept?.toLowerCase().includes('text/event-stream') ?? false;
}

/** @throws ControlError NOT_ACCEPTABLE when the client takes no events. */
export function requireEventsAcceptable(request: FastifyRequest): void {
  const accept = request.headers.accept?.toLowerCase();
  if (accept === undefined || /(^|[\s,])(\*\/\*|text\/\*|text\/event-stream)/.test(accept)) return;
  throw new ControlError('NOT_ACCEPTABLE', 'This is a stream of events: it can be given as text/event-stream only.');
}

async function startOf<T>(first: Promise<IteratorResult<T, void>>): Promise<'going' | 'ended'> {
  const grace = Promise.withResolvers<'going'>();
  const timer = setTimeout(() => grace.resolve('going'), START_GRACE_MS);
  try {
    return await Promise.race([grace.promise, first.then((result) => (result.done ? 'ended' : 'going'))]);
  } finally {
    clearTimeout(timer);
  }
}

interface RunningStream<T> extends EventStreamOptions<T> {
  events: AsyncGenerator<T, void, void>;
  first: Promise<IteratorResult<T, void>>;
  stream: OpenStream;
  stall: StallTimer;
}

async function* eventTexts<T>(
  running: RunningStream<T>,
  problemText: (thrown: unknown) => string,
): AsyncGenerator<string, void, void> {
  const { events, stream, stall, settings } = running;
  let next = running.first;
  try {
    yield `retry: ${RECONNECT_MS}\n\n`;
    for (;;) {
      const result = await orHeartbeat(next, settings.heartbeatMs);
      if (result !== 'heartbeat' && result.done) return;
      stall.start();
      yield result === 'heartbeat' ? ': heartbeat\n\n' : eventText(running.toEvent(result.value));
      stall.stop();
      if (result !== 'heartbeat') next = events.next();
    }
  } catch (error) {
    if (!stream.signal.aborted) yield problemText(error);
  } finally {
    stall.stop();
    stream.close();
    await events.return();
  }
}

async function orHeartbeat<T>(next: Promise<T>, heartbeatMs: number): Promise<T | 'heartbeat'> {
  const heartbeat = Promise.withResolvers<'heartbeat'>();
  const timer = setTimeout(() => heartbeat.resolve('heartbeat'), heartbeatMs);
  try {
    return await Promise.race([next, heartbeat.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function eventText(event: ServerSentEvent): string {
  return `id: ${event.id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}
