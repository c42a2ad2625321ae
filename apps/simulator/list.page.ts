import type { Json, JsonObject } from '#libs/kernel/json.js';
import { ArmError } from './arm-error.js';
import type { ArmRequest } from './arm-request.js';

const MAXIMUM_TOP = 5000;

/**
 * A page of a list: `{value, nextLink}`, with no `nextLink` at the end. The link carries the last key, so that rows
 * which come and go meanwhile neither repeat nor hide others.
 * @param keys at most `limit` keys that follow the given one
 */
export function listPage(
  request: ArmRequest,
  pageSize: number,
  keys: (after: string | undefined, limit: number) => readonly string[],
  render: (key: string) => Json,
): JsonObject {
  const size = Math.min(topOf(request) ?? pageSize, pageSize);
  const found = keys(skipTokenOf(request), size + 1);
  const shown = found.slice(0, size);
  const last = shown.at(-1);
  const value = shown.map(render);
  return found.length > size && last !== undefined ? { value, nextLink: nextLink(request, last) } : { value };
}

function topOf(request: ArmRequest): number | undefined {
  const text = request.query.get('$top');
  if (text === undefined) return undefined;
  const top = Number(text);
  if (!Number.isInteger(top) || top < 1 || top > MAXIMUM_TOP) {
    throw new ArmError(
      400,
      'InvalidQueryParameter',
      `The $top query parameter '${text}' is not between 1 and ${MAXIMUM_TOP}.`,
    );
  }
  return top;
}

function skipTokenOf(request: ArmRequest): string | undefined {
  const token = request.query.get('$skiptoken');
  if (token === undefined) return undefined;
  const key = Buffer.from(token, 'base64url').toString('utf8');
  if (!key.startsWith('/subscriptions/')) {
    throw new ArmError(400, 'InvalidSkipToken', 'The $skipToken query parameter is not one that was issued.');
  }
  return key;
}

function nextLink(request: ArmRequest, last: string): string {
  const kept = ['api-version', '$top', '$filter'].flatMap((name) => {
    const value = request.query.get(name);
    return value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  const token = Buffer.from(last, 'utf8').toString('base64url');
  return `${request.baseUrl}${request.path}?${[...kept, `$skipToken=${token}`].join('&')}`;
}
