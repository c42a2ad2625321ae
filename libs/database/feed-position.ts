/**
 * A place in a feed whose rows carry the id of the transaction that wrote them and a number that grows: after everything up
 * to this transaction id and number. Both are 64-bit numbers and travel as text: a JavaScript number would round them.
 *
 * A feed's order is (transaction id, number), and a reader is never shown a transaction id as long as an older one may still
 * commit: so what commits late is not skipped, it only appears later.
 */
export interface FeedPosition {
  xid: string;
  seq: string;
}

const LARGEST_BIGINT = 9_223_372_036_854_775_807n;

export const FEED_START: FeedPosition = { xid: '0', seq: '0' };

/** Reads the parts of a cursor; undefined where they are no place. */
export function feedPositionOf(xid: unknown, seq: unknown): FeedPosition | undefined {
  if (typeof xid !== 'string' || typeof seq !== 'string') return undefined;
  const areNumbers = [xid, seq].every((part) => /^\d{1,19}$/.test(part) && BigInt(part) <= LARGEST_BIGINT);
  return areNumbers ? { xid, seq } : undefined;
}

export function isBefore(left: FeedPosition, right: FeedPosition): boolean {
  const [leftXid, rightXid] = [BigInt(left.xid), BigInt(right.xid)];
  return leftXid < rightXid || (leftXid === rightXid && BigInt(left.seq) < BigInt(right.seq));
}

/** Whether only another database can have issued this place: this one has not come so far. */
export function isBeyond(position: FeedPosition, end: FeedPosition): boolean {
  return isBefore({ ...end, seq: LARGEST_BIGINT.toString() }, position);
}
