import { createHmac } from 'node:crypto';
import { deterministicHex } from './deterministic-id.js';
import type { LongRunningOperation } from './long-running-operation.store.js';
import type { ResourceTypeDescriptor } from './resource-type.descriptor.js';

/** 100-nanosecond steps from the year 1 to 1970, as .NET counts them. */
const EPOCH_TICKS = 621_355_968_000_000_000n;
const API_VERSION = '2016-03-30';
const HUB_API_VERSION = '2024-01-01';
const LOCATION_API_VERSION = '2021-08-15';
const CONFIGURATION_API_VERSION = '2025-03-01';
/** No secret: the simulator signs so that callers have to treat the URL as Azure makes them, not to keep anyone out. */
const SIGNING_KEY = 'simulated-azure-resource-manager';
/** As long as the certificate that Azure puts into `c`, so that nobody keeps such a URL in a short column. */
const CERTIFICATE = Buffer.from(deterministicHex('certificate', 6200), 'hex').toString('base64url');

/** `status` answers 200 whatever the state, `result` 202 until the end. */
export type PollAnswer = 'status' | 'result';

export interface PollTarget {
  polling: NonNullable<ResourceTypeDescriptor['polling']>;
  answer: PollAnswer;
  /** The id of the resource, as it is shown. */
  targetId: string;
}

/** Where callers ask about an operation, in the shape of its provider. */
export function pollPath(
  baseUrl: string,
  operation: LongRunningOperation,
  { polling, answer, targetId }: PollTarget,
): string {
  const { subscriptionId, namespace, location, id } = operation;
  const locations = `${baseUrl}/subscriptions/${subscriptionId}/providers/${namespace}/locations`;
  switch (polling) {
    case 'signed': {
      const kind = answer === 'status' ? 'operations' : 'operationresults';
      return `${locations}/${location}/${kind}/${id}?${signedQuery(operation)}`;
    }
    case 'provider-hub': {
      const hash = deterministicHex(`${id}|${operation.targetKey}`, 64).toUpperCase();
      return `${locations}/${location.toUpperCase()}/operationStatuses/${id}*${hash}?api-version=${HUB_API_VERSION}`;
    }
    case 'operations-status': {
      const kind = answer === 'status' ? 'operationsstatus' : 'operationresults';
      return `${locations}/${location}/${kind}/${id}?api-version=${LOCATION_API_VERSION}`;
    }
    case 'child':
      // The second header names a host that is not behind ARM: callers who follow it get nowhere.
      return answer === 'status'
        ? `${baseUrl}${targetId}/operations/${id}?api-Version=${CONFIGURATION_API_VERSION}`
        : `https://${location}.rp.kubernetesconfiguration.azure.com${targetId}`;
  }
}

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
