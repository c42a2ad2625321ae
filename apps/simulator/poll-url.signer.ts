import { createHmac } from 'node:crypto';
import { deterministicHex } from './deterministic-id.js';
import type { LongRunningOperation } from './long-running-operation.store.js';

/** 100-nanosecond steps from the year 1 to 1970, as .NET counts them. */
const EPOCH_TICKS = 621_355_968_000_000_000n;
const API_VERSION = '2016-03-30';
/** No secret: the simulator signs so that callers have to treat the URL as Azure makes them, not to keep anyone out. */
const SIGNING_KEY = 'simulated-azure-resource-manager';
/** As long as the certificate that Azure puts into `c`, so that nobody keeps such a URL in a short column. */
const CERTIFICATE = Buffer.from(deterministicHex('certificate', 6200), 'hex').toString('base64url');

/** The signed query of an operation's poll URLs: 4 to 6 kB, as real ones. */
export function signedQuery(operation: LongRunningOperation): string {
  const { t, s, h } = signatureOf(operation);
  return `api-version=${API_VERSION}&t=${t}&c=${CERTIFICATE}&s=${s}&h=${h}`;
}

/** Whether a poll carries the signature that was handed out for this operation. */
export function isSigned(operation: LongRunningOperation, query: ReadonlyMap<string, string>): boolean {
  const { t, s, h } = signatureOf(operation);
  return query.get('t') === t && query.get('c') === CERTIFICATE && query.get('s') === s && query.get('h') === h;
}

function signatureOf(operation: LongRunningOperation): { t: string; s: string; h: string } {
  const t = String(EPOCH_TICKS + BigInt(Math.trunc(operation.startedAt)) * 10_000n);
  const parts = [0, 1, 2, 3].map((part) =>
    createHmac('sha512', SIGNING_KEY).update(`${operation.id}|${t}|${part}`).digest(),
  );
  const h = createHmac('sha256', SIGNING_KEY).update(`${operation.id}|${t}`).digest('base64url');
  return { t, s: Buffer.concat(parts).toString('base64url'), h };
}
