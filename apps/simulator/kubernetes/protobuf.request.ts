import { IncomingMessage } from 'node:http';
import { decodeKubernetesProtobuf } from './protobuf.decoder.js';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
/** As much as an API server takes. */
const LIMIT_BYTES = 3 * 1024 * 1024;

/**
 * Clients written in Go send their typed objects as protobuf; the simulated API servers read JSON. Such a request is handed
 * on as if it had been sent as JSON; one of a kind that is not known here goes on as it came, and is refused.
 */
export async function withJsonBody(request: IncomingMessage): Promise<IncomingMessage> {
  if (request.headers['content-type']?.split(';')[0]?.trim() !== PROTOBUF) return request;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= LIMIT_BYTES) chunks.push(chunk);
  }
  const decoded = size <= LIMIT_BYTES ? jsonOf(Buffer.concat(chunks)) : undefined;
  const headers = decoded === undefined ? request.headers : { ...request.headers, 'content-type': 'application/json' };
  const replaced = new IncomingMessage(request.socket);
  replaced.method = request.method ?? 'POST';
  replaced.url = request.url ?? '/';
  replaced.headers = headers;
  // Else its end would be taken for an abort, and the connection cut.
  replaced.complete = true;
  if (decoded !== undefined) replaced.push(decoded);
  replaced.push(null);
  return replaced;
}

function jsonOf(body: Buffer): string | undefined {
  try {
    const object = decodeKubernetesProtobuf(body);
    return object === undefined ? undefined : JSON.stringify(object);
  } catch (error) {
    // Not what it says it is: the API server's complaint about the body will do.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
