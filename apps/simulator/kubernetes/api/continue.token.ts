import { z } from 'zod';
import { KubernetesStatusError } from './kubernetes-status.error.js';

const VERSION = 'meta.k8s.io/v1';
const tokenSchema = z.object({ v: z.literal(VERSION), rv: z.number().int(), start: z.string() });

/** Where the next page begins, and of which state of the cluster. */
export interface Continuation {
  /** The resourceVersion of the first page; -1 continues with whatever is there by then. */
  version: number;
  /** The last key of the page before, relative to what is listed. */
  after: string;
}

export function encodeContinue({ version, after }: Continuation): string {
  const token = { v: VERSION, rv: version, start: `${after}\u0000` };
  return Buffer.from(JSON.stringify(token).replaceAll('\0', '\\u0000')).toString('base64url');
}

/** @throws KubernetesStatusError 400 */
export function decodeContinue(token: string): Continuation {
  const fault = base64Fault(token);
  if (fault !== undefined) throw invalidToken(`continue key is not valid: illegal base64 data at input byte ${fault}`);
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch (error) {
    if (!Error.isError(error)) throw error;
    throw invalidToken(`continue key is not valid: ${error.message}`);
  }
  const parsed = tokenSchema.safeParse(content);
  if (!parsed.success) throw invalidToken('continue key is not valid: server does not recognize this encoded version');
  return { version: parsed.data.rv, after: parsed.data.start.replace(/\0$/, '') };
}

/** Where the text stops being unpadded base64url; undefined when it does not. */
function base64Fault(text: string): number | undefined {
  const illegal = text.search(/[^A-Za-z0-9_-]/);
  if (illegal >= 0) return illegal;
  return text.length % 4 === 1 ? text.length - 1 : undefined;
}

function invalidToken(why: string): KubernetesStatusError {
  return KubernetesStatusError.badRequest(`invalid continue token: ${why}`);
}
