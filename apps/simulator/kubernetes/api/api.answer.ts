import type { JsonObject } from '#libs/kernel/json.js';
import type { ServerResponse } from 'node:http';
import { type KubernetesStatusError } from './kubernetes-status.error.js';

/** What a request is answered with. */
export type ApiAnswer =
  | { type: 'json'; status: number; body: JsonObject; contentType?: string; cacheControl?: string }
  | { type: 'text'; status: number; text: string }
  /** Answered over time, by whoever made it. */
  | { type: 'stream'; start: (response: ServerResponse) => void };

export function ok(body: JsonObject): ApiAnswer {
  return { type: 'json', status: 200, body };
}

export function created(body: JsonObject): ApiAnswer {
  return { type: 'json', status: 201, body };
}

export function refused(error: KubernetesStatusError): ApiAnswer {
  return { type: 'json', status: error.code, body: error.body };
}

/** For paths that no handler is installed for: not even a Status object. */
export const PAGE_NOT_FOUND: ApiAnswer = { type: 'text', status: 404, text: '404 page not found\n' };

export function success(status: number, details?: JsonObject): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details }),
    ...(status === 200 ? {} : { code: status }),
  };
}
