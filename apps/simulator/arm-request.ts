import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { invalidRequestContent } from './arm-error.js';

export type ArmMethod = 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

/** A request as far as HTTP alone tells. */
export interface ArmRequest {
  method: ArmMethod;
  /** As sent, without the query. */
  path: string;
  /** Of the path, decoded. */
  segments: readonly string[];
  /** Names in lower case: callers write `api-version`, `api-Version` and `api%2Dversion`. */
  query: ReadonlyMap<string, string>;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  /** As sent; empty without a body. */
  body: string;
  /** Who calls, as an object id that depends on the token alone. */
  principal: string;
  /** Scheme and host under which the caller can reach the simulator. */
  baseUrl: string;
}

export interface ArmAnswer {
  status: number;
  /** Absent: no body at all; null: the four letters. */
  body?: JsonObject | null;
  /** Names in lower case. */
  headers?: Record<string, string>;
}

/** @throws URIError when the path is not decodable. */
export function splitPath(path: string): string[] {
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => decodeURIComponent(segment));
}

export function parseQuery(search: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) query.set(name.toLowerCase(), value);
  return query;
}

/** @throws ArmError InvalidRequestContent. */
export function jsonBody(request: ArmRequest): JsonObject {
  if (request.body.trim() === '') throw invalidRequestContent('The request content is empty');
  let parsed: unknown;
  try {
    parsed = JSON.parse(request.body);
  } catch (error) {
    if (error instanceof SyntaxError) throw invalidRequestContent(error.message);
    throw error;
  }
  if (!isJsonObject(parsed)) throw invalidRequestContent('An object was expected');
  return parsed;
}
