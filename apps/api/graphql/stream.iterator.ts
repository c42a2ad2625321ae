import type { OpenStream } from '../http/open-streams.js';

/** A stream that broke: the error becomes the error of the subscription's last result. */
export class StreamFailure {
  constructor(readonly error: unknown) {}
}

/**
 * A control stream as the source of a subscription. Stopping it aborts the stream first, since a generator that waits for
 * its next item does not listen to `return()`.
 */
export function subscriptionSource<T>(
  stream: OpenStream,
  generator: AsyncGenerator<T, void, void>,
): AsyncIterableIterator<T | StreamFailure> {
  let ended = false;
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    ended = true;
    stream.close();
    await generator.return();
    return { done: true, value: undefined };
  };
  return {
    async next() {
      if (ended) return { done: true, value: undefined };
      try {
        const result = await generator.next();
        return result.done === true ? await end() : result;
      } catch (error) {
        const aborted = stream.signal.aborted;
        await end();
        return aborted ? { done: true, value: undefined } : { done: false, value: new StreamFailure(error) };
      }
    },
    return: end,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** What a subscription's root field answers for an item of its source. */
export function streamedItem(item: unknown): unknown {
  if (item instanceof StreamFailure) throw item.error;
  return item;
}
