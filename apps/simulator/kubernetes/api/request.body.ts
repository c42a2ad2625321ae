import type { IncomingMessage } from 'node:http';
import { load, YAMLException } from 'js-yaml';
import type { JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { Patch } from './api.request.js';
import { parseProtobuf } from './protobuf.body.js';

const LIMIT_BYTES = 3 * 1024 * 1024;
const OBJECT_TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

/** A body as it came. */
export interface RequestBody {
  bytes: Buffer;
  /** The media type without its parameters, in lower case; empty when there is none. */
  mediaType: string;
}

/** @throws KubernetesStatusError 413 */
export async function readBody(request: IncomingMessage): Promise<RequestBody> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMIT_BYTES) throw KubernetesStatusError.tooLarge(LIMIT_BYTES);
    chunks.push(chunk);
  }
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  return { bytes: Buffer.concat(chunks), mediaType };
}

/**
 * The object in a body.
 * @param expected the kind that the path takes, for the complaint
 * @throws KubernetesStatusError 400 or 415
 */
export function parseObject(body: RequestBody, expected: string): JsonObject {
  const unrecognized = (why: string): KubernetesStatusError =>
    KubernetesStatusError.badRequest(
      `the object provided is unrecognized (must be of type ${expected}): couldn't get version/kind; ${why} (${excerpt(body.bytes.toString('utf8'))})`,
    );
  const content = parseContent(body, unrecognized);
  if (!isJsonObject(content))
    throw unrecognized('json parse error: json: cannot unmarshal into Go value of type struct');
  return content;
}

/** The options of a DELETE; nothing where there is no body. */
export function parseOptions(body: RequestBody): JsonObject {
  if (body.bytes.length === 0) return {};
  const content = parseContent(body, (why) => KubernetesStatusError.badRequest(why));
  return isJsonObject(content) ? content : {};
}

/** @throws KubernetesStatusError 400 or 415 */
export function parsePatch(body: RequestBody, force: boolean): Patch {
  const malformed = (why: string): KubernetesStatusError =>
    KubernetesStatusError.badRequest(`error decoding patch: ${why}`);
  const text = body.bytes.toString('utf8');
  switch (body.mediaType) {
    case 'application/json-patch+json':
      return { type: 'json', operations: parseJson(text, malformed) };
    case 'application/merge-patch+json':
      return { type: 'merge', patch: parseJson(text, malformed) };
    case 'application/strategic-merge-patch+json':
      return { type: 'strategic', patch: parseJson(text, malformed) };
    case 'application/apply-patch+yaml': {
      const applied = parseYaml(text, (why) => KubernetesStatusError.badRequest(`error decoding YAML: ${why}`));
      if (!isJsonObject(applied)) throw KubernetesStatusError.badRequest('error decoding YAML: not an object');
      return { type: 'apply', applied, force };
    }
    default:
      throw KubernetesStatusError.unsupportedMediaType(PATCH_TYPES);
  }
}

function parseContent(body: RequestBody, fault: (why: string) => KubernetesStatusError): unknown {
  switch (body.mediaType) {
    case '':
    case 'application/json':
      return parseJson(body.bytes.toString('utf8'), fault);
    case 'application/yaml':
      return parseYaml(body.bytes.toString('utf8'), fault);
    case 'application/vnd.kubernetes.protobuf': {
      const object = parseProtobuf(body.bytes);
      if (object !== undefined) return object;
      throw KubernetesStatusError.unsupportedMediaType(OBJECT_TYPES.slice(0, 2));
    }
    default:
      throw KubernetesStatusError.unsupportedMediaType(OBJECT_TYPES);
  }
}

function parseJson(text: string, fault: (why: string) => KubernetesStatusError): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!Error.isError(error)) throw error;
    throw fault(`json parse error: ${jsonFault(error.message)}`);
  }
}

function parseYaml(text: string, fault: (why: string) => KubernetesStatusError): unknown {
  try {
    return load(text);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    throw fault(`yaml: ${error.reason}`);
  }
}

/** As Go's parser words it where the two can be told apart. */
function jsonFault(message: string): string {
  if (/Unexpected end|Expected .* at position|Unterminated|double-quoted property name/.test(message))
    return 'unexpected end of JSON input';
  const character = /Unexpected token '?(.)/.exec(message)?.[1];
  return character === undefined ? message : `invalid character '${character}' looking for beginning of value`;
}

/** What a complaint quotes of a body. */
function excerpt(text: string): string {
  const limit = 1024;
  return text.length <= limit ? text : `${text.slice(0, limit)} ...`;
}
